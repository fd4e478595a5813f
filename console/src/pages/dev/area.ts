import { ApiOutlined, BarChartOutlined, CodeOutlined, ExperimentOutlined, KeyOutlined } from '@ant-design/icons'
import type { Area } from '../area'

export const area: Area = {
  id: 'dev',
  homes: { developer: '/dev/api' },
  menu: [
    { path: '/dev/api', label: 'menu.api', icon: ApiOutlined, order: 58, roles: ['developer'], letter: 'd' },
    { path: '/dev/codes', label: 'menu.codes', icon: CodeOutlined, order: 58.1, roles: ['developer'] },
    { path: '/dev/keys', label: 'menu.keys', icon: KeyOutlined, order: 58.2, roles: ['developer'] },
    { path: '/dev/hooks', label: 'menu.hooks', icon: ApiOutlined, order: 58.25, roles: ['developer'] },
    { path: '/dev/calls', label: 'menu.calls', icon: BarChartOutlined, order: 58.3, roles: ['developer'] },
    { path: '/dev/sandbox', label: 'menu.sandbox', icon: ExperimentOutlined, order: 58.4, roles: ['developer'] },
  ],
  pages: [
    { path: '/dev', page: () => import('./api') },
    { path: '/dev/api', page: () => import('./api') },
    { path: '/dev/codes', page: () => import('./codes') },
    { path: '/dev/keys', page: () => import('./keys') },
    { path: '/dev/hooks', page: () => import('./hooks') },
    { path: '/dev/calls', page: () => import('./calls') },
    { path: '/dev/sandbox', page: () => import('./sandbox') },
  ],
}
