// Requests over all departments: a board of the clocks that run, the list behind each of its
// figures, departments with what they are late with, and agreements that came into force.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Button, Select, Tabs } from 'antd'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import type { Start } from '@/gen/mulian/console/v1/overview_pb'
import { AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import type { Standing } from '@/gen/mulian/share/v1/life_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { type Request, RequestState as S } from '@/gen/mulian/share/v1/share_pb'
import { account, entry, useNames } from '@/chain/names'
import { rpc } from '@/chain/rpc'
import { amount, moment } from '@/chain/words'
import { RequestState as Pill } from '@/pages/inbox/detail'
import { Clock, useTick } from '@/parts/clock'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { Urge } from '../deeds/urge'
import { days, listStarts } from './figures'
import { AsOf, Period, useSpan } from './parts'

const BOXES = ['waiting', 'all', 'departments', 'started'] as const
type Box = (typeof BOXES)[number]
const DUES = ['over', 'today', 'week', 'later', 'stopped'] as const
type Due = (typeof DUES)[number]
const WAITING = [S.RECEIVED, S.INCOMPLETE]
const DAY = 86_400_000
const HOUR = 3_600_000

/** dueOf puts a clock into a column of the board; "today" ends at midnight in Beijing. */
function dueOf(r: Request, now: number): Due {
  if (r.clock?.stoppedMs) return 'stopped'
  const due = Number(r.clock?.dueMs ?? 0n)
  if (due === 0) return 'later'
  if (due <= now) return 'over'
  const midnight = (Math.floor((now + 8 * HOUR) / DAY) + 1) * DAY - 8 * HOUR
  return due <= midnight ? 'today' : due <= midnight + 6 * DAY ? 'week' : 'later'
}

const orgs = { queryKey: ['identity/account/', 'orgs'], queryFn: () => rpc(IdentityService).listAccounts({ kind: AccountKind.ORG, limit: 500 }) }

export default function Requests() {
  const { t } = useTranslation('operator')
  const [address, change] = useAddress({ box: 'waiting', due: '', provider: '', requester: '', state: '', days: '1' })
  const box = (BOXES.includes(address.box as Box) ? address.box : 'waiting') as Box
  return (
    <>
      <div className="titles"><h1>{t('menu.requests')}</h1></div>
      <Tabs activeKey={box} onChange={(k) => change({ box: k, due: '', state: '' })} items={BOXES.map((b) => ({ key: b, label: t(`requests.${b}`) }))} />
      {box === 'waiting' ? <Waiting address={address} change={change} /> : box === 'all' ? <All address={address} change={change} /> : box === 'departments' ? <Departments /> : <Started address={address} change={change} />}
    </>
  )
}

interface Filters { address: Record<string, string>; change: (c: Record<string, string>) => void }

/** Orgs filters by who is asked and who asks. */
function Orgs({ address, change }: Filters) {
  const { t } = useTranslation('operator')
  const list = useQuery(orgs)
  const options = (list.data?.accounts ?? []).map((a) => ({ value: a.id, label: a.profile?.shortName || a.profile?.name || a.id }))
  return (
    <>
      {(['provider', 'requester'] as const).map((k) => (
        <Select key={k} style={{ width: 190 }} value={address[k] || undefined} onChange={(v: string | undefined) => change({ [k]: v ?? '' })} allowClear showSearch={{ optionFilterProp: 'label' }} placeholder={t(`requests.any.${k}`)} aria-label={t(`requests.any.${k}`)} options={options} />
      ))}
    </>
  )
}

function useColumns(rows: Request[]): Column<Request>[] {
  const { t } = useTranslation('operator')
  const name = useNames(rows.flatMap((r) => [account(r.requester), account(r.provider), ...(r.terms?.parts ?? []).map((p) => entry(p.entry))]))
  const due = (r: Request) => Number(r.clock?.dueMs ?? 0n) || Infinity
  return [
    { id: 'what', title: t('col.what'), card: 'title', show: (r) => <span className="two">{r.terms?.matter || r.terms?.purpose} · {(r.terms?.parts ?? []).map((p) => name(entry(p.entry))).join('、')}<small className="mono">{r.id}</small></span> },
    { id: 'requester', title: t('col.requester'), sort: (a, b) => a.requester.localeCompare(b.requester), show: (r) => name(account(r.requester)) },
    { id: 'provider', title: t('col.provider'), sort: (a, b) => a.provider.localeCompare(b.provider), show: (r) => name(account(r.provider)) },
    { id: 'state', title: t('col.state'), show: (r) => <Pill request={r} /> },
    { id: 'clock', title: t('col.clock'), card: 'end', act: (r) => <Urge request={r} />, sort: (a, b) => due(a) - due(b), show: (r) => (r.decidedMs ? moment(r.decidedMs) : <Clock dueMs={r.clock?.dueMs} stopped={!!r.clock?.stoppedMs} totalMs={Number((r.clock?.dueMs ?? 0n) - (r.clock?.startedMs ?? 0n))} />) },
    { id: 'filed', title: t('col.filed'), sort: (a, b) => Number(a.createdMs - b.createdMs), show: (r) => <span className="nowrap">{moment(r.createdMs)}</span> },
  ]
}

function Waiting({ address, change }: Filters) {
  const { t } = useTranslation('operator')
  const navigate = useNavigate()
  const at = useTick(60_000)
  const { provider = '', requester = '' } = address
  const query = useQuery({
    queryKey: ['share/request/', 'waiting', provider, requester], placeholderData: keepPreviousData,
    queryFn: () => rpc(ShareService).listRequests({ provider, requester, states: WAITING, limit: 500 }),
  })
  const all = useMemo(() => [...(query.data?.requests ?? [])].sort((a, b) => (Number(a.clock?.dueMs ?? 0n) || Infinity) - (Number(b.clock?.dueMs ?? 0n) || Infinity)), [query.data])
  const due = DUES.find((d) => d === address.due)
  const rows = due ? all.filter((r) => dueOf(r, at) === due) : all
  const columns = useColumns(rows)
  return (
    <Loaded query={query}>
      {(d) => (
        <>
          <div className="figures five" role="group" aria-label={t('requests.board')}>
            {DUES.map((k) => {
              const n = all.filter((r) => dueOf(r, at) === k).length
              return <button key={k} type="button" className={k === 'over' && n > 0 ? 'figure red' : 'figure'} aria-pressed={due === k} onClick={() => change({ due: due === k ? '' : k })}><span>{t(`due.${k}`)}</span><b>{amount(n)}</b></button>
            })}
          </div>
          {d.next && <p className="note amber">{t('requests.part', { n: all.length, total: amount(d.total) })}</p>}
          <section className="card" aria-label={t('requests.waiting')}>
            <div className="filters"><Orgs address={address} change={change} />{(due || provider || requester) && <Button onClick={() => change({ due: '', provider: '', requester: '' })}>{t('requests.clear')}</Button>}</div>
            <DataTable caption={t('requests.waiting')} columns={columns} rows={rows} rowId={(r) => r.id} onOpen={(r) => void navigate({ to: `/request/${r.id}` })} empty={<Empty text={t(due || provider || requester ? 'requests.noHit' : 'requests.empty')} />} />
          </section>
        </>
      )}
    </Loaded>
  )
}

function All({ address, change }: Filters) {
  const { t } = useTranslation('operator')
  const { t: inbox } = useTranslation('inbox')
  const navigate = useNavigate()
  const { provider = '', requester = '', state = '' } = address
  const states = Object.values(S).filter((s): s is S => typeof s === 'number' && s > 0)
  const chosen = states.find((s) => S[s] === state)
  const query = useInfiniteQuery({
    queryKey: ['share/request/', 'all', provider, requester, state], initialPageParam: '', placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) => rpc(ShareService).listRequests({ provider, requester, states: chosen ? [chosen] : [], after: pageParam, limit: 100 }),
    getNextPageParam: (last) => last.next || undefined,
  })
  const rows = query.data?.pages.flatMap((p) => p.requests)
  const columns = useColumns(rows ?? [])
  return (
    <section className="card" aria-label={t('requests.all')}>
      <div className="filters">
        <Orgs address={address} change={change} />
        <Select style={{ width: 150 }} value={state || undefined} onChange={(v: string | undefined) => change({ state: v ?? '' })} allowClear placeholder={t('requests.any.state')} aria-label={t('requests.any.state')} options={states.map((s) => ({ value: S[s], label: inbox(`state.${S[s]}`) }))} />
      </div>
      {query.isError && !rows ? <Loaded query={query}>{() => null}</Loaded> : (
        <DataTable
          caption={t('requests.all')} columns={columns} rows={rows} rowId={(r) => r.id} onOpen={(r) => void navigate({ to: `/request/${r.id}` })} total={Number(query.data?.pages[0]?.total ?? 0)}
          more={query.hasNextPage ? () => void query.fetchNextPage() : undefined} busy={query.isFetchingNextPage} empty={<Empty text={t(provider || requester || state ? 'requests.noHit' : 'requests.empty')} />}
        />
      )}
    </section>
  )
}

