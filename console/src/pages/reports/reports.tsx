// /reports: what happened in a month, by organisation. Each number opens the events that it
// counts, on the same page: /reports?month=2026-11&figure=1&org=CODE.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button } from 'antd'
import { useTranslation } from 'react-i18next'
import { type OrgReport, OverviewService, type ReportCount, ReportFigure as F, type ReportTitle } from '@/gen/mulian/console/v1/overview_pb'
import type { TraceStep } from '@/gen/mulian/trace/v1/query_pb'
import { account, useNames } from '@/chain/names'
import { pathOf, pathOfTrace } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Empty, Loaded, Trouble } from '@/parts/states'
import { type Column, DataTable, useAddress, useSmall } from '@/parts/table'
import { useWho } from '@/shell/who'
import { moved } from './month'

// The columns that are seen together: the first and the last figure of each.
const groups = {
  share: [F.REQUESTS_RECEIVED, F.REQUESTS_FILED], agreement: [F.AGREEMENTS_BEGUN, F.USES],
  catalogue: [F.ENTRIES_SUBMITTED, F.DRIFTS_SETTLED], quarrel: [F.OBJECTIONS_RECEIVED, F.VOTES],
} as const
type Group = keyof typeof groups

const HOUR_MS = 3_600_000
const LINES = 50

const of = (counts: ReportCount[], f: F): bigint => counts.find((c) => c.figure === f)?.n ?? 0n

export default function Reports() {
  const { t, i18n } = useTranslation('reports')
  const navigate = useNavigate()
  const { signer } = useWho()
  const small = useSmall()
  const [address, change] = useAddress({ month: '', group: 'share', figure: '', org: '' })
  const query = useQuery({ queryKey: ['report', address.month], refetchInterval: 30_000, queryFn: () => rpc(OverviewService).getReport({ month: address.month }) })
  const month = query.data?.month ?? address.month
  const go = (by: number) => change({ month: moved(month, by), figure: '', org: '' })
  const group = (address.group in groups ? address.group : 'share') as Group
  const figure = Number(address.figure) as F
  return (
    <>
      <div className="titles">
        <h1>{month ? t('title', { month }) : t('menu')}</h1>
        <span className="end">
          <Button size="small" aria-label={t('before')} disabled={!month} onClick={() => go(-1)}>‹</Button>
          <label className="day">{t('month')} <input type="month" value={month} onChange={(e) => { if (/^\d{4}-\d\d$/.test(e.target.value)) change({ month: e.target.value, figure: '', org: '' }) }} /></label>
          <Button size="small" aria-label={t('after')} disabled={!query.data || query.data.running} onClick={() => go(1)}>›</Button>
          {query.data && <Button type="primary" data-testid="export" href={`/api/report/${month}.xlsx?lang=${i18n.language}`} download={`mulian-report-${month}.xlsx`}>{t('export')}</Button>}
        </span>
      </div>
      <p className="second">{t('text')} {query.data?.running && t('running', { height: amount(query.data.height) })}</p>
      <Loaded query={query} rows={8}>
        {(d) => {
          if (d.orgs.length === 0) return <div className="card"><Empty text={t('none')} /></div>
          const title = (f: F): ReportTitle | undefined => d.titles.find((x) => x.figure === f)
          if (title(figure)) return <Listed title={title(figure)!} month={d.month} org={address.org} back={() => change({ figure: '', org: '' })} />
          const [from, to] = groups[group]
          const shown = d.titles.filter((x) => x.figure >= from && x.figure <= to && of(d.sum, x.figure) > 0n)
          const value = (counts: ReportCount[], f: F) => (f === F.ANSWER_MEDIAN_MS ? (Number(of(counts, f)) / HOUR_MS).toFixed(2) : amount(of(counts, f)))
          const rows = d.orgs.filter((o) => shown.some((x) => of(o.counts, x.figure) > 0n)).sort((a, b) => Number(b.org === signer?.org) - Number(a.org === signer?.org)) // the own one first
          const columns: Column<OrgReport>[] = [
            { id: 'org', title: t('col.org'), card: 'title', sort: (a, b) => a.name.localeCompare(b.name), show: (o) => <span className="two">{o.name || o.org}{o.org === signer?.org && ` · ${t('own')}`}<small className="mono">{o.org}</small></span> },
            ...shown.map((x): Column<OrgReport> => ({
              id: F[x.figure]!.toLowerCase(), title: x.title, number: true, sort: (a, b) => Number(of(a.counts, x.figure) - of(b.counts, x.figure)),
              card: 'none', show: (o) => (of(o.counts, x.figure) === 0n ? '—' : null),
              act: (o) => (of(o.counts, x.figure) === 0n ? null : <Link className={small ? 'chip' : 'nowrap'} to="/reports" search={{ month: d.month, group, figure: x.figure, org: o.org } as never} aria-label={`${o.name || o.org}, ${x.title}: ${value(o.counts, x.figure)}`} onClick={(e) => e.stopPropagation()}>{small ? `${x.title} ${value(o.counts, x.figure)}` : value(o.counts, x.figure)}</Link>),
            })),
          ]
          return (
            <>
              <nav className="chips" aria-label={t('groups')}>{(Object.keys(groups) as Group[]).map((g) => <button key={g} type="button" className="chip" aria-pressed={g === group} onClick={() => change({ group: g })}>{t(`group.${g}`)}</button>)}</nav>
              {shown.length === 0 ? <div className="card"><Empty text={t('noneHere')} /></div> : (
                <>
                  <section className="figures" aria-label={t('all')}>
                    {shown.map((x) => <Link key={x.figure} className="figure card" title={x.text} to="/reports" search={{ month: d.month, group, figure: x.figure } as never}><span>{x.title}</span><b>{value(d.sum, x.figure)}</b></Link>)}
                  </section>
                  <section className="card" aria-label={t('org')}>
                    <header><h2>{t('orgs', { n: amount(rows.length) })}</h2></header>
                    <DataTable caption={t('title', { month: d.month })} columns={columns} rows={rows} rowId={(o) => o.org} onOpen={(o) => void navigate({ to: pathOf(account(o.org)) })} whole empty={<Empty text={t('noneHere')} />} />
                  </section>
                </>
              )}
            </>
          )
        }}
      </Loaded>
    </>
  )
}

