// What the operator's pages ask the server.
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { OverviewService } from '@/gen/mulian/console/v1/overview_pb'
import { rpc } from '@/chain/rpc'

export const PERIODS = ['1', '7', '30'] as const

/** days reads a period out of an address. */
export const days = (text: string): number => (PERIODS.includes(text as '1') ? Number(text) : 1)

/** getOverview is asked again every five seconds: the server counts once for each height. */
export const getOverview = (n: number) => queryOptions({
  queryKey: ['overview', n], refetchInterval: 5000, placeholderData: keepPreviousData,
  queryFn: () => rpc(OverviewService).getOverview({ days: n }),
})

export const listShares = (n: number) => queryOptions({
  queryKey: ['trace/sequence/', 'shares', n], placeholderData: keepPreviousData,
  queryFn: () => rpc(OverviewService).listShares({ days: n }),
})

export const listStarts = (n: number) => queryOptions({
  queryKey: ['share/agreement/', 'starts', n], placeholderData: keepPreviousData,
  queryFn: () => rpc(OverviewService).listStarts({ days: n }),
})
