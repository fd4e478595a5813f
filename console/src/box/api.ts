// The server's API as plain JSON: the box reads without the schema. 64-bit numbers come as
// texts, bytes as base64, enums by their names.
import type { Signer } from '@/chain/keys'
import { HEADER, passOf } from '@/chain/pass'
import type { Language } from '../words-box'

export class Refusal extends Error {
  constructor(readonly code: string, text: string, readonly reference: string) { super(text) }
}

let language: Language = 'zh-CN'
export const askIn = (l: Language): void => { language = l }

let reader: Signer | undefined
/** readAs says whose box asks, where a server answers to parties only: questions about grants. */
export const readAs = (s: Signer): void => { reader = s }

/** call asks one method: call('mulian.grant.v1.GrantService/ListGrants', {...}). */
export async function call<T>(method: string, body: object): Promise<T> {
  const headers: Record<string, string> = { 'Content-Type': 'application/json', 'Accept-Language': language }
  if (reader && method.startsWith('mulian.grant.')) headers[HEADER] = await passOf(reader)
  let res: Response
  try {
    res = await fetch(`/${method}`, { method: 'POST', headers, body: JSON.stringify(body) })
  } catch {
    throw new Refusal('', 'offline', '')
  }
  if (res.ok) return (await res.json()) as T
  const said = (await res.json().catch(() => ({}))) as { message?: string }
  throw new Refusal(res.headers.get('Mulian-Code') ?? '', said.message ?? res.statusText, res.headers.get('Mulian-Reference') ?? '')
}

const CODES = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
export const base64 = (b: Uint8Array): string => btoa(String.fromCharCode(...b))
export function unbase64(s = ''): Uint8Array<ArrayBuffer> {
  const text = atob([...s].every((c) => CODES.includes(c) || c === '=') ? s : '')
  return Uint8Array.from(text, (c) => c.charCodeAt(0)) as Uint8Array<ArrayBuffer>
}

// What of the answers the box looks at.
export interface Here { chainId: string; demo?: boolean; rpIds?: string[]; nowMs: string; aheadMs: number; height: string; build: string }
export interface DataRequest { id: string; use: string; org: string; owner?: string; items: string; optionalItems?: string; toMs: string; maxUses?: number; notAfterMs: string; state: string; hash: string; createdMs: string; dataLifeDays?: number; matchCommitment?: string; grant?: string; businessReference?: string }
export interface IntendedUse { title: string; entry?: string; sensitive?: boolean; contact?: string; mode: string; kind: string; purpose: string; basis: string }
export interface Asked { request: DataRequest; use: IntendedUse; text?: string; uiTextHash?: string; items?: string[] }
export interface Grant { id: string; use: string; grantee: string; state: string; notAfterMs: string; notBeforeMs: string; maxUses?: number; uses?: number; itemCodes?: string[]; entry?: string; givenMs: string; basis: string }
export interface Notification { number: string; event: { height: string; timeMs: string; verb: string; actor?: string; objects?: string[] } }

/** here is where this page is; aheadMs is how far the server's clock is before this device's. */
export async function here(): Promise<Here> {
  const h = await call<Here>('mulian.console.v1.ConsoleService/GetConsole', {})
  return { ...h, aheadMs: Number(h.nowMs) - Date.now() }
}
export const asks = (owner: string) => call<{ requests?: DataRequest[]; total?: string }>('mulian.grant.v1.GrantService/ListDataRequests', { owner, states: ['DATA_REQUEST_STATE_REQUESTED'], limit: 50 })
export const asked = (id: string, owner: string, lang: string, items = '') => call<Asked>('mulian.grant.v1.GrantService/GetDataRequest', { id, owner, language: lang, ...(items && { items }) })
export const grants = (owner: string) => call<{ grants?: Grant[]; total?: string }>('mulian.grant.v1.GrantService/ListGrants', { owner, live: true, limit: 50 })
export const notified = (owner: string) => call<{ notifications?: Notification[]; count?: string }>('mulian.grant.v1.GrantService/ListNotifications', { owner, limit: 100 })
/** heldBy counts what the ledger says is in a box. */
export const heldBy = (owner: string) => call<{ total?: string }>('mulian.safebox.v1.SafeboxService/ListBoxItems', { owner, state: 'ITEM_STATE_HELD', limit: 1 })
export async function names(keys: string[]): Promise<Record<string, string>> {
  if (keys.length === 0) return {}
  const said = (await call<{ names?: string[] }>('mulian.console.v1.ConsoleService/ListNames', { keys })).names ?? []
  return Object.fromEntries(keys.map((k, i) => [k, said[i] || k.split('/').slice(2).join('/')]))
}
