// The catalogue as a map: departments by kinds of power, each cell in the colour of the worst
// that is in it. A cell opens the duties that it counts, as a table or a net of at most 60 nodes.
import { keepPreviousData, useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useMemo, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { EntryState, PowerType } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { type Coverage, type CoveredDuty, OverviewService } from '@/gen/mulian/console/v1/overview_pb'
import { duty, entry } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount } from '@/chain/words'
import { State } from '@/parts/object'
import { Bones, Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { AsOf, Seen } from './parts'

const Net = lazy(() => import('./net'))

const KINDS = ['drifted', 'missing', 'open', 'locked'] as const
type Kind = (typeof KINDS)[number]
const open = (c: Coverage) => c.entries - c.locked - c.drifted
const count = (c: Coverage, k: Kind): bigint => (k === 'open' ? open(c) : c[k])
const worst = (c: Coverage): Kind => KINDS.find((k) => count(c, k) > 0n) ?? 'open'

/** holds tells whether a duty is one of those that a colour counts. */
const holds = (d: CoveredDuty, k: Kind): boolean => {
  const drifted = (s: EntryState) => s === EntryState.DRIFTED
  if (k === 'missing') return d.entriesTotal === 0n
  return d.entries.some((e) => (k === 'drifted' ? drifted(e.state) : !drifted(e.state) && e.locked === (k === 'locked')))
}

export default function CatalogueMap() {
  const { t } = useTranslation('operator')
  const [address, change] = useAddress({ org: '', power: '', what: '' })
  const query = useQuery({ queryKey: ['catalogue/', 'coverage'], placeholderData: keepPreviousData, queryFn: () => rpc(OverviewService).getCoverage({}) })
  const what = KINDS.find((k) => k === address.what)
  const power = Number(address.power) as PowerType
  const list = (org: string, p: PowerType | 0) => change({ org, power: p ? String(p) : '' })
  return (
    <>
      <div className="titles"><h1>{t('menu.map')}</h1><span className="end">{query.data && <AsOf height={query.data.height} timeMs={query.data.timeMs} />}</span></div>
      <Loaded query={query}>
        {(d) => (
          <>
            <section className="card" aria-label={t('map.matrix')}>
              <header>
                <h2>{t('map.matrix')}</h2>
                <span className="end legend" role="group" aria-label={t('map.legend')}>
                  {KINDS.map((k) => <button key={k} type="button" className={k} aria-pressed={what === k} onClick={() => change({ what: what === k ? '' : k })}>{t(`map.${k}`)} {amount(d.cells.reduce((n, c) => n + count(c, k), 0n))}</button>)}
                </span>
              </header>
              <div className="body"><Matrix cells={d.cells} what={what} org={address.org} power={power} pick={list} /></div>
            </section>
            {address.org !== '' && <Cell key={`${address.org} ${power}`} org={address.org} name={d.cells.find((c) => c.org === address.org)?.orgName ?? address.org} power={power} what={what} />}
          </>
        )}
      </Loaded>
    </>
  )
}

interface MatrixProps { cells: Coverage[]; what?: Kind; org: string; power: PowerType; pick: (org: string, power: PowerType | 0) => void }

function Matrix({ cells, what, org, power, pick }: MatrixProps) {
  const { t } = useTranslation('operator')
  const { orgs, powers, at } = useMemo(() => {
    const shown = what ? cells.filter((c) => count(c, what) > 0n) : cells
    const at = new Map(shown.map((c) => [`${c.org} ${c.power}`, c]))
    const orgs = [...new Map(shown.map((c) => [c.org, c.orgName]))].sort((a, b) => a[1].localeCompare(b[1], 'zh'))
    return { at, orgs, powers: [...new Set(shown.map((c) => c.power))].sort((a, b) => a - b) }
  }, [cells, what])
  if (orgs.length === 0) return <Empty text={t(what ? 'map.noHit' : 'map.empty')} />
  return (
    <div className={org ? 'matrix low' : 'matrix'} tabIndex={0} role="region" aria-label={t('map.caption')}>
      <table>
        <caption className="away">{t('map.caption')}</caption>
        <thead><tr><th scope="col">{t('col.org')}</th>{powers.map((p) => <th key={p} scope="col">{t(`power.${PowerType[p]}`)}</th>)}</tr></thead>
        <tbody>
          {orgs.map(([id, name]) => (
            <tr key={id}>
              <th scope="row"><button type="button" className="plain" onClick={() => pick(id, 0)}>{name}</button></th>
              {powers.map((p) => {
                const c = at.get(`${id} ${p}`)
                if (!c) return <td key={p} />
                const kind = what ?? worst(c)
                const told = t('map.cell', { org: name, power: t(`power.${PowerType[p]}`), duties: amount(c.duties), locked: amount(c.locked), open: amount(open(c)), missing: amount(c.missing), drifted: amount(c.drifted) })
                const mark = t(`map.mark.${kind}`, { n: amount(count(c, kind)) })
                return <td key={p}><button type="button" className={kind} title={told} aria-label={`${mark}: ${told}`} aria-pressed={org === id && power === p} onClick={() => pick(id, p)}>{mark}</button></td>
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

const tones = { [EntryState.UNSPECIFIED]: 'grey', [EntryState.SUBMITTED]: 'blue', [EntryState.RETURNED]: 'amber', [EntryState.PUBLISHED]: 'green', [EntryState.UPDATING]: 'blue', [EntryState.DRIFTED]: 'red', [EntryState.SUSPENDED]: 'red', [EntryState.WITHDRAWN]: 'grey' } as const

/** Cell are the duties that a cell of the matrix counts. */
function Cell({ org, name, power, what }: { org: string; name: string; power: PowerType; what?: Kind }) {
  const { t } = useTranslation('operator')
  const navigate = useNavigate()
  const top = useRef<HTMLDivElement>(null)
  const query = useInfiniteQuery({
    queryKey: ['catalogue/', 'covered', org, power], initialPageParam: '', placeholderData: keepPreviousData,
    queryFn: ({ pageParam }) => rpc(OverviewService).listCovered({ org, power, after: pageParam, limit: 200 }),
    getNextPageParam: (last) => last.next || undefined,
  })
  const all = query.data?.pages.flatMap((p) => p.duties)
  const rows = what ? all?.filter((d) => holds(d, what)) : all
  const columns: Column<CoveredDuty>[] = [
    { id: 'duty', title: t('col.duty'), card: 'title', show: (d) => <span className="two"><Link to={pathOf(duty(d.duty!.id))}>{d.duty!.title}</Link><small className="mono">{d.duty!.id}</small></span> },
    { id: 'power', title: t('col.kind'), show: (d) => t(`power.${PowerType[d.duty!.powerType]}`) },
    {
      id: 'entries', title: t('col.entries'), show: (d) => (d.entriesTotal === 0n ? <State words={t('map.missing')} tone="amber" /> : (
        <span className="two">{d.entries.map((e) => <span key={e.id}><Link to={pathOf(entry(e.id))}>{e.name}</Link> <State words={t(`entryState.${EntryState[e.state]}`)} tone={tones[e.state]} />{e.locked && <> <State words={t('map.locked')} tone="green" /></>}</span>)}{Number(d.entriesTotal) > d.entries.length && <small>{t('map.more', { n: amount(Number(d.entriesTotal) - d.entries.length) })}</small>}</span>
      )),
    },
  ]
  const title = power ? t('map.title', { org: name, power: t(`power.${PowerType[power]}`) }) : name
  const there = rows !== undefined
  useEffect(() => { if (there) top.current?.scrollIntoView({ block: 'nearest' }) }, [there])
  if (query.isError && !all) return <div className="card"><Loaded query={query}>{() => null}</Loaded></div>
  return (
    <div ref={top}><Seen
      title={what ? `${title} · ${t(`map.only.${what}`)}` : title} first="table"
      end={<Link to="/catalogue" search={{ tab: 'all', kind: 'entry', org } as never}>{t('map.list')}</Link>}
      picture={<Suspense fallback={<Bones />}>{rows && <Net org={name} duties={rows} pick={(to) => void navigate({ to })} />}</Suspense>}
      table={<DataTable whole caption={title} columns={columns} rows={rows} rowId={(d) => d.duty!.id} total={what ? undefined : Number(query.data?.pages[0]?.total ?? 0)} more={query.hasNextPage ? () => void query.fetchNextPage() : undefined} busy={query.isFetchingNextPage} empty={<Empty text={t('map.noHit')} />} />}
    /></div>
  )
}
