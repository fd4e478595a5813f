// The page of one agreement: what may be fetched under it, what was delivered, what it was
// used for. Its asker signs it, fetches and accounts for the use here.
import { useQueries, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams } from '@tanstack/react-router'
import { Button } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Method } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { AmendmentKind } from '@/gen/mulian/share/v1/life_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { type Agreement, AgreementSchema, AgreementState as A, type Delivery, DeliveryState as D, type Use } from '@/gen/mulian/share/v1/share_pb'
import type { GetAgreementResponse } from '@/gen/mulian/share/v1/query_pb'
import { hex, short } from '@/chain/bytes'
import { account, duty, entry, useNames } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, date, moment } from '@/chain/words'
import { Clock } from '@/parts/clock'
import { ObjectPage, State } from '@/parts/object'
import { useSign } from '@/parts/sign'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable } from '@/parts/table'
import { useWho } from '@/shell/who'
import { deliveryKey } from '../deliveries/deliveries'
import { AgreementDeeds } from '../deeds/agreement'
import { getEntry } from '../inbox/requests'
import { AgreementState } from './agreement-state'
import { Fetch } from './fetch'
import { RecordUse } from './use'

/** live are the states in which a gateway releases data. */
const live = [A.ACTIVE, A.AMENDING, A.RENEWING, A.ENDING]

export default function AgreementPage() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const query = useQuery({ queryKey: [`share/agreement/${id}`, 'one'], queryFn: () => rpc(ShareService).getAgreement({ id }) })
  return <Loaded query={query}>{(d) => <Page d={d} />}</Loaded>
}

function Page({ d }: { d: GetAgreementResponse }) {
  const a = d.agreement!
  const terms = a.terms!
  const name = useNames(terms.parts.map((p) => entry(p.entry)))
  const running = !!a.clock?.dueMs && !a.clock.stoppedMs
  return (
    <ObjectPage
      object={`share/agreement/${a.id}`} number={a.id} title={terms.parts.map((p) => name(entry(p.entry))).join('、')} state={<AgreementState agreement={a} />}
      clock={running ? <Clock dueMs={a.clock!.dueMs} totalMs={Number(a.clock!.dueMs - a.clock!.startedMs)} /> : undefined}
      action={<><Actions d={d} /><AgreementDeeds d={d} /></>} overview={<Overview d={d} />} schema={AgreementSchema} value={a}
      relations={[`share/request/${a.request}`, account(a.provider), account(a.consumer), duty(terms.duty), ...terms.parts.map((p) => entry(p.entry)), ...d.deliveries.map(deliveryKey)]}
    />
  )
}

function Actions({ d }: { d: GetAgreementResponse }) {
  const { t } = useTranslation('user')
  const { signer } = useWho()
  const sign = useSign()
  const [open, setOpen] = useState<'fetch' | 'use'>()
  const a = d.agreement!
  if (!signer?.org || ![a.consumer, a.provider].includes(signer.org)) return null
  const change = d.amendments.find((x) => x.number === a.amendment)
  const toSign = change && change.proposedBy !== signer.org && <Button type="primary" data-testid="sign-change" onClick={() => void sign({ title: t('signChange'), acts: [{ case: 'signAmendment', value: { agreement: a.id, number: change.number } }] })}>{t('signChange')}</Button>
  if (signer.org !== a.consumer) return toSign ? <p className="actions">{toSign}</p> : null
  const received = a.terms!.method === Method.QUERY || d.deliveries.some((x) => x.state === D.CONFIRMED)
  return (
    <p className="actions">
      {a.state === A.OFFERED && <Button type="primary" data-testid="confirm" onClick={() => void sign({ title: t('confirm'), acts: [{ case: 'confirmAgreement', value: { agreement: a.id, version: a.version } }] })}>{t('confirm')}</Button>}
      {toSign}
      {live.includes(a.state) && <Button type={change ? 'default' : 'primary'} data-testid="fetch" onClick={() => setOpen('fetch')}>{t('fetch')}</Button>}
      {live.includes(a.state) && received && <Button data-testid="use" onClick={() => setOpen('use')}>{t('recordUse')}</Button>}
      {open === 'fetch' && <Fetch agreement={a} close={() => setOpen(undefined)} />}
      {open === 'use' && <RecordUse agreement={a} close={() => setOpen(undefined)} />}
    </p>
  )
}

