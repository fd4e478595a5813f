import { FileDoneOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'case',
  homes: { clerk: '/matters' },
  menu: [{ path: '/matters', label: 'menu', icon: FileDoneOutlined, order: 15, roles: ['clerk'], letter: 'm' }],
  pages: [
    { path: '/matters', page: () => import('./matters') },
    { path: '/matter/$id', page: () => import('./apply') },
    { path: '/matter/$id/apply', page: () => import('./apply') },
    { path: '/case/$reference', page: () => import('./case') },
  ],
}
