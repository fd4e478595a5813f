// Search over the whole catalogue, the hits as a table, the facets beside it.
import { useInfiniteQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Button, Input } from 'antd'
import { useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'
import {
  EntryState as S, EntryStateSchema, Format, FormatSchema, Grade, GradeSchema, ShareType, ShareTypeSchema, UpdateCycle, UpdateCycleSchema,
} from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { CatalogueService, type Facet, type Hit, HitKind, HitKindSchema, type Marked } from '@/gen/mulian/catalogue/v1/query_pb'
import type { DescEnum } from '@bufbuild/protobuf'
import { rare } from '@/chain/rare'
import { pathOf } from '@/chain/paths'
import { rpc } from '@/chain/rpc'
import { amount } from '@/chain/words'
import { Empty, Trouble } from '@/parts/states'
import { type Column, DataTable, useAddress, useSmall } from '@/parts/table'
import { EntryState, useValue } from './words'

const none = { q: '', kind: '', org: '', share_type: '', format: '', update_cycle: '', grade: '', state: '' }
type Filters = typeof none

// The server names a facet's values by their words in lower case, without the enum's name.
const enums: Record<string, [DescEnum, string, Record<string, string | number>]> = {
  kind: [HitKindSchema, 'HIT_KIND_', HitKind], share_type: [ShareTypeSchema, 'SHARE_TYPE_', ShareType], format: [FormatSchema, 'FORMAT_', Format],
  update_cycle: [UpdateCycleSchema, 'UPDATE_CYCLE_', UpdateCycle], grade: [GradeSchema, 'GRADE_', Grade], state: [EntryStateSchema, 'ENTRY_STATE_', S],
}
const chosen = <T,>(f: Filters, name: keyof Filters): T[] => {
  const n = enums[name]?.[2][f[name].toUpperCase()]
  return typeof n === 'number' && n > 0 ? [n as T] : []
}

const PAGE = 100 // the most that the server gives

const ask = (f: Filters, after: string) => rpc(CatalogueService).search({
  text: f.q, kinds: chosen<HitKind>(f, 'kind'), orgs: f.org ? [f.org] : [], shareTypes: chosen<ShareType>(f, 'share_type'), formats: chosen<Format>(f, 'format'),
  updateCycles: chosen<UpdateCycle>(f, 'update_cycle'), grades: chosen<Grade>(f, 'grade'), states: chosen<S>(f, 'state'), after, limit: PAGE, withFacets: after === '',
})

export function Everything() {
  const { t, i18n } = useTranslation('catalogue')
  const navigate = useNavigate()
  const value = useValue()
  const small = useSmall()
  const [f, change] = useAddress({ ...none, tab: '', sort: '' })
  const found = useInfiniteQuery({
    queryKey: ['catalogue/', 'search', ...Object.keys(none).map((k) => f[k as keyof Filters])], initialPageParam: '',
    queryFn: ({ pageParam }) => ask(f, pageParam), getNextPageParam: (last) => last.next || undefined,
    placeholderData: (old) => old,
  })
  const first = found.data?.pages[0]
  const hits = useMemo(() => found.data?.pages.flatMap((p) => p.hits), [found.data])
  const active = (Object.keys(none) as (keyof Filters)[]).filter((k) => k !== 'q' && f[k] !== '')
  const counted = first ? !first.moreThanCounted : true // beyond, nobody sorts: a filter comes first
  const columns = useMemo((): Column<Hit>[] => {
    const compare = new Intl.Collator(i18n.language, { numeric: true }).compare
    const by = (word: (h: Hit) => string) => (counted ? { sort: (a: Hit, b: Hit) => compare(word(a), word(b)) } : {})
    const org = (h: Hit) => h.orgName || h.org
    return [
      { id: 'name', title: t('col.name'), card: 'title', ...by((h) => h.title), show: (h) => <span className="two"><span><Mark hit={h} field="name" text={h.title} /></span><small>{h.within && h.kind === HitKind.ITEM ? `${h.within} · ` : ''}{where(h)}</small></span> },
      { id: 'kind', title: t('col.kind'), ...(counted && { sort: (a, b) => a.kind - b.kind }), show: (h) => value(HitKindSchema, h.kind) },
      { id: 'org', title: t('col.org'), wide: true, ...by(org), show: org },
      { id: 'share', title: t('col.share'), ...(counted && { sort: (a, b) => a.shareType - b.shareType }), show: (h) => (h.shareType ? value(ShareTypeSchema, h.shareType) : '—') },
      { id: 'cycle', title: t('col.cycle'), ...(counted && { sort: (a, b) => a.updateCycle - b.updateCycle }), show: (h) => (h.updateCycle ? value(UpdateCycleSchema, h.updateCycle) : '—') },
      { id: 'state', title: t('col.state'), card: 'end', ...(counted && { sort: (a, b) => a.state - b.state }), show: (h) => (h.state ? <EntryState state={h.state} /> : '—') },
    ]
  }, [t, i18n.language, counted]) // value says the same words as t
  const facets = <div className="body facets">{(first?.facets ?? []).map((x) => <OneFacet key={x.name} facet={x} chosen={f[x.name as keyof Filters] ?? ''} pick={(v) => change({ [x.name]: v })} />)}</div>
  return (
    <div className="sides">
      <aside className="card" aria-label={t('facets')}>
        {small ? <details><summary>{t('facets')}</summary>{facets}</details> : facets}
      </aside>
      <section className="card" aria-label={t('tab.all')}>
        <header><Words value={f.q} change={(q) => change({ q })} />
          {active.map((k) => {
            const text = `${t(`facet.${k}`)}：${label(first?.facets.find((x) => x.name === k), k, f[k], value)} ×`
            return <Button key={k} size="small" onClick={() => change({ [k]: '' })} aria-label={`${text} ${t('drop', { what: t(`facet.${k}`) })}`}>{text}</Button>
          })}
          {first && <span className="end second" role="status">{t('found', { n: amount(first.total), more: first.moreThanCounted ? '+' : '' })}</span>}
        </header>
        {!counted && f.sort && <p className="note" role="status">{t('narrow', { n: amount(first?.total ?? 0) })}</p>}
        {first?.correctedTo && <p className="note">{t('corrected', { to: first.correctedTo })}</p>}
        {found.isError && !hits ? <Trouble error={found.error} retry={() => void found.refetch()} /> : (
          <DataTable
            caption={t('tab.all')} columns={columns} rows={hits} rowId={(h) => `${h.kind}/${h.id}`} onOpen={(h) => void navigate({ to: pathOf(h.key) })} total={Number(first?.total ?? 0)}
            more={found.hasNextPage ? () => void found.fetchNextPage() : undefined} busy={found.isFetching} failed={found.isError} whole endless
            empty={<Empty text={t('nothing')} action={active.length > 0 || f.q ? <Button onClick={() => change(none)}>{t('clear')}</Button> : undefined} />}
          />
        )}
      </section>
    </div>
  )
}

/** Words is the search field: what is typed goes to the address when the hands rest. */
function Words({ value, change }: { value: string; change: (q: string) => void }) {
  const { t } = useTranslation('catalogue')
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text === value) return
    const timer = setTimeout(() => change(text), 250)
    return () => clearTimeout(timer)
  }, [text])
  return <Input.Search aria-label={t('search')} placeholder={t('search')} value={text} maxLength={200} onChange={(e) => setText(e.target.value)} onSearch={change} style={{ maxWidth: 420 }} />
}

