// DataTable: rows with a caption, sorting, the keyboard (j k Enter), a card list on small
// screens and windowed rows above 500. Filters live in the address: useAddress.
import { CaretDownOutlined, CaretUpOutlined } from '@ant-design/icons'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Button } from 'antd'
import { type ReactNode, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'
import { amount } from '@/chain/words'
import { Bones } from './states'

export interface Column<R> {
  id: string
  title: string
  show: (row: R) => ReactNode
  sort?: (a: R, b: R) => number
  number?: boolean // right-aligned
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
}

const WINDOW = 500
const ROW = 57

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

export function DataTable<R>(p: DataTableProps<R>) {
  const { t } = useTranslation('shell')
  const small = useSmall()
  const [order, setOrder] = useState<{ id: string; down: boolean }>()
  const rows = useMemo(() => {
    const sort = p.columns.find((c) => c.id === order?.id)?.sort
    if (!p.rows || !sort || !order) return p.rows
    return [...p.rows].sort((a, b) => (order.down ? sort(b, a) : sort(a, b)))
  }, [p.rows, p.columns, order])
  useRowKeys(rows, p)
  if (!rows) return <Bones rows={8} />
  if (rows.length === 0) return <>{p.empty}</>
  return (
    <>
      {small ? <Cards {...p} rows={rows} /> : <Rows {...p} rows={rows} order={order} setOrder={setOrder} />}
      {(p.more || (p.total ?? 0) > rows.length) && (
        <div className="tablefoot">
          <span>{t('table.shown', { n: amount(rows.length), total: amount(p.total ?? rows.length) })}</span>
          {p.more && <Button loading={p.busy} onClick={p.more}>{t('table.more')}</Button>}
        </div>
      )}
    </>
  )
}

function useRowKeys<R>(rows: R[] | undefined, p: DataTableProps<R>): void {
  const latest = useRef({ rows, p })
  latest.current = { rows, p }
  useEffect(() => {
    const press = (e: KeyboardEvent) => {
      const { rows, p } = latest.current
      if (!rows || typing(e) || !p.onSelect || (e.key !== 'j' && e.key !== 'k')) return
      const at = rows.findIndex((r) => p.rowId(r) === p.selected)
      const next = rows[Math.min(rows.length - 1, Math.max(0, at + (e.key === 'j' ? 1 : -1)))]
      if (next) {
        e.preventDefault()
        p.onSelect(next)
        document.querySelector<HTMLElement>(`[data-row="${CSS.escape(p.rowId(next))}"]`)?.focus()
      }
    }
    addEventListener('keydown', press)
    return () => removeEventListener('keydown', press)
  }, [])
}

interface RowsProps<R> extends DataTableProps<R> {
  rows: R[]
  order?: { id: string; down: boolean }
  setOrder: (o: { id: string; down: boolean } | undefined) => void
}

function Rows<R>(p: RowsProps<R>) {
  const box = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  const many = p.rows.length > WINDOW
  const from = many ? Math.max(0, Math.floor(top / ROW) - 20) : 0
  const to = many ? Math.min(p.rows.length, from + 80) : p.rows.length
  return (
    <div className={p.whole && !many ? 'table whole' : 'table'} ref={box} tabIndex={p.onSelect || p.onOpen ? -1 : 0} onScroll={many ? (e) => setTop(e.currentTarget.scrollTop) : undefined}>
      <table aria-rowcount={p.rows.length + 1}>
        <caption>{p.caption}</caption>
        <thead>
          <tr aria-rowindex={1}>
            {p.columns.map((c) => (
              <th key={c.id} scope="col" className={c.number ? 'num' : undefined} aria-sort={p.order?.id === c.id ? (p.order.down ? 'descending' : 'ascending') : undefined}>
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
          {from > 0 && <tr aria-hidden><td colSpan={p.columns.length} height={from * ROW} /></tr>}
          {p.rows.slice(from, to).map((r, i) => {
            const id = p.rowId(r)
            const pick = p.onSelect ?? p.onOpen
            return (
              <tr
                key={id} aria-rowindex={from + i + 2} data-row={pick ? id : undefined} tabIndex={pick ? 0 : undefined}
                aria-selected={p.onSelect ? p.selected === id : undefined}
                onClick={() => pick?.(r)} onDoubleClick={() => p.onOpen?.(r)}
                onKeyDown={(e) => { if (e.key === 'Enter' && e.target === e.currentTarget) (p.onOpen ?? p.onSelect)?.(r) }}
              >
                {p.columns.map((c) => <td key={c.id} className={c.number ? 'num' : undefined}>{c.show(r)}</td>)}
              </tr>
            )
          })}
          {to < p.rows.length && <tr aria-hidden><td colSpan={p.columns.length} height={(p.rows.length - to) * ROW} /></tr>}
        </tbody>
      </table>
    </div>
  )
}

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
