// The arithmetic of a state proof, as in state/proof: that a key has a value in the state
// that an app hash commits to. Whether the app hash is the agreed one is the header's matter.
import type { GetObjectResponse } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, hex, join, sha256, utf8 } from './bytes'

export interface Check { what: 'path' | 'appHash'; holds: boolean }

const node = (domain: number, l: Uint8Array, r: Uint8Array) => sha256(join(new Uint8Array([domain]), l, r))

/** proved recomputes the way from key and value to the app hash. */
export async function proved(key: string, o: GetObjectResponse, appHash: Uint8Array): Promise<Check[]> {
  const p = o.proof
  if (!p || !o.found || !p.exists || p.bitmap.length !== Math.ceil(p.depth / 8) || p.depth > 256) return [{ what: 'path', holds: false }]
  const keyHash = await sha256(utf8(key))
  let h: Bytes = await node(0, keyHash, await sha256(o.value))
  let left = p.siblings.length
  for (let d = p.depth - 1; d >= 0; d--) {
    const there = (p.bitmap[d >> 3]! & (0x80 >> d % 8)) !== 0
    const sibling = there ? p.siblings[--left] : new Uint8Array(32)
    if (!sibling) return [{ what: 'path', holds: false }]
    h = ((keyHash[d >> 3]! >> (7 - (d % 8))) & 1) === 0 ? await node(1, h, sibling) : await node(1, sibling, h)
  }
  const size = new Uint8Array(8)
  new DataView(size.buffer).setBigUint64(0, p.logSize)
  const app = await sha256(join(utf8('mulian-state-v1'), p.treeRoot, p.logRoot, size))
  return [
    { what: 'path', holds: left === 0 && hex(h) === hex(p.treeRoot) },
    { what: 'appHash', holds: hex(app) === hex(appHash) },
  ]
}
