// The OpenAPI document that this node ships, as the page reads it.
import { queryOptions } from '@tanstack/react-query'

export interface Schema {
  $ref?: string
  type?: string | string[]
  format?: string
  title?: string
  description?: string
  properties?: Record<string, Schema>
  items?: Schema
  enum?: string[]
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
  additionalProperties?: Schema | boolean
}
interface Content { content?: Record<string, { schema?: Schema }> }
interface Operation { summary?: string; description?: string; requestBody?: Content; responses?: Record<string, Content> }
export interface Document { info: { version: string }; paths: Record<string, { post?: Operation }>; components: { schemas: Record<string, Schema> }; tags?: { name: string; description?: string }[] }

/** Method is one call of the API. */
export interface Method {
  path: string // "/mulian.share.v1.ShareService/ListRequests"
  service: string // "ShareService"
  full: string // "mulian.share.v1.ShareService"
  name: string
  text: string
  request?: Schema
  response?: Schema
  stream: boolean
  elsewhere: boolean // served by a gateway, not by this node
}

export const openapi = queryOptions({
  queryKey: ['openapi'], staleTime: Infinity,
  queryFn: async () => {
    const res = await fetch('/openapi.json')
    if (!res.ok) throw new Error(`openapi.json: ${res.status}`)
    return (await res.json()) as Document
  },
})

/** methods are all calls, in the order of the document. */
export function methods(d: Document): Method[] {
  return Object.entries(d.paths).flatMap(([path, { post: op }]) => {
    if (!op) return []
    const [, full = '', name = ''] = path.split('/')
    const asked = op.requestBody?.content ?? {}
    return [{
      path, full, name, service: full.split('.').at(-1)!, text: said(op.description ?? op.summary ?? '', name), stream: !('application/json' in asked), elsewhere: full.startsWith('mulian.gateway.'),
      request: Object.values(asked)[0]?.schema, response: Object.values(op.responses?.['200']?.content ?? {})[0]?.schema,
    }]
  })
}

/** said is what a call's comment says; the document repeats the name where there is none. */
const said = (text: string, name: string): string => (text === name ? '' : text)

/** follow resolves a reference. */
export function follow(d: Document, s?: Schema): Schema {
  return s?.$ref ? (d.components.schemas[s.$ref.split('/').at(-1)!] ?? s) : (s ?? {})
}

const last = (ref: string) => ref.split(/[/.]/).at(-1)!

/** typeOf is how a field's type is written, with the message that it refers to. */
export function typeOf(s: Schema): { words: string; inner?: Schema } {
  if (s.$ref) return { words: last(s.$ref), inner: s }
  if (s.items) { const t = typeOf(s.items); return { words: `${t.words}[]`, inner: t.inner } }
  if (s.additionalProperties && typeof s.additionalProperties === 'object') { const t = typeOf(s.additionalProperties); return { words: `map<${t.words}>`, inner: t.inner } }
  const type = Array.isArray(s.type) ? s.type.join(' | ') : (s.type ?? (s.oneOf ?? s.anyOf)?.map((x) => typeOf(x).words).join(' | ') ?? 'object')
  return { words: s.format ? `${type} (${s.format})` : type }
}

/** fieldsOf lists the fields of a message, alternatives included. */
export function fieldsOf(d: Document, s?: Schema): [string, Schema][] {
  const m = follow(d, s)
  return [...Object.entries(m.properties ?? {}), ...[...(m.oneOf ?? []), ...(m.anyOf ?? []), ...(m.allOf ?? [])].flatMap((x) => fieldsOf(d, x))]
}

/** body is a request that works: few rows, and what is known of who asks. */
export function body(d: Document, m: Method, known: Record<string, unknown>): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  for (const [name, s] of fieldsOf(d, m.request)) {
    if (name === 'limit') out.limit = 3
    else if (name in known && typeOf(s).words.startsWith(Array.isArray(known[name]) ? 'string[' : typeof known[name] === 'number' ? 'integer' : 'string')) out[name] = known[name]
  }
  return out
}

/** lister is the call that gives ids for this one: GetEntry -> ListEntries. */
export function lister(all: Method[], m: Method): Method | undefined {
  const noun = m.name.replace(/^Get/, '')
  return m.name.startsWith('Get') ? all.find((x) => x.full === m.full && (x.name === `List${noun}s` || x.name === `List${noun.replace(/y$/, 'ies')}`)) : undefined
}
