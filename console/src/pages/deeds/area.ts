import { FormOutlined } from '@ant-design/icons'
import type { Signer } from '@/chain/keys'
import type { Area } from '../area'

// The badge; what it asks comes with the first count, not with the frame.
const countWaiting = (s: Signer) => ({ queryKey: ['share/objection/', 'count', s.org], refetchInterval: 60_000, queryFn: async () => (await import('./ladder/waiting')).countWaiting(s.org) }) as never

// What may be done with an object besides its primary action, offered on that object's page; and
// the pages of what comes of a quarrel.
export const area: Area = {
  id: 'deeds',
  menu: [{ path: '/disputes', label: 'menu', icon: FormOutlined, order: 32, roles: ['steward', 'user', 'operator'], count: countWaiting }],
  pages: [
    { path: '/disputes', page: () => import('./ladder') },
    { path: '/objection/$id', page: () => import('./ladder/objection') },
    { path: '/dispute/$id', page: () => import('./ladder/dispute') },
  ],
}