/** Listed are the events that a number counts. */
function Listed({ title, month, org, back }: { title: ReportTitle; month: string; org: string; back: () => void }) {
  const { t } = useTranslation('reports')
  const navigate = useNavigate()
  const list = useInfiniteQuery({
    queryKey: ['report', 'list', month, org, title.figure], initialPageParam: 0n,
    queryFn: ({ pageParam }) => rpc(OverviewService).listReported({ month, org, figure: title.figure, below: pageParam, limit: LINES }),
    getNextPageParam: (last) => (last.next > 0n ? last.next : undefined),
  })
  const rows = list.data?.pages.flatMap((p) => p.steps)
  const name = useNames([...(rows ?? []).map((s) => account(s.event!.actor)), ...(org ? [account(org)] : [])])
  const columns: Column<TraceStep>[] = [
    { id: 'time', title: t('col.time'), show: (s) => <span className="two nowrap">{exact(s.event!.timeMs)}<small>{t('height', { height: amount(s.event!.height) })}</small></span> },
    { id: 'what', title: t('col.what'), card: 'title', show: (s) => s.title },
    { id: 'who', title: t('col.who'), show: (s) => (s.event!.actor ? name(account(s.event!.actor)) || s.event!.actor : t('ledger')) },
  ]
  return (
    <section className="card" aria-label={title.title}>
      <header>
        <h2>{t('listed', { title: title.title, who: org ? name(account(org)) || org : t('all'), month })}</h2>
        <span className="end"><Button size="small" data-testid="back" onClick={back}>{t('back')}</Button></span>
      </header>
      <p className="body second">{title.text}</p>
      {list.isError && !rows ? <Trouble error={list.error} retry={() => void list.refetch()} /> : (
        <DataTable caption={title.title} columns={columns} rows={rows} rowId={(s) => String(s.seq)} onOpen={(s) => void navigate({ to: pathOfTrace(s.event!.objects[0] ?? '') })} whole empty={<Empty text={t('empty')} />} />
      )}
      {list.hasNextPage && <p className="tablefoot"><Button loading={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>{t('older')}</Button></p>}
    </section>
  )
}
