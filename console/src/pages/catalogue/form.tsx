// The fields of an entry's metadata, and its items with the columns on which they lie.
import { clone, create, type DescEnum, type MessageInitShape } from '@bufbuild/protobuf'
import { useQuery } from '@tanstack/react-query'
import { Button, Input, InputNumber, Select } from 'antd'
import { useTranslation } from 'react-i18next'
import {
  DenyBasisSchema, type Entry, EntrySchema, FormatSchema, GradeSchema, type Item, ItemSchema, MethodSchema, OpenTypeSchema, PersonalSchema, ProcessingSchema, ShareConditionsSchema, ShareType, ShareTypeSchema,
  type Table, UpdateCycleSchema,
} from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { listDuties, listSystems, listTables } from './reads'
import { own, useValue } from './words'

type Put = (next: MessageInitShape<typeof EntrySchema>) => void
interface Part { entry: Entry; put: Put }

export function Form({ org, entry, change, fresh }: { org: string; entry: Entry; change: (e: Entry) => void; fresh: boolean }) {
  const { t } = useTranslation('catalogue')
  const duties = useQuery(listDuties(org))
  const tables = useQuery(listTables(org))
  const systems = useQuery(listSystems(org))
  const put: Put = (next) => change(create(EntrySchema, { ...clone(EntrySchema, entry), ...next } as MessageInitShape<typeof EntrySchema>))
  const table = tables.data?.tables.find((x) => x.id === entry.table)
  return (
    <div className="sheet">
      {fresh && <label className="field">{t('f.id')}<Input addonBefore={`${org}:`} value={own(entry.id)} maxLength={64} onChange={(e) => put({ id: `${org}:${e.target.value.trim()}` })} /></label>}
      <label className="field">{t('f.name')}<Input value={entry.name} maxLength={200} onChange={(e) => put({ name: e.target.value })} /></label>
      <label className="field">{t('f.abstract')}<Input.TextArea value={entry.abstract} rows={3} maxLength={4000} onChange={(e) => put({ abstract: e.target.value })} /></label>
      <label className="field">{t('f.duties')}<Select mode="multiple" aria-label={t('f.duties')} value={entry.duties} optionFilterProp="label" onChange={(v) => put({ duties: v })} options={(duties.data?.duties ?? []).filter((d) => !d.retired || entry.duties.includes(d.id)).map((d) => ({ value: d.id, label: d.title }))} /></label>
      <div className="pairs">
        <label className="field">{t('f.category')}<Input value={entry.category} maxLength={300} placeholder={t('f.categoryLike')} onChange={(e) => put({ category: e.target.value })} /></label>
        <Choice label={t('f.updateCycle')} of={UpdateCycleSchema} value={entry.updateCycle} change={(v) => put({ updateCycle: v })} />
        <Choice label={t('f.format')} of={FormatSchema} value={entry.format} change={(v) => put({ format: v })} />
        <Methods entry={entry} put={put} />
        <Choice label={t('f.grade')} of={GradeSchema} value={entry.grade} change={(v) => put({ grade: v })} />
        <Choice label={t('f.personal')} of={PersonalSchema} value={entry.personal} change={(v) => put({ personal: v })} />
        <Choice label={t('f.processing')} of={ProcessingSchema} value={entry.processing} change={(v) => put({ processing: v })} />
        <Choice label={t('f.openType')} of={OpenTypeSchema} value={entry.openType} change={(v) => put({ openType: v })} />
        <label className="field">{t('f.system')}<Select allowClear aria-label={t('f.system')} value={entry.system || undefined} onChange={(v?: string) => put({ system: v ?? '' })} options={(systems.data?.systems ?? []).map((s) => ({ value: s.id, label: s.name }))} /></label>
        <label className="field">{t('f.staleness')}<InputNumber min={0} max={4294967295} value={entry.stalenessSeconds} onChange={(v) => put({ stalenessSeconds: v ?? 0 })} style={{ width: '100%' }} /></label>
      </div>
      <Choice label={t('col.share')} of={ShareTypeSchema} value={entry.shareType} change={(v) => put({ shareType: v })} />
      {entry.shareType === ShareType.CONDITIONAL && <Conditions entry={entry} put={put} />}
      {entry.shareType === ShareType.DENIED && <Basis entry={entry} put={put} />}
      <label className="field">{t('f.table')}<Select allowClear aria-label={t('f.table')} value={entry.table || undefined} onChange={(v?: string) => put({ table: v ?? '' })} options={(tables.data?.tables ?? []).filter((x) => !x.gone || x.id === entry.table).map((x) => ({ value: x.id, label: own(x.id) }))} /></label>
      <Items entry={entry} put={put} table={table} />
    </div>
  )
}

function Choice({ label, of, value: now, change }: { label: string; of: DescEnum; value: number; change: (v: number) => void }) {
  const value = useValue()
  return <label className="field">{label}<Select aria-label={label} value={now} onChange={change} options={of.values.filter((v) => v.number > 0 || now === 0).map((v) => ({ value: v.number, label: value(of, v.number) }))} /></label>
}