interface Department { org: string; waiting: number; over: number; next: number; standing?: Standing }

/** Departments are those that were asked, with what the ledger noted of their clocks. */
function Departments() {
  const { t } = useTranslation('operator')
  const navigate = useNavigate()
  const at = useTick(60_000)
  const waiting = useQuery({ queryKey: ['share/request/', 'waiting', '', ''], queryFn: () => rpc(ShareService).listRequests({ states: WAITING, limit: 500 }) })
  const standings = useQuery({ queryKey: ['share/standing/', 'all'], queryFn: () => rpc(ShareService).listStandings({ limit: 500 }) })
  const rows = useMemo(() => {
    if (!waiting.data || !standings.data) return undefined
    const by = new Map<string, Department>()
    const of = (org: string) => {
      let d = by.get(org)
      if (!d) by.set(org, (d = { org, waiting: 0, over: 0, next: 0 }))
      return d
    }
    for (const s of standings.data.standings) of(s.org).standing = s
    for (const r of waiting.data.requests) {
      const d = of(r.state === S.INCOMPLETE ? r.requester : r.provider)
      const due = Number(r.clock?.dueMs ?? 0n)
      d.waiting++
      if (due && due <= at && !r.clock?.stoppedMs) d.over++
      if (due && (d.next === 0 || due < d.next)) d.next = due
    }
    return [...by.values()].sort((a, b) => b.over - a.over || (a.next || Infinity) - (b.next || Infinity))
  }, [waiting.data, standings.data, at])
  const name = useNames((rows ?? []).map((d) => account(d.org)))
  const late = (s?: Standing) => (s ? Number(s.lateAnswers + s.lateSupplements + s.lateDeliveries + s.lateCorrections + s.lateRectifications + s.lateDisposals + s.lateObjections + s.lateDisputes) : 0)
  const columns: Column<Department>[] = [
    { id: 'org', title: t('col.org'), card: 'title', show: (d) => name(account(d.org)) },
    { id: 'waiting', title: t('col.waiting'), number: true, sort: (a, b) => a.waiting - b.waiting, show: (d) => amount(d.waiting) },
    { id: 'over', title: t('col.overdue'), number: true, sort: (a, b) => a.over - b.over, show: (d) => amount(d.over) },
    { id: 'next', title: t('col.next'), card: 'end', sort: (a, b) => (a.next || Infinity) - (b.next || Infinity), show: (d) => (d.next ? <Clock dueMs={d.next} totalMs={3 * DAY} /> : '—') },
    { id: 'late', title: t('col.late'), number: true, sort: (a, b) => late(a.standing) - late(b.standing), show: (d) => amount(late(d.standing)) },
    { id: 'score', title: t('col.score'), number: true, show: (d) => (d.standing?.scores ? t('requests.score', { mean: (Number(d.standing.scoreSum) / Number(d.standing.scores)).toFixed(1), n: amount(d.standing.scores) }) : '—') },
  ]
  if (waiting.isError) return <div className="card"><Loaded query={waiting}>{() => null}</Loaded></div>
  if (standings.isError) return <div className="card"><Loaded query={standings}>{() => null}</Loaded></div>
  return (
    <section className="card" aria-label={t('requests.departments')}>
      <DataTable caption={t('requests.departments')} columns={columns} rows={rows} rowId={(d) => d.org} onOpen={(d) => void navigate({ to: '/requests', search: { provider: d.org } as never })} empty={<Empty text={t('requests.empty')} />} />
    </section>
  )
}

