// What a matter asks for, and where each input comes from: an item that a registered use covers,
// an entry of one's own, an entry that no use covers, or paper. Nothing else is guessed.
import { type Entry, EntryState, ItemState } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import type { IntendedUse } from '@/gen/mulian/grant/v1/grant_pb'

/** Known is a registered use with its entry, as it was when the use was registered. */
export interface Known { use: IntendedUse; entry: Entry }

export type Cover =
  | { by: 'use'; input: string; known: Known; items: number[] } // positions in the entry's order
  | { by: 'own' | 'unused'; input: string; entry: Entry }
  | { by: 'paper'; input: string }

const has = (set: Uint8Array, i: number): boolean => (((set[i >> 3] ?? 0) >> (i % 8)) & 1) === 1

/** setOf is the ledger's bitmap of positions: the lowest bit first, the last byte not zero. */
export function setOf(positions: number[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(positions.length === 0 ? 0 : (Math.max(...positions) >> 3) + 1)
  for (const i of positions) out[i >> 3]! |= 1 << (i % 8)
  return out
}

/** both are the positions that stand in two bitmaps. */
export const both = (a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> => setOf(Array.from({ length: a.length * 8 }, (_, i) => i).filter((i) => has(a, i) && has(b, i)))

/** byUse looks for an input among the uses that are registered: by the name of an item, else of an entry. */
export function byUse(input: string, known: Known[]): Cover | undefined {
  for (const k of known) {
    const may = k.entry.items.flatMap((it, i) => (has(k.use.items, i) && it.state !== ItemState.FROZEN ? [i] : []))
    const items = k.entry.name === input ? may : may.filter((i) => k.entry.items[i]!.name === input)
    if (items.length > 0) return { by: 'use', input, known: k, items }
  }
  return undefined
}

/** byEntry looks for an input among entries of the catalogue that have it by name. */
export function byEntry(input: string, entries: Entry[], org: string): Cover {
  const there = entries.filter((e) => e.state !== EntryState.WITHDRAWN && (e.name === input || e.items.some((it) => it.name === input)))
  const own = there.find((e) => e.provider === org)
  if (own) return { by: 'own', input, entry: own }
  return there[0] ? { by: 'unused', input, entry: there[0] } : { by: 'paper', input }
}

/** Part is what one request asks for: the inputs that one use covers. */
export interface Part { known: Known; inputs: string[]; items: Uint8Array<ArrayBuffer> }

/** partsOf puts what uses cover together, one part for each use, in the order of the inputs. */
export function partsOf(covers: Cover[]): Part[] {
  const out = new Map<string, { known: Known; inputs: string[]; at: Set<number> }>()
  for (const c of covers) {
    if (c.by !== 'use') continue
    const p = out.get(c.known.use.id) ?? { known: c.known, inputs: [], at: new Set<number>() }
    p.inputs.push(c.input)
    for (const i of c.items) p.at.add(i)
    out.set(c.known.use.id, p)
  }
  return [...out.values()].map((p) => ({ known: p.known, inputs: p.inputs, items: setOf([...p.at]) }))
}
