import type { Area } from '../area'

export const area: Area = {
  id: 'home',
  pages: [
    { path: '/', page: () => import('./home') },
    { path: '/seats', page: () => import('./seats') },
    { path: '/setup/$token', page: () => import('./seats') },
    { path: '/signin', page: () => import('./signin') },
    { path: '/settings', page: () => import('./settings') },
  ],
}
