import { FundProjectionScreenOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'reports',
  menu: [{ path: '/reports', label: 'menu', icon: FundProjectionScreenOutlined, order: 62, roles: ['operator', 'auditor', 'steward'] }],
  pages: [{ path: '/reports', page: () => import('./reports') }],
}
