// From an object of the ledger to its page, and back to what kind of thing it is. What stands not
// here has no page of its own: /object/:key shows it. areas.test.ts holds the paths to the routes.
const pages: [table: string, path: (id: string) => string, kind: string][] = [
  ['share/request/', (id) => `/request/${id}`, 'request'],
  ['share/agreement/', (id) => `/agreement/${id}`, 'agreement'],
  ['share/delivery/', (id) => `/delivery/${id.replace('/', '~')}`, 'delivery'],
  ['share/correction/', (id) => `/correction/${id}`, 'correction'],
  ['share/objection/', (id) => `/objection/${id}`, 'objection'],
  ['share/dispute/', (id) => `/dispute/${id}`, 'dispute'],
  ['catalogue/duty/', (id) => `/duty/${id}`, 'duty'],
  ['catalogue/entry/', (id) => `/item/${id}`, 'entry'],
  ['catalogue/table/', (id) => `/resource/${id}`, 'table'],
  ['catalogue/drift/', (id) => `/drift/${id}`, 'drift'],
  ['catalogue/matter/', (id) => `/matter/${id}`, 'matter'],
  ['identity/account/', (id) => `/org/${id}`, 'account'],
  ['governance/proposal/', (id) => `/proposal/${id}`, 'proposal'],
  ['grant/grant/', (id) => `/grant/${id}`, 'grant'],
  ['grant/request/', (id) => `/datarequest/${id}`, 'datarequest'],
  ['recovery/recovery/', (id) => `/recovery/${id}`, 'recovery'],
  ['evidence/item/', (id) => `/evidence/${id}`, 'evidence'],
  ['credential/item/', (id) => `/credential/${id}`, 'credential'],
  ['block/', (id) => `/block/${id}`, 'block'],
  ['tx/', (id) => `/tx/${id}`, 'tx'],
]

/** paths are the addresses that pathOf leads to, each with the id "x". */
export const paths = [...pages.map(([, path]) => path('x')), '/object/x']

/** kindOf names what a state key is: a word in shell:kinds; "object" for what has none. */
export const kindOf = (key: string): string => pages.find(([t]) => key.startsWith(t))?.[2] ?? 'object'

/** pathOf is the page of an object; what has none of its own is shown as it stands. */
export function pathOf(key: string): string {
  for (const [table, path] of pages) if (key.startsWith(table)) return path(encodeURIComponent(key.slice(table.length)))
  return `/object/${encodeURIComponent(key)}`
}

/** keyOf is the object that a path of pathOf leads to; "" for other paths. */
export function keyOf(path: string): string {
  const [, kind = '', id = ''] = path.split('/')
  const table = id && pages.find(([, at]) => at('x').split('/')[1] === kind)?.[0]
  if (!table) return ''
  const name = decodeURIComponent(id)
  return table + (table === 'share/delivery/' ? name.replace('~', '/') : name)
}
/** pathOfTrace is the page of an object's or transaction's trace. */
export const pathOfTrace = (key: string): string => `/trace/${encodeURIComponent(key.replace(/^tx\//, ''))}`
