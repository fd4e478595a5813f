// Items of a box, as safebox/item.go and wrap.go have them: a card and a body, encrypted with a
// key of their own, which is closed to the owner's vault. Everything is checked before it is shown.
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type CopyNote, CopyNoteSchema, type ItemCard, ItemCardSchema, type ItemHead, ItemHeadSchema } from '@/gen/mulian/safebox/v1/file_pb'
import { type BoxItem, BoxItemSchema, SealSuite, type Vault } from '@/gen/mulian/safebox/v1/safebox_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, hex, join, random, sha256 } from '@/chain/bytes'
import { rpc } from '@/chain/rpc'
import { body, type Caller, head, lay, list, missing } from './door'
import { be, closeTo, digest, frame, gcm, openTo, same, ungcm } from './seal'
import type { Open } from './vault'

const CHUNK = 64 << 10
const TAG = 16
/** MAX_FILE bounds what these pages encrypt or show: it is held in memory. */
export const MAX_FILE = 16 << 20

interface Place { item: string; version: number; account: string }
const placed = (p: Place) => [p.item, be(4, p.version), p.account] as const
const placeOf = (h: ItemHead): Place => ({ item: h.item, version: h.version, account: h.account })

const nonce = (kind: 1 | 2, i: number, last: boolean) => join(be(1, kind), new Uint8Array(6), be(4, i), be(1, last ? 1 : 0))
const chunkAad = (p: Place, schema: string, i: number) => frame('mulian/box/item/v1', ...placed(p), schema, be(4, i))
const wrapInfo = (p: Place) => frame('mulian/box/wrap/v1', 'owner', ...placed(p), '', p.account)

/** commitment is what the ledger has of a card; an item's id is the first half of it. */
export async function commitment(card: ItemCard): Promise<{ commitment: Bytes; id: string }> {
  const sum = await digest('mulian/box/commitment/v1', toBinary(ItemCardSchema, card))
  return { commitment: sum, id: hex(sum.slice(0, 16)) }
}
/** termsOf is the commitment to the note of a copy that the ledger keeps with its offer. */
export const termsOf = (card: ItemCard): Promise<Bytes> => digest('mulian/box/terms/v1', card.salt, toBinary(CopyNoteSchema, card.copy!))

/** Sealed is an item that is ready to be laid down. */
export interface Sealed { card: ItemCard; head: ItemHead; body: Bytes; commitment: Bytes }

/** cardOf makes the card of content, with a new salt. */
export async function cardOf(content: Uint8Array, what: { title: string; schema: string; mediaType: string; issuer: string; madeMs: bigint; entry?: string; copy?: CopyNote }): Promise<ItemCard> {
  return create(ItemCardSchema, { ...what, salt: random(32), bytes: BigInt(content.length), contentSha256: await sha256(content) })
}

/** seal encrypts content under a new key, and closes that to the vault; a hand-over keeps the card and counts the version up. */
export async function seal(card: ItemCard, content: Uint8Array, vault: Vault, version = 1): Promise<Sealed> {
  const point = vault.keys.find((k) => k.suite === SealSuite.P256)?.publicKey
  if (!point) throw new Error('the vault has no key of P-256')
  const { commitment: sum, id } = await commitment(card)
  const at: Place = { item: id, version, account: vault.account }
  const key = random(32)
  const parts: Bytes[] = []
  for (let i = 0, from = 0; i === 0 || from < content.length; i++, from += CHUNK) {
    const last = from + CHUNK >= content.length
    parts.push(await gcm(key, nonce(1, i, last), chunkAad(at, card.schema, i), content.slice(from, from + CHUNK)))
  }
  const sealed = join(...parts)
  const box = await closeTo(point, wrapInfo(at), key)
  const made = create(ItemHeadSchema, {
    ...at, suite: SealSuite.P256, bodyBytes: BigInt(sealed.length),
    wraps: [{ suite: SealSuite.P256, keyVersion: vault.keyVersion, box }],
    card: await gcm(key, nonce(2, 0, true), chunkAad(at, '', 0), toBinary(ItemCardSchema, card)),
  })
  key.fill(0)
  return { card, head: made, body: sealed, commitment: sum }
}
/** headHash is what an offer commits to of what is laid ready. */
export const headHash = (h: ItemHead): Promise<Bytes> => sha256(toBinary(ItemHeadSchema, h))
export const layDown = (c: Caller, s: Sealed): Promise<void> => lay(c, s.head, s.body)

async function unwrap(o: Open, h: ItemHead): Promise<Bytes> {
  for (const w of h.wraps) {
    const pair = w.suite === SealSuite.P256 ? o.pairs.get(w.keyVersion) : undefined
    if (!pair) continue
    try {
      return await openTo(pair, wrapInfo(placeOf(h)), w.box)
    } catch { /* another one may be ours */ }
  }
  throw new Error(h.wraps.some((w) => w.suite === SealSuite.P256) ? 'other-key' : 'other-suite')
}

