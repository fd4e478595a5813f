import { DatabaseOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'sources',
  menu: [{ path: '/sources', label: 'menu', icon: DatabaseOutlined, order: 44, roles: ['operator', 'steward', 'user', 'developer'] }],
  pages: [
    { path: '/sources', page: () => import('./sources') },
    { path: '/source/$id', page: () => import('./source') },
  ],
}
