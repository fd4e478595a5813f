import { IdcardOutlined } from '@ant-design/icons'
import type { Signer } from '@/chain/keys'
import type { Area } from '../area'

// The badge; what it asks comes with the first count, not with the frame.
const countWaiting = (s: Signer) => ({ queryKey: ['recovery/recovery/', 'count', s.account], refetchInterval: 60_000, queryFn: async () => (await import('./desk')).countWaiting(s.account) }) as never

// The desks of an identity authority: who has lost all keys, or one, comes here in person.
export const area: Area = {
  id: 'recovery',
  homes: { identity: '/recoveries', identity2: '/recoveries' },
  menu: [{ path: '/recoveries', label: 'menu', icon: IdcardOutlined, order: 16, roles: ['identity', 'identity2'], count: countWaiting }],
  pages: [
    { path: '/recoveries', page: () => import('./recoveries') },
    { path: '/recovery/$id', page: () => import('./recovery') },
  ],
}
