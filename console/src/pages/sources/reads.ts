// What gateways have put on the ledger of the databases that they watch.
import { queryOptions } from '@tanstack/react-query'
import { ConsoleService, type Source } from '@/gen/mulian/console/v1/query_pb'
import { rpc } from '@/chain/rpc'

/** sourceId names a source on these pages: its gateway and the gateway's name of it. */
export const sourceId = (s: Pick<Source, 'gateway' | 'name'>): string => `${s.gateway}:${s.name}`

export const listSources = (by: { org?: string; gateway?: string }) => queryOptions({
  queryKey: ['catalogue/', 'sources', by.org ?? '', by.gateway ?? ''],
  queryFn: () => rpc(ConsoleService).listSources(by),
})
