import type { Area } from '../area'

// No entry in the menu: the demo's banner and the page of seats lead here, and only there is a tour.
export const area: Area = {
  id: 'tour',
  pages: [{ path: '/tour', page: () => import('./tour') }],
}