function Methods({ entry, put }: Part) {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  return <label className="field">{t('f.methods')}<Select mode="multiple" aria-label={t('f.methods')} value={entry.methods as number[]} onChange={(v) => put({ methods: [...v].sort() })} options={MethodSchema.values.filter((v) => v.number > 0).map((v) => ({ value: v.number, label: value(MethodSchema, v.number) }))} /></label>
}

function Conditions({ entry, put }: Part) {
  const { t } = useTranslation('catalogue')
  const c = entry.conditions ?? create(ShareConditionsSchema)
  const set = (next: MessageInitShape<typeof ShareConditionsSchema>) => put({ conditions: create(ShareConditionsSchema, { ...c, ...next } as MessageInitShape<typeof ShareConditionsSchema>) })
  return (
    <>
      <label className="field">{t('f.scope')}<Input.TextArea value={c.scope} rows={2} maxLength={1000} onChange={(e) => set({ scope: e.target.value })} /></label>
      <label className="field">{t('f.purposes')}<Select mode="tags" open={false} aria-label={t('f.purposes')} value={c.purposes} onChange={(v) => set({ purposes: v })} /></label>
      <label className="field">{t('f.extra')}<Input.TextArea value={c.extra} rows={2} maxLength={1000} onChange={(e) => set({ extra: e.target.value })} /></label>
    </>
  )
}

function Basis({ entry, put }: Part) {
  const { t } = useTranslation('catalogue')
  const b = entry.denyBasis ?? create(DenyBasisSchema)
  const set = (next: MessageInitShape<typeof DenyBasisSchema>) => put({ denyBasis: create(DenyBasisSchema, { ...b, ...next } as MessageInitShape<typeof DenyBasisSchema>) })
  return (
    <div className="pairs">
      <label className="field">{t('f.law')}<Input value={b.law} maxLength={500} onChange={(e) => set({ law: e.target.value })} /></label>
      <label className="field">{t('f.article')}<Input value={b.article} maxLength={500} onChange={(e) => set({ article: e.target.value })} /></label>
    </div>
  )
}

/** itemOf is an item that lies on a column and is called as its comment says. */
export const itemOf = (c: Table['columns'][number]): Item => create(ItemSchema, { code: c.name, name: c.comment || c.name, technicalName: c.name, type: c.type, column: c.name, primaryKey: c.primaryKey })

function Items({ entry, put, table }: Part & { table?: Table }) {
  const { t } = useTranslation('catalogue')
  const value = useValue()
  const items = entry.items
  const set = (at: number, next: Partial<Item>) => put({ items: items.map((i, n) => (n === at ? create(ItemSchema, { ...clone(ItemSchema, i), ...next } as MessageInitShape<typeof ItemSchema>) : i)) })
  const free = (table?.columns ?? []).filter((c) => !items.some((i) => i.column === c.name))
  const fresh = free.filter((c) => !items.some((i) => i.code === c.name)) // a code is never used twice
  const options = (of: DescEnum) => of.values.map((v) => <option key={v.number} value={v.number}>{v.number === 0 ? t('items.asEntry') : value(of, v.number)}</option>)
  return (
    <fieldset style={{ border: 0, margin: 0, padding: 0, minWidth: 0 }}>
      <legend><h3>{t('items.title', { n: items.length })}</h3></legend>
      <div className="table whole" tabIndex={0} role="region" aria-label={t('items.edit')}>
        <table>
          <caption>{t('items.edit')}</caption>
          <thead><tr><th scope="col">{t('items.name')}</th><th scope="col">{t('items.column')}</th><th scope="col">{t('col.share')}</th><th scope="col">{t('items.personal')}</th><th scope="col"><span className="away">{t('items.remove')}</span></th></tr></thead>
          <tbody>
            {items.map((i, n) => (
              <tr key={i.code}>
                <td style={{ minWidth: 150 }}><input className="plain" aria-label={t('items.nameOf', { code: i.code })} value={i.name} maxLength={200} onChange={(e) => set(n, { name: e.target.value })} /><small className="mono second">{i.code} · {i.type}</small></td>
                <td><select className="plain" aria-label={t('items.columnOf', { code: i.code })} value={i.column} onChange={(e) => set(n, { column: e.target.value })}><option value="">{t('items.unmapped')}</option>{i.column && <option value={i.column}>{i.column}</option>}{free.map((c) => <option key={c.name} value={c.name}>{c.name}</option>)}</select></td>
                <td><select className="plain" aria-label={t('items.shareOf', { code: i.code })} value={i.shareType} onChange={(e) => set(n, { shareType: Number(e.target.value) })}>{options(ShareTypeSchema)}</select></td>
                <td><select className="plain" aria-label={t('items.personalOf', { code: i.code })} value={i.personal} onChange={(e) => set(n, { personal: Number(e.target.value) })}>{options(PersonalSchema)}</select></td>
                <td><Button size="small" type="text" danger aria-label={t('items.removeOf', { code: i.code })} onClick={() => put({ items: items.filter((_, m) => m !== n) })}>×</Button></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {fresh.length > 0 && <p className="actions"><Button size="small" onClick={() => put({ items: [...items, ...fresh.map(itemOf)] })}>{t('items.add', { n: fresh.length })}</Button></p>}
    </fieldset>
  )
}
