// An object that has no page of its own, as it stands: history, proof, bytes.
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { hex } from '@/chain/bytes'
import { useNames } from '@/chain/names'
import { kindOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { History } from '@/parts/object'
import { Proof } from '@/parts/proof'
import { Empty, Loaded } from '@/parts/states'

export default function ObjectAsItStands() {
  const { t } = useTranslation('explorer')
  const { t: shell } = useTranslation('shell')
  const { key = '' } = useParams({ strict: false }) as { key?: string }
  const name = useNames([key])
  const query = useQuery({ queryKey: [key, 'raw'], queryFn: () => rpc(LedgerService).getObject({ key }) })
  return (
    <>
      <div className="titles"><h1>{name(key)}</h1><span className="pill grey">{shell(`kinds.${kindOf(key)}`)}</span></div>
      <p className="second"><code>{key}</code></p>
      <div className="card"><div className="body">
        <Tabs items={[
          { key: 'history', label: shell('object.history'), children: <History object={key} direct /> },
          { key: 'proof', label: shell('object.proof'), children: <Proof object={key} /> },
          { key: 'raw', label: t('raw'), children: <Loaded query={query}>{(o) => (o.found ? <pre className="json" tabIndex={0}>{hex(o.value)}</pre> : <Empty text={t('noObject')} />)}</Loaded> },
        ]} />
      </div></div>
    </>
  )
}
