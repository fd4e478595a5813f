// Proof of one object, event or transaction: a proof file of the node, checked in this page
// from the genesis on, with the signatures of the validators and of who acted. ProofDrawer
// shows it beside a list.
import { CheckCircleOutlined, CloseCircleOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Button, Drawer } from 'antd'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import type { Report } from '../../verify/mulian-verify.mjs'
import { type Bytes, hex, short } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { askAgainAfter, missing, rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { check, save, trust, useTrust } from '@/check/check'
import { useWho } from '@/shell/who'
import { Copy } from './copy'
import { Loaded } from './states'

/** Proof asks for the file, checks it here and shows each check. */
export function Proof({ object }: { object: string }) {
  const { t, i18n } = useTranslation('trace')
  const { here } = useWho()
  const mine = useTrust(here.chainId, hex(here.genesisHash))
  const q = useQuery({
    queryKey: [object, 'proof', mine.hash, i18n.language], retry: (n, err) => n < (missing(err) ? 1 : 2), retryDelay: (n, err) => (missing(err) ? askAgainAfter(n, err) : 2000),
    queryFn: async () => {
      const file = (await rpc(ConsoleService).prove({ id: object })).file as Bytes
      const a = await check(file, mine.hash)
      if (a.kind !== 'proof') throw new Error(a.kind === 'failed' ? a.text : a.kind)
      return { file, report: a.report }
    },
  })
  const name = `${object.replace(/[^0-9A-Za-z]+/g, '-').slice(0, 80)}.mulian-proof.json`
  return (
    <Loaded query={q} rows={4}>
      {(p) => (
        <div className="sheet">
          <Verdict report={p.report} />
          <p className="actions">
            <Button onClick={() => save(name, p.file, 'application/json')}>{t('proof.save')}</Button>
            <Button onClick={() => void navigator.clipboard.writeText(`mulian verify ${name} --genesis-hash ${mine.hash}`)}>{t('proof.command')}</Button>
          </p>
          <Anchor />
        </div>
      )}
    </Loaded>
  )
}

export function ProofDrawer({ object, close }: { object?: string; close: () => void }) {
  const { t } = useTranslation('trace')
  return <Drawer open={!!object} title={t('proof.title')} onClose={close} size={520}>{object && <Proof object={object} />}</Drawer>
}

/** Verdict shows what a check came to: each step in words, then what holds, or why it does not. */
export function Verdict({ report: r }: { report: Report }) {
  const { t } = useTranslation('trace')
  const signers = r.signers ?? []
  const name = useNames(signers.map((s) => account(s.account)))
  const signed = r.validators?.filter((v) => v.signed).length ?? 0
  return (
    <div className="sheet" data-verdict={r.ok ? 'holds' : 'fails'}>
      {r.ok
        ? <p className="note green"><CheckCircleOutlined /> {t('proof.holds', { ms: Math.max(1, Math.round(r.milliseconds)) })}</p>
        : <p className="note red" role="alert"><CloseCircleOutlined /> {t('proof.fails', { step: t(`steps.${r.step ?? 'form'}`) })}</p>}
      {!r.ok && <p><strong>{r.reason}</strong>{r.field && r.field !== 'the file' && <> · <code>{r.field}</code></>}</p>}
      {r.ok && (
        <dl className="facts">
          <dt>{t(`about.${r.kind ?? 'object'}`)}</dt><dd><code>{r.object}</code></dd>
          <dt>{t('proof.block')}</dt><dd><Link to={`/block/${(r.height ?? 0) + 1}`}>{amount((r.height ?? 0) + 1)}</Link> · {exact(Date.parse(r.time ?? ''))}</dd>
          <dt>{t('proof.validators')}</dt><dd>{t('proof.power', { signed, of: r.validators?.length ?? 0, power: r.power?.replace(' of ', '/'), sm2: r.sm2 === 'none' ? '0' : r.sm2?.replace(' of ', '/') })}</dd>
          {signers.length > 0 && <dt>{t('proof.signers')}</dt>}
          {signers.map((s) => (
            <dd key={s.account + s.as + s.key}>
              <Link to={pathOf(account(s.account))}>{name(account(s.account)) || s.account}</Link> · {t(`algorithms.${s.algorithm}`)} <code>{short(s.key)}</code> · {s.state === 'active' ? t('proof.active') : t('proof.revoked', { at: s.state.replace('revoked ', '') })}
            </dd>
          ))}
        </dl>
      )}
      <details open={!r.ok}>
        <summary>{t('proof.checks', { n: r.checks?.length ?? 0 })}</summary>
        <ol className="checks">
          {r.checks?.map((c, i) => <li key={i}><CheckCircleOutlined className="green" /> <strong>{t(`steps.${c.step}`)}</strong> <span className="second">{c.says}</span></li>)}
          {!r.ok && <li><CloseCircleOutlined className="red" /> <strong>{t(`steps.${r.step ?? 'form'}`)}</strong> <span>{r.reason}</span></li>}
        </ol>
      </details>
    </div>
  )
}

/** Anchor says on what every check in this browser rests, and how it is compared. */
export function Anchor() {
  const { t } = useTranslation('trace')
  const { here } = useWho()
  const mine = useTrust(here.chainId, hex(here.genesisHash))
  if (mine.offered && mine.hash !== mine.offered) {
    return (
      <div className="note red sheet" role="alert">
        <span>{t('anchor.other', { chain: here.chainId })}</span>
        <code>{mine.hash}</code><code>{mine.offered}</code>
        <span><Button onClick={() => trust(here.chainId, mine.offered)}>{t('anchor.take')}</Button></span>
      </div>
    )
  }
  return (
    <div className={mine.compared ? 'note green' : 'note amber'}>
      {t(mine.compared ? 'anchor.compared' : 'anchor.seen', { chain: here.chainId })} <code title={mine.hash}>{short(mine.hash, 12, 8)}</code>{' '}
      <span className="actions inline"><Copy text={mine.hash} />
      {!mine.compared && <Button size="small" onClick={() => trust(here.chainId, mine.hash)}>{t('anchor.mark')}</Button>}</span>
    </div>
  )
}
