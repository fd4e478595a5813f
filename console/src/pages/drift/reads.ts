// What the pages of drift ask the server.
import { queryOptions } from '@tanstack/react-query'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import type { Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'

/** whose are the drifts that somebody sees: an overseer all, everybody else those of his organisation. */
export const whose = (s: Signer | undefined): string => (!s?.org || s.role === 'operator' || s.role === 'auditor' ? '' : s.org)

export const listDrifts = (org: string, openOnly: boolean) => queryOptions({
  queryKey: ['catalogue/drift/', 'list', org, openOnly],
  queryFn: () => rpc(CatalogueService).listDrifts({ org, openOnly, limit: 500 }),
})

/** countOpen is the badge of the menu: the drifts of the page's first tab. */
export const countOpen = (s: Signer) => queryOptions({
  queryKey: ['catalogue/drift/', 'count', whose(s)],
  queryFn: async () => Number((await rpc(CatalogueService).listDrifts({ org: whose(s), openOnly: true, limit: 1 })).total),
}) as never
