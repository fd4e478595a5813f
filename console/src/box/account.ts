// The own account as the ledger has it: its keys. Loaded with its page, as it brings the schema.
import { fromBinary } from '@bufbuild/protobuf'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { AccountSchema, type Account } from '@/gen/mulian/identity/v1/identity_pb'
import { rpc } from '@/chain/rpc'

export async function account(id: string): Promise<Account> {
  const o = await rpc(LedgerService).getObject({ key: `identity/account/${id}` })
  return fromBinary(AccountSchema, o.value)
}
