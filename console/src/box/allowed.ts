// Reads of the pages about grants, receipts, mandates and recovery. Plain JSON, as api.ts.
import { call, type DataRequest, type Grant, type IntendedUse, names } from './api'

const grantCalls = 'mulian.grant.v1.GrantService'

// What of the answers these pages look at.
export interface FullGrant extends Grant {
  request: string; owner: string; actor: string; mandate?: string; providers?: string[]; mode: string; kind: string; purpose: string
  dataLifeDays?: number; lastUseMs?: string; coolingUntilMs?: string; pausedMs?: string; endedMs?: string; endCause?: string; deleteByMs?: string
  dutiesOpen?: string; givenHeight: string; sequence?: string; rowKeyCommitment?: string; gateway?: string
}
export interface Use { number: string; provider: string; outcome: string; atMs: string; height: string; code?: number }
export interface DeletionDuty { number: string; state: string; dueMs: string; attestedMs?: string; law?: string; untilMs?: string }
export interface Receipt {
  id: string; event: string; atMs: string; controllers?: { org: string; name: string; contact?: string }[]; purposeText: string; entry?: string; items?: string[]
  notBeforeMs: string; notAfterMs: string; maxUses?: number; uses?: number; dataLifeDays?: number; withdrawal: string; complaint: string; height: string; chainId: string
}
export interface Mandate {
  id: string; principal: string; agent: string; kind: string; state: string; fromMs: string; untilMs: string; maxUses?: number; uses?: number; maxLevel?: string; endedMs?: string
  scope?: { everything?: boolean; acts?: string[]; entries?: string[]; matters?: string[] }; cause?: string
}
export interface Recovery { id: string; path: string; state: string; openedMs: string; dueMs?: string; needed?: number; approvals?: { by: string }[]; newKey?: { id: string } }
export interface Arranged {
  policy?: { guardians?: string[]; threshold?: number; codeKey?: string; lockHours?: number; version?: string; pendingMs?: string; pending?: { guardians?: string[] } }
  last?: { executedMs: string; count: string }; running?: Recovery[]
}

const OVER = ['EXHAUSTED', 'EXPIRED', 'REVOKED', 'VOIDED'].map((s) => `GRANT_STATE_${s}`)
const PAGE = 50

/** pagesOf asks page after page of a list, as many as somebody has opened. */
export async function pagesOf<T>(pages: number, ask: (after: string) => Promise<{ list: T[]; next?: string; total?: string }>): Promise<{ list: T[]; more: boolean; total: number }> {
  const list: T[] = []
  let after = ''
  for (let total = 0, i = 0; ; i++) {
    const got = await ask(after)
    list.push(...got.list)
    total = Number(got.total ?? 0)
    after = got.next ?? ''
    if (!after || i + 1 >= pages) return { list, more: !!after, total }
  }
}

export type Which = 'live' | 'over' | 'all'
/** grantsOf are the grants of an owner: those that count, those that are over, or all. */
export const grantsOf = (owner: string, which: Which, pages: number) => pagesOf<FullGrant>(pages, async (after) => {
  const r = await call<{ grants?: FullGrant[]; next?: string; total?: string }>(`${grantCalls}/ListGrants`, { owner, after, limit: PAGE, ...(which === 'live' && { live: true }), ...(which === 'over' && { states: OVER }) })
  return { list: r.grants ?? [], next: r.next, total: r.total }
})
export const grantOf = (id: string) => call<{ grant: FullGrant; request: DataRequest; use: IntendedUse }>(`${grantCalls}/GetGrant`, { id })
export const usesOf = (grant: string, pages: number) => pagesOf<Use>(pages, async (after) => {
  const r = await call<{ uses?: Use[]; next?: string; total?: string }>(`${grantCalls}/FindUsage`, { grant, after, limit: PAGE })
  return { list: r.uses ?? [], next: r.next, total: r.total }
})
export const dutiesOf = (grant: string) => call<{ duties?: DeletionDuty[] }>(`${grantCalls}/ListDuties`, { grant, limit: 200 })
export const receiptOf = (grant: string, language: string) => call<{ receipt: Receipt }>(`${grantCalls}/GetReceipt`, { grant, language })
export const mandatesOf = async (side: 'principal' | 'agent', account: string) =>
  (await call<{ mandates?: Mandate[] }>('mulian.mandate.v1.MandateService/ListMandates', { [side]: account, limit: 200 })).mandates ?? []
export const mandateOf = async (id: string) => (await call<{ mandate: Mandate }>('mulian.mandate.v1.MandateService/GetMandate', { id })).mandate
export const arranged = (account: string) => call<Arranged>('mulian.recovery.v1.RecoveryService/GetRecoveryPolicy', { account })

const org = (o: string) => `identity/account/${o}`
/** namesOf asks how accounts are called, and returns how to call one. */
export async function namesOf(accounts: string[]): Promise<(account: string) => string> {
  const known = await names([...new Set(accounts)].filter(Boolean).slice(0, 500).map(org))
  return (account) => known[org(account)] ?? account
}
export interface EntryWords { name: string; items?: { code: string; name: string }[]; provider: string }
/** entryOf reads how a catalogue entry and its items are called; none for a confidential one. */
export const entryOf = async (id?: string): Promise<EntryWords | undefined> => (id ? (await call<{ entry: EntryWords }>('mulian.catalogue.v1.CatalogueService/GetEntry', { id })).entry : undefined)
/** entryNames are how catalogue entries are called, by id. */
export const entryNames = async (ids: string[]): Promise<(id: string) => string> => {
  const known = await names(ids.map((e) => `catalogue/entry/${e}`))
  return (id) => known[`catalogue/entry/${id}`] ?? id
}
/** word is the last part of an enum's name, small: GRANT_STATE_ACTIVE of prefix GRANT_STATE_ is active. */
export const word = (value: string | undefined, prefix: string): string => (value ?? '').replace(prefix, '').toLowerCase()