function Started({ address, change }: Filters) {
  const { t } = useTranslation('operator')
  const span = useSpan()
  const navigate = useNavigate()
  const n = days(address.days ?? '1')
  const query = useQuery(listStarts(n))
  const rows = query.data?.starts ?? []
  const name = useNames(rows.flatMap((s) => [account(s.agreement!.consumer), account(s.agreement!.provider), ...(s.agreement!.terms?.parts ?? []).map((p) => entry(p.entry))]))
  const took = (s: Start) => Number(s.agreement!.startsMs - s.filedMs)
  const columns: Column<Start>[] = [
    { id: 'what', title: t('col.what'), card: 'title', show: (s) => <span className="two">{s.agreement!.terms?.matter || s.agreement!.terms?.purpose} · {(s.agreement!.terms?.parts ?? []).map((p) => name(entry(p.entry))).join('、')}<small className="mono">{s.agreement!.id}</small></span> },
    { id: 'requester', title: t('col.requester'), show: (s) => name(account(s.agreement!.consumer)) },
    { id: 'provider', title: t('col.provider'), show: (s) => name(account(s.agreement!.provider)) },
    { id: 'took', title: t('col.took'), card: 'end', sort: (a, b) => took(a) - took(b), show: (s) => <span className="two">{span(took(s))}{s.automatic && <small>{t('requests.automatic')}</small>}</span> },
    { id: 'filed', title: t('col.filed'), sort: (a, b) => Number(a.filedMs - b.filedMs), show: (s) => <span className="nowrap">{moment(s.filedMs)}</span> },
    { id: 'started', title: t('col.started'), sort: (a, b) => Number(a.agreement!.startsMs - b.agreement!.startsMs), show: (s) => <span className="nowrap">{moment(s.agreement!.startsMs)}</span> },
  ]
  return (
    <Loaded query={query}>
      {(d) => (
        <section className="card" aria-label={t('requests.started')}>
          <div className="filters"><span>{d.total > 0n ? t('requests.median', { span: span(d.medianMs), n: amount(d.starts.length) }) : t('requests.noStarts')}</span><AsOf height={d.height} timeMs={d.timeMs} /><Period days={n} change={(v) => change({ days: v })} /></div>
          <DataTable caption={t('requests.started')} columns={columns} rows={rows} rowId={(s) => s.agreement!.id} total={Number(d.total)} onOpen={(s) => void navigate({ to: `/request/${s.agreement!.request}` })} empty={<Empty text={t('requests.noStarts')} />} />
        </section>
      )}
    </Loaded>
  )
}
