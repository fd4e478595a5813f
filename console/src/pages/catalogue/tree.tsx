// My duties and the entries that rest on each, with their locks.
import { CaretDownOutlined, CaretRightOutlined } from '@ant-design/icons'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type Duty, type Entry, EntryState as S, ShareTypeSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { duty, entry } from '@/chain/names'
import { pathOf } from '@/chain/paths'
import { amount, date } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { useAddress, useSmall } from '@/parts/table'
import { listDuties, listEntries } from './reads'
import { EntryState, LockState, own, useValue } from './words'

const views = ['all', 'locked', 'unlocked', 'drifted', 'waiting', 'withdrawn'] as const
type View = (typeof views)[number]

function holds(view: View, e: Entry): boolean {
  switch (view) {
    case 'all': return e.state !== S.WITHDRAWN
    case 'locked': return !!e.lock
    case 'unlocked': return !e.lock && e.state !== S.WITHDRAWN
    case 'drifted': return e.state === S.DRIFTED
    case 'waiting': return e.state === S.UPDATING || e.state === S.SUBMITTED || e.state === S.RETURNED
    case 'withdrawn': return e.state === S.WITHDRAWN
  }
}

/** Tree shows an organisation's duties, each with its entries. */
export function Tree({ org }: { org: string }) {
  const { t } = useTranslation('catalogue')
  const [address, change] = useAddress({ lock: 'all' })
  const view = (views.includes(address.lock as View) ? address.lock : 'all') as View
  const duties = useQuery(listDuties(org))
  const entries = useQuery(listEntries({ provider: org }))
  const all = entries.data?.entries ?? []
  const missing = Number(entries.data?.total ?? 0) - all.length
  return (
    <section className="card" aria-label={t('tab.mine')}>
      <header>
        <nav className="chips" aria-label={t('tree.views')}>
          {views.map((v) => {
            const n = all.filter((e) => holds(v, e)).length
            return (n > 0 || v === 'all' || v === view) && <button key={v} type="button" className="chip" aria-pressed={v === view} onClick={() => change({ lock: v })}>{t(`tree.view.${v}`)} {amount(n)}</button>
          })}
        </nav>
      </header>
      <Loaded query={duties}>{(d) => (
        <Loaded query={entries}>{() => d.duties.length === 0 ? <Empty text={t('tree.empty')} /> : <Rows duties={d.duties} entries={all.filter((e) => holds(view, e))} whole={view === 'all'} />}</Loaded>
      )}</Loaded>
      {missing > 0 && <p className="tablefoot">{t('tree.more', { n: amount(missing) })} <Link to={'/catalogue' as never} search={{ tab: 'all', org } as never}>{t('tab.all')}</Link></p>}
    </section>
  )
}

function Rows({ duties, entries, whole }: { duties: Duty[]; entries: Entry[]; whole: boolean }) {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const small = useSmall()
  const [shut, setShut] = useState<ReadonlySet<string>>(new Set())
  const of = useMemo(() => new Map(duties.map((d) => [d.id, entries.filter((e) => e.duties.includes(d.id))])), [duties, entries])
  const shown = whole ? duties : duties.filter((d) => of.get(d.id)!.length > 0)
  if (shown.length === 0) return <Empty text={t('tree.none')} />
  const toggle = (id: string) => setShut((was) => { const next = new Set(was); if (!next.delete(id)) next.add(id); return next })
  return (
    <div className="table whole" tabIndex={0} role="region" aria-label={t('tree.caption')}>
      <table>
        <caption>{t('tree.caption')}</caption>
        <thead><tr>
          <th scope="col">{t('col.name')}</th><th scope="col">{t('col.lock')}</th>{!small && <><th scope="col">{t('col.state')}</th><th scope="col">{t('col.share')}</th><th scope="col" className="num">{t('col.items')}</th><th scope="col">{t('col.table')}</th><th scope="col">{t('col.updated')}</th></>}
        </tr></thead>
        {shown.map((d) => {
          const mine = of.get(d.id)!
          const open = !shut.has(d.id)
          return (
            <tbody key={d.id}>
              <tr className="branch">
                <th scope="rowgroup" colSpan={small ? 2 : 7}>
                  <button type="button" aria-expanded={open} aria-label={t(open ? 'tree.close' : 'tree.open', { what: d.title })} onClick={() => toggle(d.id)}>{open ? <CaretDownOutlined /> : <CaretRightOutlined />}</button>
                  <Link to={pathOf(duty(d.id))}>{d.title}</Link> <span className="second">{own(d.id)} · {t('tree.count', { n: mine.length })}{d.retired && ` · ${t('duty.retired')}`}</span>
                </th>
              </tr>
              {open && mine.map((e) => (
                <tr key={e.id}>
                  <td className="leaf"><span className="two"><Link to={pathOf(entry(e.id))}>{e.name}</Link><small className="mono">{own(e.id)} · v{String(e.version)}</small></span></td>
                  <td><LockState entry={e} /></td>
                  {!small && <>
                    <td><EntryState state={e.state} /></td><td>{value(ShareTypeSchema, e.shareType)}</td><td className="num">{amount(e.items.length)}</td>
                    <td>{e.table ? <Link to={pathOf(`catalogue/table/${e.table}`)}>{own(e.table)}</Link> : <span className="second">{t('noTable')}</span>}</td><td className="nowrap">{date(e.updatedMs)}</td>
                  </>}
                </tr>
              ))}
            </tbody>
          )
        })}
      </table>
    </div>
  )
}
