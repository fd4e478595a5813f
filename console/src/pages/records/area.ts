import { AuditOutlined } from '@ant-design/icons'
import type { Area } from '../area'

// Pages of what gateways and programs put on the ledger and people look at: anchored files,
// credentials, corrections.
export const area: Area = {
  id: 'records',
  menu: [{ path: '/evidence', label: 'menu', icon: AuditOutlined, order: 61, roles: ['auditor', 'operator'] }],
  pages: [
    { path: '/evidence', page: () => import('./list') },
    { path: '/evidence/$id', page: () => import('./evidence') },
    { path: '/credential/$id', page: () => import('./credential') },
    { path: '/correction/$id', page: () => import('./correction') },
  ],
}
