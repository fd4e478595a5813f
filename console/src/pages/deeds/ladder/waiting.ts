// Which objections and disputes wait for an organisation.
import { type Dispute, DisputeLevel as L, DisputeState as D, type Objection, ObjectionState as O } from '@/gen/mulian/share/v1/life_pb'
import { Role } from '@/gen/mulian/governance/v1/governance_pb'
import { GovernanceService } from '@/gen/mulian/governance/v1/query_pb'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { rpc } from '@/chain/rpc'

const MOST = 500

/** decides tells whether an organisation has to say what comes of an open dispute: the respondent of the negotiation, else the authority, which is no judge of its own case. */
export function decides(d: Pick<Dispute, 'level' | 'claimant' | 'respondent'>, org: string, authority: boolean): boolean {
  if (d.level === L.NEGOTIATE) return d.respondent === org
  return authority && !(d.level === L.AUTHORITY && [d.claimant, d.respondent].includes(org))
}

/** listWaiting reads what an organisation has to answer or to decide. */
export async function listWaiting(org: string): Promise<{ objections: Objection[]; disputes: Dispute[] }> {
  const share = rpc(ShareService)
  const { roles } = await rpc(GovernanceService).getConsortium({})
  const authority = roles.some((r) => r.role === Role.AUTHORITY && r.account.split('/')[0] === org)
  const [objections, disputes] = await Promise.all([
    share.listObjections({ against: org, states: [O.FILED], limit: MOST }),
    share.listDisputes({ respondent: authority ? '' : org, states: [D.OPEN], limit: MOST }),
  ])
  return { objections: objections.objections, disputes: disputes.disputes.filter((d) => decides(d, org, authority)) }
}

/** countWaiting is the badge of the menu. */
export async function countWaiting(org: string): Promise<number> {
  const w = await listWaiting(org)
  return w.objections.length + w.disputes.length
}
