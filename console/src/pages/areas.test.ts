// All areas together: no two claim the same letter, path or name.
import { describe, expect, it } from 'vitest'
import { keyOf, kindOf, pathOf, paths } from '@/chain/paths'

const sources = import.meta.glob<string>('./*/area.ts', { eager: true, query: '?raw', import: 'default' })
const all = (what: RegExp) => Object.values(sources).flatMap((s) => [...s.matchAll(what)].map((m) => m[1]))
const twice = (list: (string | undefined)[]) => list.filter((x, i) => list.indexOf(x) !== i)

describe('areas', () => {
  it('are all there', () => expect(Object.keys(sources).length).toBeGreaterThan(5))
  it('have letters of their own', () => expect(twice(all(/letter: '(.)'/g))).toEqual([]))
  it('have names of their own', () => expect(twice(all(/^\s*id: '([^']+)'/gm))).toEqual([]))
  it('have pages of their own', () => expect(twice(all(/\{ path: '([^']+)',\s*(?:bare: true,\s*)?page:/g))).toEqual([]))
  it('have a route for every page that an object is sent to', () => {
    const routes = all(/\{ path: '([^']+)',/g).map((p) => p!.replace(/\$\w+$/, 'x'))
    expect(paths.filter((p) => !routes.includes(p))).toEqual([])
  })
  it('show what has no page of its own as it stands', () => {
    const key = 'credential/issuer/11110000000021928B'
    expect(pathOf(key)).toBe(`/object/${encodeURIComponent(key)}`)
    expect(kindOf(key)).toBe('object')
  })
  it('lead from a page back to its object', () => {
    for (const [path, key] of [['/correction/0123456789abcdef', 'share/correction/0123456789abcdef'], ['/delivery/0123456789abcdef~3', 'share/delivery/0123456789abcdef/3'], ['/nowhere/x', '']] as const) expect(keyOf(path)).toBe(key)
  })
})
