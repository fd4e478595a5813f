// What a form for a request says before its asker has typed anything, and where that is from:
// an earlier request for the same entry, the matter that is handled, the duty's own source.
import { type Duty, type Entry, type Item, ItemState, type Matter, Method, Personal, ShareType } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import type { Request } from '@/gen/mulian/share/v1/share_pb'

export interface Form {
  purpose: string
  duty: string
  matter: string
  basis: string
  system: string
  scope: string
  method: Method
  items: string[]
  gateway: string
  days?: number
  perDay?: number
  life?: number
}

/** Known is what the page has read. */
export interface Known {
  entry: Entry
  duties: Duty[]
  matters: Matter[]
  gateways: string[]
  asked: Request[] // own requests, any entry
}

/** Source says where a field's first value is from: a word in user:from, and what it names. */
export type Sources = Partial<Record<keyof Form, { what: 'request' | 'matter' | 'duty' | 'only' | 'last'; id: string }>>

/** bar is why an item cannot be asked for; undefined if it can. */
export function bar(e: Entry, it: Item): 'denied' | 'frozen' | undefined {
  if ((it.shareType || e.shareType) === ShareType.DENIED) return 'denied'
  return it.state === ItemState.FROZEN ? 'frozen' : undefined
}

/** needed are the items that a matter's inputs name; all that lie on a column if it names none, without sensitive ones. */
export function needed(e: Entry, matter?: Matter): string[] {
  const may = e.items.filter((it) => !bar(e, it))
  const named = may.filter((it) => matter?.inputs.includes(it.name))
  if (named.length > 0) return named.map((it) => it.code)
  const mapped = may.filter((it) => it.column !== '' && it.personal !== Personal.SENSITIVE)
  return (mapped.length > 0 ? mapped : may.filter((it) => it.personal !== Personal.SENSITIVE)).map((it) => it.code)
}

/** lawOf is the legal basis that a duty names itself. */
export const lawOf = (d?: Duty): string => (d?.source ? `《${d.source}》${d.article}`.replace('《《', '《').replace('》》', '》') : '')

const newest = (list: Request[]) => [...list].sort((a, b) => Number(b.createdMs - a.createdMs))[0]

/** methodOf is what the entry is handed over by: one record before whole tables. */
export function methodOf(e: Entry): Method {
  const offered = e.methods.filter((m) => m !== Method.UNSPECIFIED)
  return offered.includes(Method.QUERY) ? Method.QUERY : (offered[0] ?? Method.QUERY)
}

/** prefill makes the form's first values. */
export function prefill(k: Known): { form: Form; from: Sources } {
  const from: Sources = {}
  const same = newest(k.asked.filter((r) => r.terms?.parts.some((p) => p.entry === k.entry.id)))
  const last = newest(k.asked.filter((r) => k.duties.some((d) => d.id === r.terms?.duty)))
  const terms = same?.terms
  const duty = k.duties.find((d) => d.id === terms?.duty) ?? (k.duties.length === 1 ? k.duties[0] : k.duties.find((d) => d.id === last?.terms?.duty))
  const matter = k.matters.find((m) => m.name === terms?.matter) ?? (terms ? undefined : onlyOne(k.matters.filter((m) => duty && m.duties.includes(duty.id))))
  const purposes = k.entry.conditions?.purposes ?? []
  const still = terms?.parts.find((p) => p.entry === k.entry.id)?.items.filter((c) => k.entry.items.some((it) => it.code === c && !bar(k.entry, it))) ?? []
  const form: Form = {
    purpose: purposes.length === 1 ? purposes[0]! : '', duty: duty?.id ?? '', matter: terms?.matter || matter?.name || '',
    basis: terms?.legalBasis || lawOf(duty), system: terms?.appSystem || last?.terms?.appSystem || '', scope: terms?.scopeOfUse || last?.terms?.scopeOfUse || '',
    method: terms && k.entry.methods.includes(terms.method) ? terms.method : methodOf(k.entry), items: still.length > 0 ? still : needed(k.entry, matter),
    gateway: k.gateways.find((g) => g === same?.gateway) ?? (k.gateways.length === 1 ? k.gateways[0]! : ''),
    days: terms?.days || undefined, perDay: terms?.maxCallsPerDay || undefined, life: terms?.dataLifeDays || undefined,
  }
  if (same) {
    for (const f of ['duty', 'matter', 'basis', 'system', 'scope', 'items'] as const) if (form[f].length > 0) from[f] = { what: 'request', id: same.id }
  } else {
    if (duty) from.duty = k.duties.length === 1 ? { what: 'only', id: '' } : { what: 'last', id: last!.id }
    if (matter) from.matter = from.items = { what: 'matter', id: matter.name }
    if (form.basis) from.basis = { what: 'duty', id: '' }
    if (last && form.system) from.system = { what: 'last', id: last.id }
    if (last && form.scope) from.scope = { what: 'last', id: last.id }
  }
  if (purposes.length === 1) from.purpose = { what: 'only', id: '' }
  if (k.gateways.length === 1) from.gateway = { what: 'only', id: '' }
  return { form, from }
}

const onlyOne = <T>(list: T[]): T | undefined => (list.length === 1 ? list[0] : undefined)
