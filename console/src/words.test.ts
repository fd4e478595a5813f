// The two languages say the same things: same keys, same placeholders, nothing empty. And
// what a page's source names as a key of its area has to be there.
import { describe, expect, it } from 'vitest'

type Tree = { [key: string]: string | Tree }
const files = import.meta.glob<Tree>(['./words/*.json', './pages/*/*.json', './pages/*/*/*.json', './box/*.json'], { eager: true, import: 'default' })
const sources = import.meta.glob<string>(['./pages/*/*.tsx', './pages/*/*/*.tsx', './pages/*/area.ts'], { eager: true, query: '?raw', import: 'default' })

function flat(tree: Tree, at = ''): Map<string, string> {
  const out = new Map<string, string>()
  for (const [k, v] of Object.entries(tree)) {
    if (typeof v === 'string') out.set(at + k, v)
    else for (const [kk, vv] of flat(v, `${at}${k}.`)) out.set(kk, vv)
  }
  return out
}
const holes = (s: string) => [...s.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort().join()
const folder = (path: string) => path.replace(/\/[^/]+$/, '')

const folders = [...new Set(Object.keys(files).map(folder))]

describe.each(folders)('%s', (dir) => {
  const zh = flat(files[`${dir}/zh-CN.json`] ?? {})
  const en = flat(files[`${dir}/en-US.json`] ?? {})
  it('has the same keys in both languages', () => expect([...zh.keys()].sort()).toEqual([...en.keys()].sort()))
  it('has the same placeholders', () => {
    for (const [k, v] of zh) expect(`${k}: ${holes(en.get(k) ?? '')}`).toBe(`${k}: ${holes(v)}`)
  })
  it('has no empty words', () => {
    for (const [k, v] of [...zh, ...en]) expect(v.trim(), k).not.toBe('')
  })
})

describe('pages', () => {
  it.each(Object.keys(sources))('%s names only words that are there', (path) => {
    const words = flat(files[`${folder(path)}/zh-CN.json`] ?? {})
    const missing = [...sources[path]!.matchAll(/\bt\('([\w.]+)'/g)].map((m) => m[1]!).filter((k) => !words.has(k))
    expect(missing).toEqual([])
  })
  it.each(Object.keys(sources).filter((path) => path.endsWith('area.ts')))('%s has words for its menu, which come with the frame', (path) => {
    const words = flat(files[`${folder(path)}/zh-CN.json`] ?? {})
    const labels = [...sources[path]!.matchAll(/\blabel: '([\w.]+)'/g)].map((m) => m[1]!)
    expect(labels.filter((k) => !words.has(k) || !k.startsWith('menu'))).toEqual([])
  })
})
