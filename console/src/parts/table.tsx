// DataTable: rows with a caption, sorting, the keyboard (j k Enter), a card list on small
// screens and windowed rows above 500. Filters and the order live in the address: useAddress.
import { CaretDownOutlined, CaretUpOutlined } from '@ant-design/icons'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Button } from 'antd'
import { memo, type ReactNode, type RefObject, useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { flushSync } from 'react-dom'
import { useTranslation } from 'react-i18next'
import { amount } from '@/chain/words'
import { Bones } from './states'

export interface Column<R> {
  id: string
  title: string
  show: (row: R) => ReactNode
  act?: (row: R) => ReactNode // a button of the row's own, beside what is shown; on a card below it
  sort?: (a: R, b: R) => number
  number?: boolean // right-aligned
  wide?: boolean // of windowed rows, whose columns do not go by what is in them
  card?: 'title' | 'end' | 'meta' | 'none' // where it stands on a card; default meta
}

export interface DataTableProps<R> {
  caption: string
  columns: Column<R>[]
  rows: R[] | undefined // undefined: on their way
  rowId: (row: R) => string
  selected?: string
  onSelect?: (row: R) => void
  onOpen?: (row: R) => void // Enter or a second click
  empty: ReactNode
  total?: number // in all, if more than the rows
  more?: () => void // fetches the next rows
  busy?: boolean
  whole?: boolean // as high as its rows, no scrolling of its own
  endless?: boolean // above 500 in all, more is read as one scrolls; all of it before it is sorted
  failed?: boolean // the last reading of more: the next is asked for by hand
}

const WINDOW = 500
const ROW = 57 // px, of each row that is windowed (.table.many)
const HEAD = 40
const STEP = 10 // rows: the window moves by so many, and not with every pixel
const SHOWN = 60
const AHEAD = 30 // rows before the end at which the next ones are asked for

/** Order is by which column rows stand. */
interface Order { id: string; down: boolean }

/** useSmall is true below 768 px. */
export function useSmall(): boolean {
  const media = useMemo(() => matchMedia('(max-width: 767px)'), [])
  return useSyncExternalStore((l) => { media.addEventListener('change', l); return () => media.removeEventListener('change', l) }, () => media.matches)
}

/** useAddress keeps a page's filters in the address: what is at its first value is not written. */
export function useAddress<T extends Record<string, string>>(first: T): [T, (change: Partial<T>) => void] {
  const search = useSearch({ strict: false }) as Record<string, unknown>
  const navigate = useNavigate()
  const now = { ...first }
  for (const k of Object.keys(first)) if (typeof search[k] === 'string' || typeof search[k] === 'number') (now as Record<string, string>)[k] = String(search[k])
  return [now, (change) => {
    const next: Record<string, string | undefined> = { ...(search as Record<string, string>), ...change }
    for (const k of Object.keys(next)) if (next[k] === first[k] || next[k] === '' || next[k] === undefined) delete next[k]
    const written = Object.fromEntries(Object.entries(next).map(([k, v]) => [k, String(Number(v)) === v ? Number(v) : v])) // a number without quotation marks
    void navigate({ to: '.', search: written as never, replace: true })
  }]
}

/** typing is true while a key belongs to a field or a dialog. */
export function typing(e: KeyboardEvent): boolean {
  const el = e.target as HTMLElement | null
  return e.ctrlKey || e.metaKey || e.altKey || !!el?.closest('input,textarea,select,[contenteditable=true],[role=dialog]')
}

// Where a list stood and which row had the focus, by the place in the browser's history: who
// opened a row and comes back finds it so.
const left = new Map<string, { top: number; row: string }>()
const place = () => String((history.state as { __TSR_key?: string } | null)?.__TSR_key ?? '')

export function DataTable<R>(p: DataTableProps<R>) {
  const { t } = useTranslation('shell')
  const small = useSmall()
  const [address, change] = useAddress({ sort: '' })
  const order: Order | undefined = address.sort ? { id: address.sort.replace(/^-/, ''), down: address.sort.startsWith('-') } : undefined
  const sort = p.columns.find((c) => c.id === order?.id)?.sort
  const part = !!p.endless && !!p.more // what is not all there is not sorted
  const rows = useMemo(() => {
    if (!p.rows || !sort || part) return p.rows
    return [...p.rows].sort((a, b) => (order?.down ? sort(b, a) : sort(a, b)))
  }, [p.rows, sort, order?.down, part])
  const box = useRef<HTMLDivElement>(null)
  const focused = useRef('')
  useRowKeys(rows, p, box, focused)
  useEffect(() => { if (part && sort && !p.busy && !p.failed) p.more?.() })
  if (!rows) return <Bones rows={8} />
  if (rows.length === 0) return <>{p.empty}</>
  const shown = { n: amount(rows.length), total: amount(Math.max(p.total ?? 0, rows.length)) }
  return (
    <>
      {small ? <Cards {...p} rows={rows} /> : <Rows {...p} rows={rows} order={order} setOrder={(o) => change({ sort: o ? (o.down ? '-' : '') + o.id : '' })} box={box} focused={focused} />}
      {(p.more || (p.total ?? 0) > rows.length) && (
        <div className="tablefoot">
          <span role={sort && part ? 'status' : undefined}>{t(sort && part ? 'table.sorting' : 'table.shown', shown)}</span>
          {p.more && <Button loading={p.busy} onClick={p.more}>{t('table.more')}</Button>}
        </div>
      )}
    </>
  )
}

const rowOf = (id: string) => document.querySelector<HTMLElement>(`[data-row="${CSS.escape(id)}"]`)

/** reveal scrolls to a row and gives it the focus, as soon as it is drawn. */
function reveal(box: HTMLDivElement | null, i: number, id: string, tries = 10): void {
  if (box?.classList.contains('many')) {
    const low = HEAD + (i + 1) * ROW - box.clientHeight
    if (i * ROW < box.scrollTop) box.scrollTop = i * ROW
    else if (box.scrollTop < low) box.scrollTop = low
  }
  const row = rowOf(id)
  if (row) row.focus({ preventScroll: !!box?.classList.contains('many') })
  else if (tries > 0) requestAnimationFrame(() => reveal(box, i, id, tries - 1))
}

function useRowKeys<R>(rows: R[] | undefined, p: DataTableProps<R>, box: RefObject<HTMLDivElement | null>, focused: RefObject<string>): void {
  const latest = useRef({ rows, p })
  latest.current = { rows, p }
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const { rows, p } = latest.current
      if (!rows || typing(e) || !(p.onSelect ?? p.onOpen) || (e.key !== 'j' && e.key !== 'k')) return
      const now = p.onSelect ? p.selected : focused.current
      const at = rows.findIndex((r) => p.rowId(r) === now)
      const i = Math.min(rows.length - 1, Math.max(0, at + (e.key === 'j' ? 1 : -1)))
      const next = rows[i]
      if (next) {
        e.preventDefault()
        p.onSelect?.(next)
        focused.current = p.rowId(next)
        reveal(box.current, i, p.rowId(next))
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}

interface RowsProps<R> extends DataTableProps<R> {
  rows: R[]
  order?: Order
  setOrder: (o: Order | undefined) => void
  box: RefObject<HTMLDivElement | null>
  focused: RefObject<string>
}

function Rows<R>(p: RowsProps<R>) {
  const { box, focused } = p
  const [first, setFirst] = useState(0) // row at the top, in steps
  const all = p.endless && p.more ? Math.max(p.total ?? 0, p.rows.length) : p.rows.length
  const many = all > WINDOW
  const from = many ? Math.min(Math.max(0, first - STEP), Math.max(0, all - SHOWN)) : 0
  const to = many ? Math.min(all, from + SHOWN) : p.rows.length
  useEffect(() => { if (many && p.endless && !p.busy && !p.failed && to + AHEAD > p.rows.length) p.more?.() })
  const key = useRef(place())
  useLayoutEffect(() => {
    const was = left.get(key.current)
    left.delete(key.current)
    const el = box.current
    if (was && el) {
      el.scrollTop = was.top
      focused.current = was.row
      requestAnimationFrame(() => rowOf(was.row)?.focus({ preventScroll: true }))
    }
    return () => { if (el?.scrollTop || focused.current) left.set(key.current, { top: el?.scrollTop ?? 0, row: focused.current }) }
  }, [])
  useEffect(() => { key.current = place() })
  const latest = useRef(p)
  latest.current = p
  const picks = !!(p.onSelect ?? p.onOpen)
  return (
    <div
      className={many ? 'table many' : p.whole ? 'table whole' : 'table'} ref={box} tabIndex={p.onSelect || p.onOpen ? -1 : 0}
      onScroll={many ? (e) => {
        const next = Math.floor(e.currentTarget.scrollTop / ROW / STEP) * STEP
        if (next !== first) flushSync(() => setFirst(next)) // before this frame is drawn: else it is empty
      } : undefined}
    >
      <table aria-rowcount={all + 1}>
        <caption>{p.caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {p.columns.map((c) => (
              <th key={c.id} scope="col" className={c.number ? 'num' : c.wide ? 'wide' : undefined} aria-sort={c.sort && p.order?.id === c.id ? (p.order.down ? 'descending' : 'ascending') : undefined}>
                {c.sort ? (
                  <button type="button" onClick={() => p.setOrder(p.order?.id !== c.id ? { id: c.id, down: false } : p.order.down ? undefined : { id: c.id, down: true })}>
                    {c.title}{p.order?.id === c.id && (p.order.down ? <CaretDownOutlined /> : <CaretUpOutlined />)}
                  </button>
                ) : c.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {from > 0 && <tr aria-hidden><td colSpan={p.columns.length} style={{ height: from * ROW }} /></tr>}
          {p.rows.slice(from, to).map((r, i) => {
            const id = p.rowId(r)
            return <Line key={id} id={id} row={r} index={from + i} columns={p.columns as Column<unknown>[]} picks={picks} selected={p.onSelect ? p.selected === id : undefined} latest={latest} />
          })}
          {Array.from({ length: Math.max(0, to - Math.max(from, p.rows.length)) }, (_, i) => <tr key={i} aria-hidden><td colSpan={p.columns.length}>…</td></tr>)}
          {to < all && <tr aria-hidden><td colSpan={p.columns.length} style={{ height: (all - to) * ROW }} /></tr>}
        </tbody>
      </table>
    </div>
  )
}

// Line is one row; it is drawn again when it or its columns change, and not with each step of the window.
const Line = memo(function Line<R>({ id, row, index, columns, picks, selected, latest }: { id: string; row: R; index: number; columns: Column<R>[]; picks: boolean; selected?: boolean; latest: RefObject<RowsProps<R>> }) {
  const pick = (r: R) => (latest.current.onSelect ?? latest.current.onOpen)?.(r)
  return (
    <tr
      aria-rowindex={index + 2} data-row={picks ? id : undefined} tabIndex={picks ? 0 : undefined} aria-selected={selected}
      onClick={() => pick(row)} onDoubleClick={() => latest.current.onOpen?.(row)} onFocus={() => { latest.current.focused.current = id }}
      onKeyDown={(e) => { if (e.key === 'Enter' && e.target === e.currentTarget) (latest.current.onOpen ?? latest.current.onSelect)?.(row) }}
    >
      {columns.map((c) => <td key={c.id} className={c.number ? 'num' : undefined}>{c.act ? <span className="actions">{c.show(row)}{c.act(row)}</span> : c.show(row)}</td>)}
    </tr>
  )
}) as <R>(p: { id: string; row: R; index: number; columns: Column<unknown>[]; picks: boolean; selected?: boolean; latest: RefObject<RowsProps<R>> }) => ReactNode

function Cards<R>(p: DataTableProps<R> & { rows: R[] }) {
  const { t } = useTranslation('shell')
  const [shown, setShown] = useState(100)
  const at = (place: Column<R>['card']) => p.columns.filter((c) => (c.card ?? 'meta') === place)
  return (
    <>
      <ul className="cards" aria-label={p.caption}>
        {p.rows.slice(0, shown).map((r) => (
          <li key={p.rowId(r)} aria-current={p.selected === p.rowId(r) || undefined}>
            <Card pick={p.onSelect ?? p.onOpen} row={r}>
              <span className="titles">{at('title').map((c) => <span key={c.id}>{c.show(r)}</span>)}<span className="end">{at('end').map((c) => <span key={c.id}>{c.show(r)}</span>)}</span></span>
              <span className="meta">{at('meta').map((c) => <span key={c.id}>{c.show(r)}</span>)}</span>
            </Card>
            {p.columns.map((c) => c.act && <div key={c.id} className="act">{c.act(r)}</div>)}
          </li>
        ))}
      </ul>
      {p.rows.length > shown && <div className="tablefoot"><Button onClick={() => setShown(shown + 100)}>{t('table.more')}</Button></div>}
    </>
  )
}

/** Card is a button where there is something to open; its links are its own where there is not. */
function Card<R>({ pick, row, children }: { pick?: (row: R) => void; row: R; children: ReactNode }) {
  return pick ? <button type="button" className="item" onClick={() => pick(row)}>{children}</button> : <div className="item">{children}</div>
}
