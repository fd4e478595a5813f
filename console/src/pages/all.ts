import type { Area, MenuItem } from './area'

/** areas are all folders of pages that have an area.ts. */
export const areas: Area[] = Object.values(import.meta.glob<Area>('./*/area.ts', { eager: true, import: 'area' }))

/** menu is everything that stands in the sider, in its order, with the area of its words. */
export const menu: (MenuItem & { area: string })[] = areas
  .flatMap((a) => (a.menu ?? []).map((m) => ({ ...m, area: a.id })))
  .sort((a, b) => a.order - b.order)

/** bare are the paths of pages without the frame. */
export const bare = new Set(areas.flatMap((a) => a.pages.filter((p) => p.bare).map((p) => p.path)))
