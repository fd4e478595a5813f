// Cases 办件: the requests of one organisation that have one business reference in common. The
// ledger has the salted commitment; the number and the salt that open it are kept here, in
// IndexedDB, for the file.
import { queryOptions } from '@tanstack/react-query'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import { type DataRequest, DataRequestState as S, type Grant, GrantState as G, GrantUseOutcome as O, type Use } from '@/gen/mulian/grant/v1/grant_pb'
import { GrantService } from '@/gen/mulian/grant/v1/query_pb'
import { hex, unhex } from '@/chain/bytes'
import { rpc } from '@/chain/rpc'
import { byPage } from '../user/owners'
import { byEntry, byUse, type Cover, type Known } from './cover'

const MOST = 500

export const listMatters = (org: string, text: string) => queryOptions({
  queryKey: ['catalogue/matter/', 'own', org, text], enabled: org !== '',
  queryFn: () => rpc(CatalogueService).listMatters({ org, text, limit: 200 }),
})

/** knownUses are the registered uses by which a page can ask, each with its entry as it was registered. */
export const knownUses = (org: string) => queryOptions({
  queryKey: ['grant/register/', 'known', org], enabled: org !== '',
  queryFn: async (): Promise<(Known & { seenMs: bigint })[]> => {
    const { uses } = await rpc(GrantService).listUses({ org, limit: 200 })
    return Promise.all(uses.filter(byPage).map(async (use) => {
      const { entry, table } = await rpc(CatalogueService).getEntry({ id: use.entry, version: use.entryVersion })
      return { use, entry: entry!, seenMs: table?.seenMs ?? 0n }
    }))
  },
})

/** coverOf says of each input where it comes from; what no use covers is looked for in the catalogue. */
export const coverOf = (org: string, inputs: string[], known: Known[] | undefined) => queryOptions({
  queryKey: ['catalogue/entry/', 'cover', org, inputs.join('\n'), known?.map((k) => k.use.id).join()], enabled: !!known,
  queryFn: async (): Promise<Cover[]> => {
    const out: Cover[] = []
    for (const input of inputs) {
      const found = byUse(input, known!)
      out.push(found ?? byEntry(input, (await rpc(CatalogueService).listEntries({ text: input, limit: 50 })).entries, org))
    }
    return out
  },
})

/** lanesOf are all requests of a case, those that were asked again included. */
export const lanesOf = (org: string, reference: string) => queryOptions({
  queryKey: ['grant/request/', 'case', org, reference], enabled: org !== '',
  queryFn: () => rpc(GrantService).listDataRequests({ org, businessReference: unhex(reference), limit: MOST }),
})

/** askedOf are the newest requests of an organisation: of them are its cases. */
export const askedOf = (org: string) => queryOptions({
  queryKey: ['grant/request/', 'cases', org], enabled: org !== '',
  queryFn: () => rpc(GrantService).listDataRequests({ org, limit: MOST }),
})

export interface Case { reference: string; requests: DataRequest[]; lanes: DataRequest[]; atMs: bigint }

/** latest are the newest request of each use: a lane that was asked again counts as it stands now. */
export function latest(requests: DataRequest[]): DataRequest[] {
  const of = new Map<string, DataRequest>()
  for (const r of requests) if ((of.get(r.use)?.createdMs ?? -1n) <= r.createdMs) of.set(r.use, r)
  return [...of.values()].sort((a, b) => a.use.localeCompare(b.use))
}

/** casesOf groups requests to one owner by their reference; the newest first. */
export function casesOf(requests: DataRequest[]): Case[] {
  const of = new Map<string, DataRequest[]>()
  for (const r of requests) if (r.owner) of.set(hex(r.businessReference), [...(of.get(hex(r.businessReference)) ?? []), r])
  return [...of].map(([reference, all]) => ({ reference, requests: all, lanes: latest(all), atMs: all.reduce((m, r) => (r.createdMs > m ? r.createdMs : m), 0n) }))
    .sort((a, b) => Number(b.atMs - a.atMs))
}

export type LaneState = 'waits' | 'consented' | 'fetched' | 'empty' | 'declined' | 'late' | 'ended'

/** stateOf is where a lane stands, from its request, its grant and the grant's uses. */
export function stateOf(r: DataRequest, nowMs: number, grant?: Grant, uses: Use[] = []): LaneState {
  if (r.state === S.REQUESTED) return Number(r.notAfterMs) <= nowMs ? 'late' : 'waits'
  if (r.state === S.EXPIRED) return 'late'
  if (r.state !== S.GRANTED) return 'declined'
  const last = uses.at(-1)
  if (last && (last.outcome === O.RECORDED || last.outcome === O.RELEASED)) return 'fetched'
  if (grant && [G.REVOKED, G.VOIDED, G.EXPIRED].includes(grant.state)) return 'ended'
  return last?.outcome === O.EMPTY ? 'empty' : 'consented'
}

// ---- what opens a reference ----

/** Opening is a case as this browser knows it. */
export interface Opening { reference: string; org: string; matter: string; name: string; number: string; salt: string; paper: string[]; atMs: number }

const open = (): Promise<IDBDatabase> => new Promise((done, fail) => {
  const r = indexedDB.open('mulian-cases', 1)
  r.onupgradeneeded = () => r.result.createObjectStore('cases', { keyPath: 'reference' })
  r.onsuccess = () => done(r.result)
  r.onerror = () => fail(r.error)
})

async function store<T>(mode: IDBTransactionMode, what: (s: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await open()
  try {
    return await new Promise<T>((done, fail) => {
      const tx = db.transaction('cases', mode)
      const r = what(tx.objectStore('cases'))
      tx.oncomplete = () => done(r.result)
      tx.onabort = tx.onerror = () => fail(tx.error)
    })
  } finally {
    db.close()
  }
}

/** keepCase is durable once it returns; it is called before the requests are signed, so that no reference is on the ledger that nobody can open. */
export const keepCase = (c: Opening): Promise<unknown> => store('readwrite', (s) => s.put(c))
export const dropCase = (reference: string): Promise<unknown> => store('readwrite', (s) => s.delete(reference))
export const keptCases = (org: string) => queryOptions({
  queryKey: ['kept', 'cases', org],
  queryFn: async () => (await store('readonly', (s) => s.getAll() as IDBRequest<Opening[]>)).filter((c) => c.org === org),
})
