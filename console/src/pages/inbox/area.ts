import { AuditOutlined } from '@ant-design/icons'
import type { Area } from '../area'
import { countWaiting } from './requests'

export const area: Area = {
  id: 'inbox',
  homes: { steward: '/inbox' },
  menu: [{ path: '/inbox', label: 'menu', icon: AuditOutlined, order: 30, roles: ['operator', 'steward', 'user'], letter: 'i', count: countWaiting }],
  pages: [
    { path: '/inbox', page: () => import('./inbox') },
    { path: '/request/$id', page: () => import('./request') },
  ],
}
