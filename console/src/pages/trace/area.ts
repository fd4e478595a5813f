import { NodeIndexOutlined, SafetyCertificateOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'trace',
  homes: { auditor: '/trace' },
  menu: [
    { path: '/trace', label: 'menu', icon: NodeIndexOutlined, order: 60, letter: 't' },
    { path: '/verify', label: 'menuVerify', icon: SafetyCertificateOutlined, order: 62, letter: 'y' },
  ],
  pages: [
    { path: '/trace', page: () => import('./trace') },
    { path: '/trace/compare', page: () => import('./compare') },
    { path: '/trace/$id', page: () => import('./one') },
    { path: '/verify', page: () => import('./verify') },
  ],
}
