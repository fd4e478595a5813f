// What the pages of the catalogue ask the server.
import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { queryOptions } from '@tanstack/react-query'
import { CatalogueService } from '@/gen/mulian/catalogue/v1/query_pb'
import { GovernanceService } from '@/gen/mulian/governance/v1/query_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { rpc } from '@/chain/rpc'

/** MOST is the longest page that the server gives. */
export const MOST = 500

/** readObject is an object as it stands on the ledger; height 0 is now. It throws NotFound. */
export const readObject = <S extends DescMessage>(schema: S, key: string, height = 0n) => queryOptions({
  queryKey: [key, 'object', String(height)],
  queryFn: async (): Promise<MessageShape<S>> => {
    const o = await rpc(LedgerService).getObject({ key, height })
    if (!o.found) throw new ConnectError(key, Code.NotFound, new Headers({ 'mulian-code': 'MUL-11020' }))
    return fromBinary(schema, o.value)
  },
})

export const getEntry = (id: string, version = 0n) => queryOptions({
  queryKey: [`catalogue/entry/${id}`, 'one', String(version)],
  queryFn: () => rpc(CatalogueService).getEntry({ id, version }),
})

export const listDuties = (org: string) => queryOptions({
  queryKey: ['catalogue/duty/', 'list', org], enabled: org !== '',
  queryFn: () => rpc(CatalogueService).listDuties({ org, limit: MOST }),
})

export const listEntries = (by: { provider?: string; duty?: string; table?: string }) => queryOptions({
  queryKey: ['catalogue/entry/', 'list', by.provider ?? '', by.duty ?? '', by.table ?? ''], enabled: !!(by.provider || by.duty || by.table),
  queryFn: () => rpc(CatalogueService).listEntries({ ...by, limit: MOST }),
})

export const listTables = (org: string) => queryOptions({
  queryKey: ['catalogue/table/', 'list', org], enabled: org !== '',
  queryFn: () => rpc(CatalogueService).listTables({ org, limit: MOST }),
})

export const listSystems = (org: string) => queryOptions({
  queryKey: ['catalogue/system/', 'list', org], enabled: org !== '',
  queryFn: () => rpc(CatalogueService).listSystems({ org, limit: MOST }),
})

export const listMatters = (duty: string) => queryOptions({
  queryKey: ['catalogue/matter/', 'of', duty],
  queryFn: () => rpc(CatalogueService).listMatters({ duty, limit: MOST }),
})

/** listToSign are the changes that wait for an organisation's counter-signature. */
export const listToSign = (needs: string) => queryOptions({
  queryKey: ['catalogue/pending/', 'needs', needs], enabled: needs !== '',
  queryFn: () => rpc(CatalogueService).listPending({ needs, limit: MOST }),
})

export const getConsortium = () => queryOptions({
  queryKey: ['governance/', 'consortium'],
  queryFn: () => rpc(GovernanceService).getConsortium({}),
})
