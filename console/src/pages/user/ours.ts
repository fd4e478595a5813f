// What an organisation asks others for: its requests, and the agreements that came of them.
import { queryOptions } from '@tanstack/react-query'
import { ShareService } from '@/gen/mulian/share/v1/query_pb'
import { AgreementState as A, RequestState as R } from '@/gen/mulian/share/v1/share_pb'
import type { Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'

/** View is one list of the home: requests or agreements in some of their states. */
export interface View { id: ViewId; requests?: R[]; agreements?: A[] }
export type ViewId = 'received' | 'incomplete' | 'offered' | 'active' | 'attention' | 'refused' | 'over'

/** views are disjoint, and together all that an organisation has asked for. */
export const views: View[] = [
  { id: 'received', requests: [R.RECEIVED] },
  { id: 'incomplete', requests: [R.INCOMPLETE] },
  { id: 'offered', agreements: [A.OFFERED] },
  { id: 'active', agreements: [A.ACTIVE, A.AMENDING, A.RENEWING, A.ENDING] },
  { id: 'attention', agreements: [A.SUSPENDED, A.RECTIFYING, A.DISPOSING] },
  { id: 'refused', requests: [R.REFUSED, R.WITHDRAWN] },
  { id: 'over', agreements: [A.ENDED, A.DISPOSED] },
]

/** toDo are the lists in which the asker himself has to do the next step. */
export const toDo: ViewId[] = ['incomplete', 'offered', 'attention']

export const listRequests = (org: string, states: R[], entry = '', limit = 200) => queryOptions({
  queryKey: ['share/request/', 'asked', org, states.join(), entry, limit],
  queryFn: () => rpc(ShareService).listRequests({ requester: org, states, entry, limit }),
})

export const listAgreements = (org: string, states: A[], entry = '', limit = 200) => queryOptions({
  queryKey: ['share/agreement/', 'held', org, states.join(), entry, limit],
  queryFn: () => rpc(ShareService).listAgreements({ consumer: org, states, entry, limit }),
})

async function counted(org: string, v: View): Promise<number> {
  const share = rpc(ShareService)
  return Number(v.requests
    ? (await share.listRequests({ requester: org, states: v.requests, limit: 1 })).total
    : (await share.listAgreements({ consumer: org, states: v.agreements!, limit: 1 })).total)
}

/** countView is how many rows a list has. */
export const countView = (org: string, v: View) => queryOptions({
  queryKey: [v.requests ? 'share/request/' : 'share/agreement/', 'count', org, v.id],
  queryFn: () => counted(org, v),
})

/** countToDo is the badge of the menu. */
export const countToDo = (s: Signer) => queryOptions({
  queryKey: ['share/', 'to do', s.org],
  queryFn: async () => (await Promise.all(views.filter((v) => toDo.includes(v.id)).map((v) => counted(s.org, v)))).reduce((a, b) => a + b, 0),
}) as never
