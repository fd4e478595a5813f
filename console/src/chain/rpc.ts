// The way to the server: one transport, a client for each service, and errors as people
// read them. Pages import the service that they use, so that its schema comes with them.
import { type Client, ConnectError, Code, createClient, type Interceptor } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import type { DescService } from '@bufbuild/protobuf'
import type { Signer } from './keys'
import { HEADER, passOf } from './pass'

let language = 'zh-CN'
/** setLanguage tells the server in which language sentences are wanted. */
export const setLanguage = (l: string) => { language = l }

let reader: Signer | undefined
/** readAs says who asks, where a server answers to parties only: what owners grant. */
export const readAs = (s: Signer | undefined) => { reader = s }
/** readingAs is who asks. */
export const readingAs = () => reader

const FORBIDDEN = 'MUL-12004'
const PARTIES = 'mulian-parties' // marks a refusal of what is for parties alone

// Objects of the ledger that may be for parties begin so; so does the service's name.
function granted(service: string, m: unknown): boolean {
  const { key, prefix } = m as { key?: unknown; prefix?: unknown } // a key of the ledger, or one that signs
  const { id, object } = service === 'mulian.console.v1.ConsoleService' ? (m as { id?: unknown; object?: unknown }) : {} // what is to be proved
  return service.startsWith('mulian.grant.') || service === 'mulian.console.v1.HookService' || [key, prefix, id, object].some((x) => typeof x === 'string' && x.startsWith('grant/'))
}

const speak: Interceptor = (next) => async (req) => {
  req.header.set('Accept-Language', language)
  if (!granted(req.service.typeName, req.message)) return next(req)
  const pass = reader && (await passOf(reader))
  if (pass) req.header.set(HEADER, pass)
  try {
    return await next(req)
  } catch (err) {
    const e = ConnectError.from(err)
    if (e.metadata.get('mulian-code') === FORBIDDEN) e.metadata.set(PARTIES, '1')
    throw e
  }
}

const transport = createConnectTransport({ baseUrl: location.origin, useBinaryFormat: true, interceptors: [speak] })

const made = new Map<DescService, unknown>()
/** rpc returns the client of a service: rpc(ShareService).listRequests({...}). */
export function rpc<S extends DescService>(service: S): Client<S> {
  let c = made.get(service) as Client<S> | undefined
  if (!c) {
    c = createClient(service, transport)
    made.set(service, c)
  }
  return c
}

/** Refused is a refusal of the server or the ledger: code as `mulian explain` takes it. */
export interface Refused {
  code: string // "MUL-13018"; "" when nobody answered
  text: string
  reference: string // the same on both sides, for the telephone
  offline: boolean
  parties: boolean // only the parties of a grant may see it, and who asks is none
}

const MISSING = 'MUL-11020'
/** missing is true when the ledger, as far as the node has read it, has nothing of that id. */
export const missing = (err: unknown): boolean => refusal(err).code === MISSING
/** askAgain says whether a failed query is asked again: nobody is kept waiting for what is not there, one look behind an index that is late apart. */
export const askAgain = (failed: number, err: unknown): boolean => failed < 1 && !refusal(err).parties
/** askAgainAfter is how long after, ms. */
export const askAgainAfter = (failed: number, err: unknown): number => (missing(err) ? 50 : 1000 * 2 ** failed)

/** refusal reads what a call threw. */
export function refusal(err: unknown): Refused {
  const e = ConnectError.from(err)
  return {
    code: e.metadata.get('mulian-code') ?? '',
    text: e.rawMessage,
    reference: e.metadata.get('mulian-reference') ?? '',
    parties: e.metadata.has(PARTIES),
    offline: e.code === Code.Unavailable || (e.code === Code.Unknown && !e.metadata.get('mulian-code')),
  }
}
