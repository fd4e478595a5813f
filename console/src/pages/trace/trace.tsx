// What happened on the ledger, newest first: one search that leads to the trace of a thing,
// and filters by who, what and when. Each line leads to the trace of what it is about.
import { SearchOutlined } from '@ant-design/icons'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Button, Checkbox, Input } from 'antd'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { ConsoleService } from '@/gen/mulian/console/v1/query_pb'
import type { TraceStep } from '@/gen/mulian/trace/v1/query_pb'
import { account, useNames } from '@/chain/names'
import { pathOfTrace } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount, exact } from '@/chain/words'
import { Empty, Loaded } from '@/parts/states'
import { type Column, DataTable, useAddress } from '@/parts/table'
import { stageOf } from './stages'

const HOURS = 3600_000
/** day is the first moment of a day in UTC+8; 0 for none. */
export const day = (text: string, after = 0): number => (/^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T00:00:00Z`) - 8 * HOURS + after * 24 * HOURS : 0)

/** SearchBox takes any id; Enter leads to its trace. */
export function SearchBox({ first = '' }: { first?: string }) {
  const { t } = useTranslation('trace')
  const navigate = useNavigate()
  const [text, setText] = useState(first)
  const [none, setNone] = useState('')
  const go = async () => {
    const asked = text.trim()
    if (!asked) return
    const { hits } = await rpc(ConsoleService).find({ text: asked, limit: 1 })
    const hit = hits.find((h) => !h.key.startsWith('block/'))
    if (!hit) { setNone(asked); return }
    setNone('')
    void navigate({ to: pathOfTrace(hit.key) })
  }
  return (
    <form role="search" aria-label={t('searchForm')} onSubmit={(e) => { e.preventDefault(); void go() }}>
      <Input.Search
        aria-label={t('search')} placeholder={t('search')} value={text} maxLength={200} style={{ maxWidth: 560 }} enterButton={<SearchOutlined aria-label={t('go')} />}
        onChange={(e) => setText(e.target.value)} onSearch={() => void go()}
      />
      {none && <p role="status" className="note amber">{t('none', { text: none })}</p>}
    </form>
  )
}

export default function Trace() {
  const { t } = useTranslation('trace')
  const navigate = useNavigate()
  const [address, change] = useAddress({ actor: '', object: '', from: '', to: '', anchors: '' })
  const events = useInfiniteQuery({
    queryKey: ['block', 'events', address.actor, address.object, address.from, address.to, address.anchors], initialPageParam: 0n,
    queryFn: ({ pageParam }) => rpc(ConsoleService).listEvents({
      below: pageParam, limit: 50, actor: address.actor, object: address.object, fromMs: BigInt(day(address.from)), toMs: BigInt(day(address.to, 1)), anchors: address.anchors !== '',
    }),
    getNextPageParam: (last) => (last.next > 0n ? last.next : undefined),
  })
  const all = events.data?.pages.flatMap((p) => p.steps)
  // What has happened since waits above the list until it is asked for: else the row that
  // somebody is about to click moves away under his pointer.
  const filters = Object.values(address).join('\n')
  const [seen, setSeen] = useState<{ filters: string; top: bigint }>()
  const latest = all?.[0]?.seq
  if (latest !== undefined && seen?.filters !== filters) setSeen({ filters, top: latest })
  const older = all?.filter((s) => seen?.filters !== filters || s.seq <= seen.top)
  const rows = older?.length === 0 ? all : older
  const newer = (all?.length ?? 0) - (rows?.length ?? 0)
  const name = useNames([...(rows ?? []).map((s) => account(s.event!.actor)), ...(address.actor ? [account(address.actor)] : []), ...(address.object ? [address.object] : [])])
  const filtered = [address.actor, address.object, address.from, address.to].some(Boolean)
  const columns: Column<TraceStep>[] = [
    { id: 'time', title: t('col.time'), show: (s) => <span className="two nowrap">{exact(s.event!.timeMs)}<small>{t('height', { height: amount(s.event!.height) })}</small></span> },
    { id: 'stage', title: t('col.stage'), card: 'end', show: (s) => <span className="pill square grey">{t(`stages.${stageOf(s.event!.verb)}`)}</span> },
    { id: 'what', title: t('col.what'), card: 'title', show: (s) => s.title },
    { id: 'who', title: t('col.who'), show: (s) => (s.event!.actor ? name(account(s.event!.actor)) || s.event!.actor : t('ledger')) },
  ]
  return (
    <>
      <div className="titles"><h1>{t('title')}</h1></div>
      <SearchBox />
      <section className="card" aria-label={t('recent')}>
        <header>
          <h2>{t('recent')}</h2>
          <form className="actions" aria-label={t('filters')} onSubmit={(e) => e.preventDefault()}>
            <Filter label={t('filter.actor')} value={address.actor} set={(actor) => change({ actor })} />
            <Filter label={t('filter.object')} value={address.object} set={(object) => change({ object: object && !object.includes('/') ? `catalogue/entry/${object}` : object })} />
            <label className="day">{t('filter.from')} <input type="date" value={address.from} onChange={(e) => change({ from: e.target.value })} /></label>
            <label className="day">{t('filter.to')} <input type="date" value={address.to} onChange={(e) => change({ to: e.target.value })} /></label>
            <Checkbox checked={address.anchors !== ''} onChange={(e) => change({ anchors: e.target.checked ? '1' : '' })}>{t('anchors')}</Checkbox>
            {filtered && <Button size="small" onClick={() => change({ actor: '', object: '', from: '', to: '' })}>{t('clear')}</Button>}
          </form>
        </header>
        {filtered && <p className="body second">{[address.actor && name(account(address.actor)), address.object && name(address.object), address.from, address.to && `– ${address.to}`].filter(Boolean).join(' · ')}</p>}
        {newer > 0 && <p className="tablefoot" role="status"><Button data-testid="newer" onClick={() => setSeen({ filters, top: latest! })}>{t('newer', { n: newer })}</Button></p>}
        {events.isError && !rows ? <Loaded query={events as never}>{() => null}</Loaded> : (
          <DataTable
            caption={t('recent')} columns={columns} rows={rows} rowId={(s) => String(s.seq)} onOpen={(s) => void navigate({ to: pathOfTrace(s.event!.objects[0] ?? '') })} whole
            empty={<Empty text={t(filtered ? 'emptyFiltered' : 'empty')} action={filtered ? undefined : <Link to="/explorer">{t('toExplorer')}</Link>} />}
          />
        )}
        {events.hasNextPage && <p className="tablefoot"><Button loading={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>{t('older')}</Button></p>}
      </section>
    </>
  )
}

/** Filter is a field that is asked when it is left or confirmed. */
function Filter({ label, value, set }: { label: string; value: string; set: (v: string) => void }) {
  const [text, setText] = useState(value)
  const [kept, keep] = useState(value)
  if (kept !== value) { keep(value); setText(value) }
  const done = () => { if (text.trim() !== value) set(text.trim()) }
  return <Input size="small" aria-label={label} placeholder={label} value={text} maxLength={200} style={{ width: 200 }} allowClear onChange={(e) => setText(e.target.value)} onBlur={done} onPressEnter={done} />
}
