import { ExportOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'deliveries',
  menu: [{ path: '/deliveries', label: 'menu', icon: ExportOutlined, order: 48, roles: ['operator', 'steward'] }],
  pages: [
    { path: '/deliveries', page: () => import('./deliveries') },
    { path: '/delivery/$id', page: () => import('./delivery') },
  ],
}
