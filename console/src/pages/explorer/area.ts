import { BlockOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'explorer',
  menu: [{ path: '/explorer', label: 'menu', icon: BlockOutlined, order: 80, letter: 'e' }],
  pages: [
    { path: '/explorer', page: () => import('./explorer') },
    { path: '/block/$height', page: () => import('./block') },
    { path: '/tx/$id', page: () => import('./tx') },
    { path: '/object/$key', page: () => import('./object') },
  ],
}
