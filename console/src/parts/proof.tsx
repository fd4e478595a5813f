// Proof of one object: the path from its value to the block's signed header, computed in this
// page. ProofDrawer shows it beside a list.
import { CheckCircleOutlined, CloseCircleOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Drawer } from 'antd'
import { useTranslation } from 'react-i18next'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { LightBlockSchema } from '@/gen/mulian/ledger/v1/light_pb'
import { fromBinary } from '@bufbuild/protobuf'
import { hex } from '@/chain/bytes'
import { proved } from '@/chain/proof'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Loaded } from './states'

async function read(object: string) {
  const ledger = rpc(LedgerService)
  const o = await ledger.getObject({ key: object, prove: true })
  // The state after a block stands in the next block's header; without traffic the node's
  // heartbeat makes one within a minute.
  const h = await ledger.getHeader({ height: o.proof!.height + 1n })
  const light = fromBinary(LightBlockSchema, h.lightBlock)
  const signatures = light.signedHeader?.commit?.signatures ?? []
  return {
    object: o, header: h, signed: signatures.filter((s) => s.blockIdFlag === 2).length, of: signatures.length,
    checks: await proved(object, o, h.appHash),
  }
}

/** Proof computes and shows it. What it does not show: whether the validators are the true ones; a proof file does. */
export function Proof({ object }: { object: string }) {
  const { t } = useTranslation('shell')
  const q = useQuery({ queryKey: [object, 'proof'], queryFn: () => read(object), retry: 3, retryDelay: 2000 })
  return (
    <Loaded query={q} rows={4}>
      {(p) => (
        <div className="sheet">
          {p.checks.map((c) => (
            <p key={c.what} className={c.holds ? 'note green' : 'note red'}>{c.holds ? <CheckCircleOutlined /> : <CloseCircleOutlined />} {t(`proof.${c.what}`)}</p>
          ))}
          <dl className="facts">
            <dt>{t('proof.key')}</dt><dd><code>{object}</code></dd>
            <dt>{t('proof.state')}</dt><dd>{amount(p.object.proof?.height)}</dd>
            <dt>{t('proof.header')}</dt><dd>{amount(p.header.height)} · {exact(p.header.timeMs)}</dd>
            <dt>{t('proof.appHash_')}</dt><dd><code>{hex(p.header.appHash)}</code></dd>
            <dt>{t('proof.signers')}</dt><dd>{p.signed} / {p.of}</dd>
            <dt>{t('proof.pathLabel')}</dt><dd>{t('proof.siblings', { n: p.object.proof?.siblings.length ?? 0, depth: p.object.proof?.depth ?? 0 })}</dd>
          </dl>
          <p className="second">{t('proof.offline')} <code>mulian trace {object} --proof FILE</code></p>
        </div>
      )}
    </Loaded>
  )
}

export function ProofDrawer({ object, close }: { object?: string; close: () => void }) {
  const { t } = useTranslation('shell')
  return <Drawer open={!!object} title={t('object.proof')} onClose={close} size={480}>{object && <Proof object={object} />}</Drawer>
}