const where = (h: Hit): string => {
  const m = h.marked.find((x) => x.field !== 'name')
  return [h.id.slice(h.id.indexOf(':') + 1), m?.text].filter(Boolean).join(' · ')
}

/** Mark shows what of a field matched: spans count bytes of UTF-8. */
function Mark({ hit, field, text }: { hit: Hit; field: string; text: string }) {
  const m: Marked | undefined = hit.marked.find((x) => x.field === field && x.text === text)
  if (!m) return <>{rare(text)}</>
  const bytes = new TextEncoder().encode(text)
  const part = (from: number, to?: number) => new TextDecoder().decode(bytes.slice(from, to))
  const out = []
  let at = 0
  for (const s of m.spans) {
    out.push(part(at, s.from), <mark key={s.from}>{part(s.from, s.to)}</mark>)
    at = s.to
  }
  return <>{out}{part(at)}</>
}

function label(facet: Facet | undefined, name: string, v: string, value: (of: DescEnum, n: number) => string): string {
  const e = enums[name]
  const n = e?.[2][v.toUpperCase()]
  return e && typeof n === 'number' ? value(e[0], n) : facet?.values.find((x) => x.value === v)?.label || v
}

const FEW = 6

function OneFacet({ facet, chosen: now, pick }: { facet: Facet; chosen: string; pick: (v: string) => void }) {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const [all, setAll] = useState(false)
  if (facet.values.length === 0 || (facet.values.length === 1 && !now)) return null
  return (
    <fieldset>
      <legend>{t(`facet.${facet.name}`)}</legend>
      {facet.values.slice(0, all ? undefined : FEW).map((v) => (
        <button key={v.value} type="button" aria-pressed={now === v.value} onClick={() => pick(now === v.value ? '' : v.value)}>
          <span>{label(facet, facet.name, v.value, value)}</span><span className="second">{amount(v.count)}</span>
        </button>
      ))}
      {facet.values.length > FEW && <Button size="small" type="text" onClick={() => setAll(!all)}>{t(all ? 'less' : 'more', { n: facet.values.length - FEW })}</Button>}
    </fieldset>
  )
}
