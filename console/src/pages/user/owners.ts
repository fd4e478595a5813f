// What an organisation asks of persons and firms: registered uses, requests, grants.
import { queryOptions } from '@tanstack/react-query'
import { DataRequestState as S, GrantBasis, type IntendedUse, IntendedUseState } from '@/gen/mulian/grant/v1/grant_pb'
import { GrantService } from '@/gen/mulian/grant/v1/query_pb'
import { rpc } from '@/chain/rpc'
import { type Bytes, join, random, sha256, utf8 } from '@/chain/bytes'

export type ListId = 'open' | 'granted' | 'closed'
export const lists: { id: ListId; states: S[] }[] = [
  { id: 'open', states: [S.REQUESTED] }, { id: 'granted', states: [S.GRANTED] }, { id: 'closed', states: [S.DECLINED, S.EXPIRED, S.WITHDRAWN] },
]

export const listAsked = (org: string, states: S[], limit = 200) => queryOptions({
  queryKey: ['grant/request/', 'asked', org, states.join(), limit],
  queryFn: () => rpc(GrantService).listDataRequests({ org, states, limit }),
})

export const listUses = (org: string) => queryOptions({
  queryKey: ['grant/register/', 'of', org],
  queryFn: () => rpc(GrantService).listUses({ org, limit: 200 }),
})

/** asked is one request with its use, its grant, and what the owner reads. */
export const asked = (id: string, language: string) => queryOptions({
  queryKey: [`grant/request/${id}`, 'one', language],
  queryFn: () => rpc(GrantService).getDataRequest({ id, language: language.slice(0, 2) }),
})

/** byPage are uses by which a page can ask: an entry that everybody may know, and no statutory duty (the officer names the row then). */
export const byPage = (u: IntendedUse): boolean => u.state === IntendedUseState.ACTIVE && u.entry !== '' && u.basis !== GrantBasis.DUTY

/** Opening is what a commitment on the ledger is of; it stays in this browser and in the file. */
export interface Opening { business: string; business_salt: string; match_number?: string; match_salt?: string }

/** newMatch is a match number 核对码: two digits for one's own screen, the salt for the owner's link, and what the ledger gets of both (internal/consent, Match). */
export async function newMatch(): Promise<{ number: string; salt: Bytes; sum: Bytes }> {
  const salt = random(16)
  const number = String(crypto.getRandomValues(new Uint32Array(1))[0]! % 100).padStart(2, '0')
  return { number, salt, sum: await sha256(join(utf8('mulian-match-v1\0'), salt, utf8(number))) }
}

/** linkOf leads an owner to a request in his box. The salt of its match number stands behind #: no browser sends that to a server. */
export const linkOf = (request: string, opening?: Opening): string => `${location.origin}/box/ask/${request}${opening?.match_salt ? `#${opening.match_salt}` : ''}`

/** commit is the ledger's commitment to a private text (internal/consent, Private). */
export async function commit(text: string): Promise<{ sum: Bytes; salt: Bytes }> {
  const salt = random(16)
  return { sum: await sha256(join(utf8('mulian-private-v1\0'), salt, utf8(text))), salt }
}
