// The page of one transaction: its sentences, what it changed, its bytes as JSON.
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Tabs } from 'antd'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import { hex, unhex } from '@/chain/bytes'
import { account } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rare } from '@/chain/rare'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Copy } from '@/parts/copy'
import { Related, State } from '@/parts/object'
import { Loaded } from '@/parts/states'

const pretty = (json: string) => JSON.stringify(JSON.parse(json || '{}'), null, 2)

export default function TxPage() {
  const { t } = useTranslation('explorer')
  const { t: shell } = useTranslation('shell')
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery({ queryKey: ['tx', id], staleTime: Infinity, queryFn: () => rpc(ConsoleService).getTransaction({ txId: unhex(id) }) })
  return (
    <Loaded query={query}>
      {(d) => {
        const tx = d.transaction!
        return (
          <>
            <div className="titles"><h1>{t('tx')}</h1>{tx.refusal ? <State words={t('refused')} tone="red" /> : <State words={t('done')} tone="green" />}</div>
            <p className="second"><code>{id}</code> <Copy text={id} /></p>
            <section className="card"><div className="body sheet">
              <div className="sentence">{tx.lines.map((l, i) => <b key={i}>{rare(l)}</b>)}</div>
              {tx.refusal && <p className="note red">{tx.refusal}{tx.outcome?.rule ? ` · ${tx.outcome.rule}` : ''}</p>}
              <dl className="facts">
                <dt>{t('signer')}</dt><dd><Link to={pathOf(account(tx.account))}>{tx.accountName || tx.account}</Link> <code className="second">{tx.account}</code></dd>
                <dt>{t('key')}</dt><dd><code>{tx.key}</code></dd>
                <dt>{shell('height')}</dt><dd><Link to={`/block/${tx.height}`}>{amount(tx.height)}</Link> · {t('nth', { n: tx.index + 1 })}</dd>
                <dt>{t('time')}</dt><dd>{exact(tx.timeMs)} (UTC+8)</dd>
                <dt>{t('size')}</dt><dd>{t('bytes', { n: amount(d.sizeBytes) })}</dd>
              </dl>
            </div></section>
            <section className="card"><div className="body">
              <Tabs items={[
                { key: 'objects', label: t('changed', { n: d.objects.length }), children: <Related keys={d.objects} /> },
                { key: 'json', label: 'JSON', children: <pre className="json" tabIndex={0}>{pretty(d.json)}</pre> },
                { key: 'check', label: shell('object.proof'), children: <p>{t('check')} <code>mulian verify</code> · <a href={`/v/${hex(tx.txId)}`}>{t('public')}</a></p> },
              ]} />
            </div></section>
          </>
        )
      }}
    </Loaded>
  )
}
