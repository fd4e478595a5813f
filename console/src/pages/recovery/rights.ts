// What a desk may do with a recovery, as rules/recovery has it: two officers of different desks vouch,
// and two of yet other desks review what a lost key has vetoed.
import { type Account, AccountKind } from '@/gen/mulian/identity/v1/identity_pb'
import { type Recovery, RecoveryPath as P, RecoveryState as S } from '@/gen/mulian/recovery/v1/recovery_pb'
import { type Bytes, join, sha256, utf8 } from '@/chain/bytes'

/** evidence commits to a file (internal/recovery.Evidence): the ledger gets the hash, the case's file the salt. */
export const evidence = (salt: Uint8Array, content: Uint8Array): Promise<Bytes> => sha256(join(utf8('mulian-evidence-v1\0'), salt, content))

/** deskOf is the department under which an account signs; "" if it has none. */
export const deskOf = (a: Account): string => (a.kind === AccountKind.DEPARTMENT ? a.id : a.kind === AccountKind.POST && a.parent ? `${a.org}/d/${a.parent}` : '')

/** live says whether a recovery still runs. */
export const live = (r: Recovery): boolean => [S.OPEN, S.LOCKED, S.REVIEW].includes(r.state)

/** May is what an officer of that desk may do with it now. */
export interface May { vouch: boolean; review: boolean; cancel: boolean }
export function may(r: Recovery, by: string, desk: string): May {
  const signed = r.approvals.some((a) => a.desk === desk) || r.reviewDesk === desk
  return {
    vouch: !!desk && r.state === S.OPEN && r.path === P.COUNTER && !signed,
    review: !!desk && r.state === S.REVIEW && !signed,
    cancel: (r.state === S.OPEN || r.state === S.LOCKED) && r.approvals[0]?.by === by,
  }
}
