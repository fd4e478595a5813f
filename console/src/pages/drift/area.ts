import { AlertOutlined } from '@ant-design/icons'
import type { Area } from '../area'
import { countOpen } from './reads'

export const area: Area = {
  id: 'drift',
  menu: [{ path: '/drift', label: 'menu', icon: AlertOutlined, order: 46, roles: ['operator', 'steward', 'auditor'], count: countOpen }],
  pages: [
    { path: '/drift', page: () => import('./drifts') },
    { path: '/drift/$id', page: () => import('./drift') },
  ],
}
