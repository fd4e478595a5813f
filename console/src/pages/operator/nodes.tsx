// Validators as the last blocks show them, and the node that answers this page as it knows
// itself. What others run, and how far they are, nobody can see from here but by their votes.
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { OverviewService, type Signer } from '@/gen/mulian/console/v1/overview_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { hex, short } from '@/chain/bytes'
import { account, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { State } from '@/parts/object'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { AsOf } from './parts'
import { getConsortium } from './votes'

export default function Nodes() {
  const { t } = useTranslation('operator')
  const query = useQuery({ queryKey: ['signers-of-blocks'], refetchInterval: 5000, queryFn: () => rpc(OverviewService).listSigners({}) })
  return (
    <>
      <div className="titles"><h1>{t('menu.nodes')}</h1><span className="end">{query.data && <AsOf height={query.data.height} timeMs={query.data.timeMs} />}</span></div>
      <Loaded query={query}>{(d) => <Validators signers={d.signers} height={d.height} looked={d.looked} />}</Loaded>
      <ThisNode />
    </>
  )
}

function Validators({ signers, height, looked }: { signers: Signer[]; height: bigint; looked: bigint }) {
  const { t } = useTranslation('operator')
  const consortium = useQuery(getConsortium)
  const of = (s: Signer) => consortium.data?.validators.find((v) => hex(v.publicKey) === hex(s.publicKey))
  const name = useNames(signers.map((s) => account(of(s)?.org ?? '')))
  const total = signers.reduce((n, s) => n + s.power, 0n)
  const behind = (s: Signer) => (s.lastHeight === 0n ? looked : height - s.lastHeight)
  const share = (s: Signer) => (total ? `${((100 * Number(s.power)) / Number(total)).toFixed(1)}%` : '—')
  const columns: Column<Signer>[] = [
    { id: 'name', title: t('col.validator'), card: 'title', show: (s) => <span className="two"><span>{of(s)?.name || '—'}</span><small className="mono">{short(hex(s.address))}</small></span> },
    { id: 'org', title: t('col.org'), show: (s) => (of(s) ? <Link to={pathOf(account(of(s)!.org))}>{name(account(of(s)!.org))}</Link> : '—') },
    { id: 'power', title: t('col.power'), number: true, sort: (a, b) => Number(a.power - b.power), show: (s) => `${amount(s.power)} · ${share(s)}` },
    { id: 'last', title: t('col.signed'), sort: (a, b) => Number(a.lastHeight - b.lastHeight), show: (s) => (s.lastHeight ? <span className="two"><Link to={`/block/${s.lastHeight}`}>{t('height', { height: amount(s.lastHeight) })}</Link><small>{exact(s.lastMs)}</small></span> : t('nodes.never', { n: amount(looked) })) },
    { id: 'lag', title: t('col.lag'), card: 'end', number: true, sort: (a, b) => Number(behind(a) - behind(b)), show: (s) => <State words={behind(s) === 0n ? t('nodes.level') : t('nodes.behind', { n: amount(behind(s)) })} tone={behind(s) === 0n ? 'green' : s.lastHeight ? 'amber' : 'red'} /> },
    { id: 'of', title: t('col.of', { n: amount(looked) }), number: true, card: 'none', sort: (a, b) => Number(a.signed - b.signed), show: (s) => amount(s.signed) },
    { id: 'sm2', title: t('nodes.sm2'), card: 'none', show: (s) => (of(s)?.sm2Key.length ? t('nodes.stated') : '—') },
  ]
  return <section className="card" aria-label={t('nodes.validators')}><header><h2>{t('nodes.validators')}</h2><span className="end second">{t('nodes.text', { n: amount(looked) })}</span></header><DataTable caption={t('nodes.validators')} columns={columns} rows={signers} rowId={(s) => hex(s.address)} empty={<Empty text={t('nodes.none')} />} /></section>
}

/** ThisNode is what the node that answers knows of itself. */
function ThisNode() {
  const { t } = useTranslation('operator')
  const query = useQuery({ queryKey: ['node-status'], refetchInterval: 5000, queryFn: () => rpc(LedgerService).getStatus({}) })
  return (
    <section className="card" aria-label={t('nodes.here')}>
      <header><h2>{t('nodes.here')}</h2><span className="end second">{t('nodes.hereText')}</span></header>
      <div className="body">
        <Loaded query={query} rows={5}>
          {(s) => (
            <dl className="facts">
              <dt>{t('nodes.state')}</dt><dd><State words={t(s.stalled ? 'nodes.stalled' : s.catchingUp ? 'nodes.catching' : 'nodes.running')} tone={s.stalled ? 'red' : s.catchingUp ? 'amber' : 'green'} /></dd>
              <dt>{t('nodes.chain')}</dt><dd>{s.chainId} · <Link to={`/block/${s.height}`}>{t('height', { height: amount(s.height) })}</Link> · {exact(s.timeMs)}</dd>
              <dt>{t('nodes.present')}</dt><dd>{t('nodes.presentOf', { n: amount(s.powerPresent), total: amount(s.powerTotal) })}</dd>
              <dt>{t('nodes.index')}</dt><dd>{s.indexed < 0n ? '—' : s.indexed >= s.events ? t('nodes.level') : t('nodes.events', { n: amount(s.events - s.indexed) })}</dd>
              <dt>{t('nodes.peers')}</dt><dd>{amount(s.peers)}</dd>
              <dt>{t('nodes.version')}</dt><dd><code>{s.version || '—'}</code> · {t('nodes.rules', { force: s.protocol?.inForce || 1, known: s.programProtocol })}{s.protocol?.pending && ` · ${t('nodes.pending', { name: s.protocol.pending.name, height: amount(s.protocol.pending.height) })}`}</dd>
              <dt>{t('nodes.since')}</dt><dd>{exact(s.startedMs)}</dd>
              <dt>{t('nodes.disk')}</dt><dd>{(Number(s.diskBytes) / 1e6).toFixed(1)} MB</dd>
              <dt>{t('nodes.waiting')}</dt><dd>{amount(s.pending)}</dd>
              <dt>{t('nodes.submit')}</dt><dd>{s.submitP50Us ? t('nodes.submitOf', { p50: Math.round(s.submitP50Us / 1000), p99: Math.round(s.submitP99Us / 1000) }) : t('nodes.noSubmit')}</dd>
            </dl>
          )}
        </Loaded>
      </div>
    </section>
  )
}
