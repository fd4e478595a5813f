import { FormOutlined } from '@ant-design/icons'
import type { Area } from '../area'

// What may be done with an object besides its primary action, offered on that object's page; and
// the pages of what comes of a quarrel.
export const area: Area = {
  id: 'deeds',
  menu: [{ path: '/disputes', label: 'menu', icon: FormOutlined, order: 32, roles: ['steward', 'user', 'operator'] }],
  pages: [
    { path: '/disputes', page: () => import('./ladder') },
    { path: '/objection/$id', page: () => import('./ladder/objection') },
    { path: '/dispute/$id', page: () => import('./ladder/dispute') },
  ],
}