function Overview({ d }: { d: GetAgreementResponse }) {
  const { t } = useTranslation('user')
  const { t: inbox } = useTranslation('inbox')
  const a = d.agreement!
  const terms = a.terms!
  const name = useNames([account(a.provider), account(a.consumer), duty(terms.duty), account(a.consumerGateway), ...a.providerGateways.map(account), ...terms.parts.map((p) => entry(p.entry))])
  const entries = useQueries({ queries: terms.parts.map((p) => getEntry(p.entry)) })
  const change = d.amendments.find((x) => x.number === a.amendment)
  const item = (i: number, code: string) => entries[i]?.data?.entry?.items.find((it) => it.code === code)?.name || code
  return (
    <div className="sheet">
      {a.suspendedCause && <p className="note red">{t('suspended')} {a.suspendedCause}</p>}
      {change && <p className="note">{t(change.kind === AmendmentKind.RENEWAL ? 'proposed.renewal' : 'proposed.terms', { who: name(account(change.proposedBy)), days: change.days, reason: change.reason })}</p>}
      <dl className="facts">
        <dt>{inbox('col.provider')}</dt><dd><Link to={pathOf(account(a.provider))}>{name(account(a.provider))}</Link></dd>
        <dt>{inbox('col.requester')}</dt><dd><Link to={pathOf(account(a.consumer))}>{name(account(a.consumer))}</Link></dd>
        <dt>{t('ofRequest')}</dt><dd><Link to={`/request/${a.request}`}><code>{a.request}</code></Link></dd>
        <dt>{inbox('fact.purpose')}</dt><dd>{terms.purpose}</dd>
        <dt>{inbox('fact.duty')}</dt><dd><Link to={pathOf(duty(terms.duty))}>{name(duty(terms.duty))}</Link></dd>
        <dt>{inbox('fact.items')}</dt><dd>{terms.parts.map((p, i) => <span key={p.entry} className="two"><Link to={pathOf(entry(p.entry))}>{name(entry(p.entry))}</Link><small>{p.items.map((c) => item(i, c)).join('、')}</small></span>)}</dd>
        <dt>{t('field.method')}</dt><dd>{inbox(`method.${Method[terms.method]}`)}</dd>
        <dt>{t('term')}</dt><dd>{date(a.startsMs)} – {date(a.endsMs)}</dd>
        <dt>{t('way')}</dt><dd>{a.providerGateways.map((g) => name(account(g))).join('、')} → {name(account(a.consumerGateway))}</dd>
        <dt>{t('bounds')}</dt><dd>{bounds(a, t).join(' · ') || t('hint.unbounded')}</dd>
      </dl>
      <Deliveries rows={d.deliveries} />
      <Uses rows={d.uses} all={Number(a.uses)} of={`share/agreement/${a.id}`} />
    </div>
  )
}

type T = (key: string, with_?: Record<string, unknown>) => string

/** bounds are the agreement's limits as words. */
function bounds(a: Agreement, t: T): string[] {
  const b = a.terms!
  const all: [bigint | number, string][] = [[b.maxCallsPerDay, 'perDay'], [b.maxCalls, 'calls'], [b.maxRowsPerCall, 'rowsPerCall'], [b.maxRowsPerDay, 'rowsPerDay'], [b.maxRows, 'rows'], [b.dataLifeDays, 'life']]
  return all.filter(([n]) => n > 0).map(([n, k]) => t(`bound.${k}`, { n: amount(n) }))
}

const tone = { [D.UNSPECIFIED]: 'grey', [D.STARTED]: 'blue', [D.COMPLETED]: 'amber', [D.CONFIRMED]: 'green', [D.FAILED]: 'red' } as const

function Deliveries({ rows }: { rows: Delivery[] }) {
  const { t } = useTranslation('user')
  const navigate = useNavigate()
  const name = useNames(rows.map((r) => entry(r.entry)))
  const columns: Column<Delivery>[] = [
    { id: 'n', title: t('number'), card: 'title', show: (r) => t('nth', { n: String(r.number) }) },
    { id: 'entry', title: t('item'), show: (r) => name(entry(r.entry)) },
    { id: 'state', title: t('state'), show: (r) => <span className="two"><State words={t(`delivery.${D[r.state]}`)} tone={tone[r.state]} />{r.cause && <small>{r.cause}</small>}</span> },
    { id: 'rows', title: t('rows'), number: true, show: (r) => t('nRows', { n: amount(r.rows) }) },
    { id: 'digest', title: t('digest'), card: 'none', show: (r) => (r.digest.length > 0 ? <code title={hex(r.digest)}>{short(hex(r.digest))}</code> : '—') },
    { id: 'at', title: t('confirmedAt'), card: 'end', show: (r) => moment(r.confirmedMs || r.completedMs || r.startedMs) },
  ]
  return (
    <section className="card" aria-label={t('deliveries')}><header><h2>{t('deliveries')} {amount(rows.length)}</h2><span className="second">{t('deliveriesText')}</span></header>
      <DataTable whole caption={t('deliveries')} columns={columns} rows={rows.toReversed()} rowId={(r) => String(r.number)} onOpen={(r) => void navigate({ to: pathOf(deliveryKey(r)) })} empty={<Empty text={t('noDeliveries')} />} />
    </section>
  )
}

// Uses are the earliest 500, as the server gives them; where there are more, all stand in what happened to the agreement.
function Uses({ rows, all, of }: { rows: Use[]; all: number; of: string }) {
  const { t } = useTranslation('user')
  const columns: Column<Use>[] = [
    { id: 'n', title: t('number'), card: 'title', show: (r) => t('nth', { n: String(r.number) }) },
    { id: 'case', title: t('case'), show: (r) => r.matterCase || '—' },
    { id: 'effect', title: t('effect'), show: (r) => r.effect || '—' },
    { id: 'rows', title: t('rows'), number: true, show: (r) => t('nRows', { n: amount(r.rows) }) },
    { id: 'by', title: t('by'), show: (r) => <code>{r.by.split('/').slice(1).join('/') || r.by}</code> },
    { id: 'at', title: t('at'), card: 'end', show: (r) => moment(r.atMs) },
  ]
  return (
    <section className="card" aria-label={t('uses')}><header><h2>{t('uses')} {amount(Math.max(all, rows.length))}</h2><span className="second">{t('usesText')}</span></header>
      <DataTable whole caption={t('uses')} columns={columns} rows={rows.toReversed()} rowId={(r) => String(r.number)} empty={<Empty text={t('noUses')} />} />
      {all > rows.length && <p className="body note amber">{t('usesPart', { n: amount(rows.length), all: amount(all) })} <Link to="/trace" search={{ object: of } as never}>{t('usesAll')}</Link></p>}
    </section>
  )
}
