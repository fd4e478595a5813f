// Accounts of an organisation, and one account as it stands.
import { fromBinary } from '@bufbuild/protobuf'
import { queryOptions } from '@tanstack/react-query'
import { AccountSchema } from '@/gen/mulian/identity/v1/identity_pb'
import { IdentityService } from '@/gen/mulian/identity/v1/query_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { rpc } from '@/chain/rpc'

/** listUnits are an organisation, its departments, posts and gateways, 500 at most. */
export const listUnits = (org: string) => queryOptions({
  queryKey: ['identity/account/', 'of', org],
  queryFn: () => rpc(IdentityService).listAccounts({ org, limit: 500 }),
})

/** getAccount reads an account from the state; null if there is none. */
export const getAccount = (id: string) => queryOptions({
  queryKey: [`identity/account/${id}`, 'one'],
  queryFn: async () => {
    const o = await rpc(LedgerService).getObject({ key: `identity/account/${id}` })
    return o.found ? fromBinary(AccountSchema, o.value) : null
  },
})
