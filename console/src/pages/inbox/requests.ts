// What the inbox asks the server, and how a request is judged before an officer does.
import { queryOptions } from '@tanstack/react-query'
import { type Entry, EntryState, ShareType } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { type Request, RequestState } from '@/gen/mulian/share/v1/share_pb'
import type { Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'

export type Box = 'waiting' | 'mine' | 'done'

const DECIDED = [RequestState.ACCEPTED, RequestState.REFUSED, RequestState.WITHDRAWN]

const filter = (box: Box, org: string) =>
  box === 'mine' ? { requester: org } : { provider: org, states: box === 'waiting' ? [RequestState.RECEIVED] : DECIDED }

/** listRequests reads one box of an organisation, 200 at most. */
export const listRequests = (box: Box, org: string) => queryOptions({
  queryKey: ['share/request/', box, org],
  queryFn: () => rpc(ShareService).listRequests({ ...filter(box, org), limit: 200 }),
})

const count = (box: Box, org: string) => queryOptions({
  queryKey: ['share/request/', 'count', box, org],
  queryFn: async () => Number((await rpc(ShareService).listRequests({ ...filter(box, org), limit: 1 })).total),
})

export const countRequests = count
/** countWaiting is the badge of the menu: how many wait for the signer's organisation. */
export const countWaiting = (s: Signer) => count('waiting', s.org) as never

export const getRequest = (id: string) => queryOptions({
  queryKey: [`share/request/${id}`, 'one'],
  queryFn: () => rpc(ShareService).getRequest({ id }),
})

export const getEntry = (id: string) => queryOptions({
  queryKey: [`catalogue/entry/${id}`, 'one'],
  queryFn: () => rpc(CatalogueService).getEntry({ id }),
})

/** Check is one thing that can be seen without an officer: a word in inbox:checks. */
export interface Check { what: 'entry' | 'drift' | 'items' | 'denied' | 'lock' | 'duty'; holds: boolean }

/** judge compares a request with the entries that it asks for; undefined while they are on their way. */
export function judge(r: Request, entries: (Entry | undefined)[]): Check[] | undefined {
  if (entries.some((e) => !e)) return undefined
  const all = entries as Entry[]
  const asked = (r.terms?.parts ?? []).map((p) => p.items)
  return [
    { what: 'entry', holds: all.every((e) => e.state === EntryState.PUBLISHED || e.state === EntryState.UPDATING) },
    { what: 'drift', holds: all.every((e) => e.state !== EntryState.DRIFTED) },
    { what: 'items', holds: all.every((e, i) => (asked[i] ?? []).every((c) => e.items.some((it) => it.code === c))) },
    { what: 'denied', holds: all.every((e, i) => e.items.every((it) => !(asked[i] ?? []).includes(it.code) || it.shareType !== ShareType.DENIED)) },
    { what: 'duty', holds: (r.terms?.duty ?? '').startsWith(`${r.requester}:`) },
  ]
}
