import { AlertOutlined, ApartmentOutlined, BankOutlined, ClusterOutlined, DashboardOutlined, FieldTimeOutlined, FormOutlined, FundProjectionScreenOutlined, KeyOutlined } from '@ant-design/icons'
import type { Signer } from '@/chain/keys'
import type { Area } from '../area'

// The badge of the votes; their schema comes with the first count, not with the frame.
const countVotes = (s: Signer) => ({ queryKey: ['governance/proposal/', 'mine', s.org], queryFn: async () => (await import('./votes')).countMine(s.org) }) as never

export const area: Area = {
  id: 'operator',
  homes: { operator: '/overview' },
  menu: [
    { path: '/overview', label: 'menu.overview', icon: DashboardOutlined, order: 10, roles: ['operator'], letter: 'h' },
    { path: '/catalogue/map', label: 'menu.map', icon: ApartmentOutlined, order: 20, roles: ['operator'] },
    { path: '/requests', label: 'menu.requests', icon: FieldTimeOutlined, order: 29, roles: ['operator'] },
    { path: '/findings', label: 'menu.findings', icon: AlertOutlined, order: 61, roles: ['operator', 'auditor'] },
    { path: '/members', label: 'menu.members', icon: BankOutlined, order: 80, roles: ['operator', 'auditor'] },
    { path: '/nodes', label: 'menu.nodes', icon: ClusterOutlined, order: 81, roles: ['operator', 'auditor'] },
    { path: '/gov', label: 'menu.gov', icon: FormOutlined, order: 82, roles: ['operator'], letter: 'v', count: countVotes },
    { path: '/keys', label: 'menu.keys', icon: KeyOutlined, order: 83, roles: ['operator', 'steward'] },
    { path: '/screen', label: 'menu.screen', icon: FundProjectionScreenOutlined, order: 95, roles: ['operator'] },
  ],
  pages: [
    { path: '/overview', page: () => import('./overview') },
    { path: '/shared', page: () => import('./shared') },
    { path: '/findings', page: () => import('./findings') },
    { path: '/gov', page: () => import('./gov') },
    { path: '/catalogue/map', page: () => import('./map') },
    { path: '/requests', page: () => import('./requests') },
    { path: '/members', page: () => import('./members') },
    { path: '/org/$id', page: () => import('./org') },
    { path: '/nodes', page: () => import('./nodes') },
    { path: '/keys', page: () => import('./keys') },
    { path: '/screen', page: () => import('./screen'), bare: true },
    { path: '/proposal/$id', page: () => import('./proposal') },
  ],
}