/** Item is an item as its owner sees it; without a card it did not open, and failed says why. */
export interface Item { id: string; card?: ItemCard; held?: BoxItem; height?: bigint; failed?: 'damaged' | 'other-suite' | 'other-key' | 'not-as-recorded'; head: ItemHead; key?: Bytes; ms: number }

/** recorded reads an item as the ledger has it. */
export async function recorded(id: string): Promise<{ held?: BoxItem; height: bigint }> {
  const o = await rpc(LedgerService).getObject({ key: `safebox/item/${id}` })
  return { height: o.height, ...(o.found && { held: fromBinary(BoxItemSchema, o.value) }) }
}

/** itemOf reads the head of an item, opens its card and holds it against its id and the ledger. */
export async function itemOf(c: Caller, o: Open, id: string): Promise<Item> {
  const [{ head: h }, { held, height }] = await Promise.all([head(c, id), recorded(id)])
  const begun = performance.now()
  const it: Item = { id, head: h, height, ms: 0, ...(held && { held }) }
  try {
    const key = await unwrap(o, h)
    if (h.suite !== SealSuite.P256 && h.suite !== SealSuite.HYBRID) throw new Error('other-suite')
    const card = fromBinary(ItemCardSchema, await ungcm(key, nonce(2, 0, true), chunkAad(placeOf(h), '', 0), h.card))
    const sum = await commitment(card)
    if (sum.id !== id || card.salt.length !== 32) throw new Error('damaged')
    if (held && !same(sum.commitment, held.commitment)) throw new Error('not-as-recorded')
    Object.assign(it, { card, key })
  } catch (err) {
    const why = err instanceof Error ? err.message : ''
    it.failed = why === 'other-suite' || why === 'other-key' || why === 'not-as-recorded' ? why : 'damaged'
  }
  it.ms = performance.now() - begun
  return it
}

/** itemsOf lists what lies in the box; what was erased meanwhile is left out. */
export async function itemsOf(c: Caller, o: Open): Promise<Item[]> {
  const out: Item[] = []
  for (const s of await list(c)) {
    try {
      out.push(await itemOf(c, o, s.item))
    } catch (err) {
      if (!missing(err)) throw err
    }
  }
  return out
}

/** content reads an item: every chunk and the whole are checked before anything is shown. */
export async function content(c: Caller, it: Item): Promise<{ bytes: Bytes; ms: number }> {
  if (!it.card || !it.key) throw new Error(it.failed ?? 'damaged')
  if (Number(it.card.bytes) > MAX_FILE) throw new Error('too-large')
  const sealed = await body(c, it.head)
  const begun = performance.now()
  const parts: Bytes[] = []
  const size = CHUNK + TAG
  for (let i = 0, from = 0; from < sealed.length; i++, from += size) {
    const last = from + size >= sealed.length
    parts.push(await ungcm(it.key, nonce(1, i, last), chunkAad(placeOf(it.head), it.card.schema, i), sealed.slice(from, from + size)))
  }
  const bytes = join(...parts)
  if (bytes.length !== Number(it.card.bytes) || !same(await sha256(bytes), it.card.contentSha256)) throw new Error('damaged')
  return { bytes, ms: performance.now() - begun }
}

/** shownAs says how content can be shown: fields by name, a text, a picture, or only as a file. */
export type Shown = { as: 'fields'; fields: [string, string][] } | { as: 'text'; text: string } | { as: 'picture' } | { as: 'file' }

export function shownAs(mediaType: string, bytes: Uint8Array): Shown {
  const text = () => new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  try {
    if (/^image\/(png|jpeg|webp)$/.test(mediaType)) return { as: 'picture' }
    if (mediaType === 'application/dc+sd-jwt') return { as: 'fields', fields: claims(text()) }
    if (mediaType === 'application/vnd.mulian.credential+json') return { as: 'fields', fields: claims((JSON.parse(text()) as { credential?: string }).credential ?? '') }
    if (/[/+]json$/.test(mediaType)) return { as: 'fields', fields: flat('', JSON.parse(text())) }
    if (mediaType.startsWith('text/')) return { as: 'text', text: text() }
  } catch { /* it is not what its type says */ }
  return { as: 'file' }
}

const MOST_FIELDS = 500
function flat(path: string, v: unknown, out: [string, string][] = []): [string, string][] {
  if (out.length >= MOST_FIELDS) return out
  if (v && typeof v === 'object') for (const [k, x] of Object.entries(v)) flat(path ? `${path}.${k}` : k, x, out)
  else out.push([path, String(v)])
  return out
}

/** claims are the disclosures of an SD-JWT: salt, name, value. */
function claims(sdjwt: string): [string, string][] {
  const plain = (s: string) => JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(s.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)))) as unknown[]
  return sdjwt.split('~').slice(1).filter(Boolean).filter((d) => !d.includes('.')).map((d) => plain(d)).filter((d) => d.length === 3).map((d) => [String(d[1]), typeof d[2] === 'object' ? JSON.stringify(d[2]) : String(d[2])])
}
