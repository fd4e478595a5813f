// All areas together: no two claim the same letter, path or name.
import { describe, expect, it } from 'vitest'

const sources = import.meta.glob<string>('./*/area.ts', { eager: true, query: '?raw', import: 'default' })
const all = (what: RegExp) => Object.values(sources).flatMap((s) => [...s.matchAll(what)].map((m) => m[1]))
const twice = (list: (string | undefined)[]) => list.filter((x, i) => list.indexOf(x) !== i)

describe('areas', () => {
  it('are all there', () => expect(Object.keys(sources).length).toBeGreaterThan(5))
  it('have letters of their own', () => expect(twice(all(/letter: '(.)'/g))).toEqual([]))
  it('have names of their own', () => expect(twice(all(/^\s*id: '([^']+)'/gm))).toEqual([]))
  it('have pages of their own', () => expect(twice(all(/\{ path: '([^']+)',\s*(?:bare: true,\s*)?page:/g))).toEqual([]))
})
