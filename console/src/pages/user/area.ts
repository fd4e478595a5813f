import { QrcodeOutlined, SolutionOutlined } from '@ant-design/icons'
import type { Area } from '../area'
import { countToDo } from './ours'

export const area: Area = {
  id: 'user',
  homes: { user: '/applications' },
  menu: [
    { path: '/applications', label: 'menu', icon: SolutionOutlined, order: 20, roles: ['user'], letter: 'u', count: countToDo },
    { path: '/asks', label: 'menuAsks', icon: QrcodeOutlined, order: 25, roles: ['user', 'clerk'] },
  ],
  pages: [
    { path: '/applications', page: () => import('./applications') },
    { path: '/asks', page: () => import('./asks') },
    { path: '/datarequest/$id', page: () => import('./datarequest') },
    { path: '/grant/$id', page: () => import('./grant') },
    { path: '/agreement/$id', page: () => import('./agreement') },
    { path: '/request/new', page: () => import('./apply') },
  ],
}
