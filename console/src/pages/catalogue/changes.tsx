// The difference of two versions of an entry, field by field, as people call the fields.
import { toJson } from '@bufbuild/protobuf'
import { useTranslation } from 'react-i18next'
import { type Entry, EntrySchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'

// What the ledger sets says nothing of the content.
const SET = ['state', 'version', 'createdMs', 'updatedMs', 'lock', 'contentHash', 'returnedReason', 'suspendedCause', 'suspendedBy']

export interface Change { field: string; item: string; before: string; after: string }

type Flat = Map<string, { field: string; item: string; text: string }>

function flat(e: Entry | undefined): Flat {
  const out: Flat = new Map()
  if (!e) return out
  const json = toJson(EntrySchema, e) as Record<string, unknown>
  const put = (field: string, item: string, v: unknown) => out.set(`${item}\n${field}`, { field, item, text: Array.isArray(v) ? v.map(String).join('\n') : String(v) })
  for (const [k, v] of Object.entries(json)) {
    if (SET.includes(k)) continue
    if (k === 'items') {
      for (const i of v as Record<string, unknown>[]) for (const [f, x] of Object.entries(i)) if (f !== 'code' && f !== 'state') put(f, String(i.code), x)
    } else if (k === 'resources') put(k, '', (v as unknown[]).map((x) => JSON.stringify(x)))
    else if (v && typeof v === 'object' && !Array.isArray(v)) for (const [f, x] of Object.entries(v)) put(`${k}.${f}`, '', x)
    else put(k, '', v)
  }
  return out
}

/** changesOf lists what next says that was does not, and the other way round. */
export function changesOf(was: Entry | undefined, next: Entry): Change[] {
  const a = flat(was)
  const b = flat(next)
  const keys = [...b.keys(), ...[...a.keys()].filter((k) => !b.has(k))]
  return keys.flatMap((k) => {
    const before = a.get(k)?.text ?? ''
    const after = b.get(k)?.text ?? ''
    const { field, item } = (b.get(k) ?? a.get(k))!
    return before === after ? [] : [{ field, item, before, after }]
  })
}

/** Changes shows them as a table; same is what stands there if there are none. */
export function Changes({ was, next, same }: { was: Entry | undefined; next: Entry; same: string }) {
  const { t } = useTranslation('catalogue')
  const list = changesOf(was, next)
  const item = (code: string) => next.items.find((i) => i.code === code)?.name || was?.items.find((i) => i.code === code)?.name || code
  const said = (v: string) => v.split('\n').map((x) => (/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(x) ? t(`value.${x}`) : x === 'true' ? t('yes') : x)).join('、')
  if (list.length === 0) return <p className="second" data-testid="same">{same}</p>
  return (
    <div className="table whole" tabIndex={0} role="region" aria-label={t('diff.caption')}>
      <table className="diff">
        <caption>{t('diff.caption')}</caption>
        <thead><tr><th scope="col">{t('diff.field')}</th><th scope="col">{t('diff.before')}</th><th scope="col">{t('diff.after')}</th></tr></thead>
        <tbody>
          {list.map((c) => (
            <tr key={`${c.item} ${c.field}`}>
              <th scope="row">{c.item ? `${item(c.item)} · ${t(`field.item_${c.field}`)}` : t(`field.${c.field.replace('.', '_')}`)}</th>
              <td>{c.before && <del>{said(c.before)}</del>}</td><td>{c.after && <ins>{said(c.after)}</ins>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
