// The way to the server: one transport, a client for each service, and errors as people
// read them. Pages import the service that they use, so that its schema comes with them.
import { type Client, ConnectError, Code, createClient, type Interceptor } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-web'
import type { DescService } from '@bufbuild/protobuf'

let language = 'zh-CN'
/** setLanguage tells the server in which language sentences are wanted. */
export const setLanguage = (l: string) => { language = l }

const speak: Interceptor = (next) => async (req) => {
  req.header.set('Accept-Language', language)
  return next(req)
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
}

/** refusal reads what a call threw. */
export function refusal(err: unknown): Refused {
  const e = ConnectError.from(err)
  return {
    code: e.metadata.get('mulian-code') ?? '',
    text: e.rawMessage,
    reference: e.metadata.get('mulian-reference') ?? '',
    offline: e.code === Code.Unavailable || (e.code === Code.Unknown && !e.metadata.get('mulian-code')),
  }
}
