// What the pages of the counter read: whose desk it is, and the recoveries.
import { useQuery } from '@tanstack/react-query'
import { Role } from '@/gen/mulian/governance/v1/governance_pb'
import { type Account, AccountSchema } from '@/gen/mulian/identity/v1/identity_pb'
import { RecoveryService } from '@/gen/mulian/recovery/v1/query_pb'
import type { Recovery } from '@/gen/mulian/recovery/v1/recovery_pb'
import { account as accountKey } from '@/chain/names'
import { rpc } from '@/chain/rpc'
import { useWho } from '@/shell/who'
import { getConsortium, readObject } from '../catalogue/reads'
import { deskOf, live, may } from './rights'

/** MAX_FILE bounds a file that is kept of a case, as the command line does; its content stays here. */
export const MAX_FILE = 64 << 20
/** MAX_CAUSE is the longest reason of the rules. */
export const MAX_CAUSE = 500
const PAGE = 200

/** listRecoveries reads all, the running ones first, then by time. */
export async function listRecoveries(): Promise<Recovery[]> {
  const out: Recovery[] = []
  for (let after = ''; ;) {
    const r = await rpc(RecoveryService).listRecoveries({ after, limit: PAGE })
    out.push(...r.recoveries)
    if (!r.next || r.next <= after || out.length >= 10 * PAGE) break
    after = r.next
  }
  return out.sort((a, b) => Number(live(b)) - Number(live(a)) || Number(b.openedMs - a.openedMs))
}

/** countWaiting counts those that wait for the desk of an account. */
export async function countWaiting(by: string): Promise<number> {
  const { queryFn } = readObject(AccountSchema, accountKey(by))
  const acc = await (queryFn as unknown as () => Promise<Account>)()
  return (await listRecoveries()).filter((r) => { const m = may(r, by, deskOf(acc)); return m.vouch || m.review }).length
}

/** useDesk is the desk for which who looks may vouch; why says what is missing. */
export function useDesk(): { desk: string; why?: 'nobody' | 'noRole' | 'noDesk'; loading: boolean } {
  const { signer } = useWho()
  const acc = useQuery({ ...readObject(AccountSchema, accountKey(signer?.account ?? '')), enabled: !!signer })
  const roles = useQuery({ ...getConsortium(), enabled: !!signer?.org })
  if (!signer?.org) return { desk: '', why: 'nobody', loading: false }
  if (!acc.data || !roles.data) return { desk: '', loading: true }
  if (!roles.data.roles.some((r) => r.role === Role.IDENTITY && (r.account === signer.org || r.account === signer.account))) return { desk: '', why: 'noRole', loading: false }
  const desk = deskOf(acc.data)
  return { desk, why: desk ? undefined : 'noDesk', loading: false }
}
