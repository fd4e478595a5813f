// Calls at the door of the boxes, as safebox/boxcall makes them: each is signed by the key of
// this device, and a signed call is sent once.
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { type BoxAnswer, BoxOrderSchema, BoxService, type StoredItem } from '@/gen/mulian/safebox/v1/door_pb'
import { type ItemHead, ItemHeadSchema } from '@/gen/mulian/safebox/v1/file_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, hex, join, random, sha256, utf8 } from '@/chain/bytes'
import { signP256, type Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'
import type { Here } from './api'

type Want = NonNullable<MessageInitShape<typeof BoxOrderSchema>['want']>

const LIFE_MS = 45_000
const PART = 1 << 20
const ROUNDS = 4
const MOST_ITEMS = 100_000

let door: Promise<string> | undefined // its name

/** Caller makes the calls of one account. */
export interface Caller { at: Here; signer: Signer }

async function ask(c: Caller, want: Want, part = new Uint8Array()): Promise<BoxAnswer> {
  door ??= rpc(LedgerService).getStatus({}).then((s) => s.boxDoor, (err: unknown) => { door = undefined; throw err })
  const key = c.signer.device ?? (c.signer.secret ? { keyId: c.signer.keyId, secret: c.signer.secret } : undefined)
  if (!key) throw new Error('this device has no key for calls')
  const body = toBinary(BoxOrderSchema, create(BoxOrderSchema, {
    chainId: c.at.chainId, to: await door, from: c.signer.account, callId: hex(random(16)), expiresMs: BigInt(Date.now() + c.at.aheadMs + LIFE_MS), want,
  })) as Bytes
  const signature = await signP256(key.secret, join(utf8('mulian-box-call-v1\0'), body))
  return rpc(BoxService).call({ body, key: key.keyId, signature, part })
}

/** fetchVault reads the vault's file; undefined if this door has none. */
export async function fetchVault(c: Caller): Promise<Bytes | undefined> {
  try {
    return (await ask(c, { case: 'fetchVault', value: {} })).content as Bytes
  } catch (err) {
    if (missing(err)) return undefined
    throw err
  }
}
/** missing says that a call was answered with NotFound. */
export const missing = (err: unknown): boolean => (err as { code?: number }).code === 5
export const putVault = async (c: Caller, file: Uint8Array): Promise<void> => { await ask(c, { case: 'putVault', value: { file } }) }

/** layRowKey leaves a sealed row key for who receives under the grant. */
export const layRowKey = async (c: Caller, value: { grant: string; provider: string; rowKeyCommitment: Bytes; sealed: Bytes }): Promise<void> => { await ask(c, { case: 'layRowKey', value }) }

/** list is what lies in the own box. */
export async function list(c: Caller): Promise<StoredItem[]> {
  const out: StoredItem[] = []
  for (let after = ''; out.length <= MOST_ITEMS;) {
    const a = await ask(c, { case: 'list', value: { after, limit: 500 } })
    out.push(...a.items)
    if (!a.next || a.next <= after) return out
    after = a.next
  }
  return out
}

/** head reads the head of an item, and its hash. */
export async function head(c: Caller, item: string): Promise<{ head: ItemHead; sum: Bytes }> {
  const raw = (await ask(c, { case: 'getHead', value: { item } })).content
  const h = fromBinary(ItemHeadSchema, raw)
  if (h.item !== item || h.account !== c.signer.account || h.wraps.length === 0 || h.wraps.length > 8) throw new Error('the door shows the head of something else')
  return { head: h, sum: await sha256(raw) }
}

/** body reads the ciphertext of an item, part by part. */
export async function body(c: Caller, h: ItemHead): Promise<Bytes> {
  const out: Uint8Array[] = []
  let left = Number(h.bodyBytes)
  for (let part = 0; left > 0; part++) {
    const b = (await ask(c, { case: 'getPart', value: { item: h.item, part } })).content
    if (b.length === 0 || b.length > left) throw new Error('a part is not what the head of its item says')
    out.push(b)
    left -= b.length
  }
  return join(...out)
}

/** lay puts an item into the box that its head names. */
export async function lay(c: Caller, h: ItemHead, sealed: Uint8Array): Promise<void> {
  const raw = toBinary(ItemHeadSchema, h)
  const { account: owner, item } = h
  const start = { owner, item, bodyBytes: h.bodyBytes, headSha256: await sha256(raw) }
  for (let round = 0; round < ROUNDS; round++) {
    const a = await ask(c, { case: 'start', value: start })
    if (a.done) return
    if (a.missing.length === 0) { await ask(c, { case: 'finish', value: { owner, item, head: raw } }); return }
    for (const part of a.missing) {
      const b = sealed.slice(part * PART, (part + 1) * PART)
      await ask(c, { case: 'putPart', value: { owner, item, part, sha256: await sha256(b) } }, b)
    }
  }
  throw new Error('the door asks for the same parts again and again')
}

/** erase destroys an item whose erasure is on the ledger, or that was never there. */
export const erase = async (c: Caller, item: string): Promise<boolean> => (await ask(c, { case: 'erase', value: { item } })).done
