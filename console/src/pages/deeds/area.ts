import type { Area } from '../area'

// No page of its own: what may be done with an object, offered on that object's page.
export const area: Area = { id: 'deeds', pages: [] }
