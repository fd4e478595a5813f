import { BookOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'catalogue',
  menu: [{ path: '/catalogue', label: 'menu', icon: BookOutlined, order: 40, letter: 'c' }],
  pages: [
    { path: '/catalogue', page: () => import('./catalogue') },
    { path: '/catalogue/register', page: () => import('./register') },
    { path: '/catalogue/new', page: () => import('./edit') },
    { path: '/duty/$id', page: () => import('./duty') },
    { path: '/item/$id', page: () => import('./item') },
    { path: '/item/$id/edit', page: () => import('./edit') },
    { path: '/resource/$id', page: () => import('./resource') },
  ],
}
