// A key of another device that shall become one of a box: what stands in the code that the new
// device shows, and what the ledger is told of it. Nothing in a code is secret; whether it comes
// from the device in the other hand, people see by the same short number on both screens.
import { KeyAlgorithm, KeyLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { type Bytes, hex, join, sha256, unhex, utf8 } from '@/chain/bytes'
import { keyIdOf, makeKey, makePasskey, signP256, type Signer, signTx, waiting } from '@/chain/keys'
import { base64, type Here, unbase64 } from './api'

const VERSION = 1
const PASSKEY = 1
const BACKED_UP = 2
const HEAD = 2 + 16 + 64 // version, flags, account, x and y
const MAX_POSSESSION = 1024
const PERSON = /^p-[0-9a-f]{32}$/

/** NewcomerKey is what a code says: a key that wants to be one of the account, and, if the others are lost, the proof that somebody has it. */
export interface NewcomerKey { account: string; id: string; point: Bytes; passkey: boolean; backupEligible: boolean; possession: Bytes }

/** accountOf is the account of a person in a text: the code of a box, or a link with it; undefined if there is none. */
export function accountOf(text: string): string | undefined {
  const last = text.trim().split('#').pop()!
  return PERSON.test(last) ? last : undefined
}

export const url64 = (b: Uint8Array): string => base64(b).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')
export const unurl64 = (s: string): Bytes | undefined => {
  if (!/^[\w-]{1,4096}$/.test(s)) return undefined
  try { return unbase64(s.replaceAll('-', '+').replaceAll('_', '/')) } catch { return undefined }
}

/** written is the code of a key. */
export function written(s: Signer, possession: Uint8Array = new Uint8Array()): string {
  const flags = (s.method === 'passkey' ? PASSKEY : 0) | (s.backupEligible ? BACKED_UP : 0)
  return url64(join(new Uint8Array([VERSION, flags]), unhex(s.account.slice(2)), s.point.slice(1), possession))
}

/** read is the key that a code or a link with it names; undefined if it is none. */
export async function read(text: string): Promise<NewcomerKey | undefined> {
  const b = unurl64(text.trim().split('#').pop()!)
  if (!b || b.length < HEAD || b.length > HEAD + MAX_POSSESSION || b[0] !== VERSION || b[1]! > (PASSKEY | BACKED_UP)) return undefined
  const passkey = (b[1]! & PASSKEY) !== 0
  const point = join(new Uint8Array([4]), b.slice(18, HEAD))
  return {
    account: `p-${hex(b.slice(2, 18))}`, point, passkey, backupEligible: (b[1]! & BACKED_UP) !== 0, possession: b.slice(HEAD),
    id: await keyIdOf(passkey ? KeyAlgorithm.WEBAUTHN : KeyAlgorithm.P256, point),
  }
}

/** numberOf is what two people compare: twelve digits of the key for the account. Whoever wants to slip in a key of his own on the way needs some 10^12 tries for each code, within minutes. */
export async function numberOf(k: { account: string; id: string; point: Uint8Array }): Promise<string> {
  const h = await sha256(join(utf8(`mulian-newkey-number-v1\0${k.account}\0${k.id}\0`), k.point))
  const n = new DataView(h.buffer).getBigUint64(0) % 1_000_000_000_000n
  return n.toString().padStart(12, '0').replace(/(....)(?=.)/g, '$1 ')
}

/** keyOf is the key as the ledger takes it: ROOT, without an end. */
export const keyOf = async (k: NewcomerKey) => ({
  id: k.id, publicKey: k.point, level: KeyLevel.ROOT, label: k.passkey ? 'passkey' : 'browser', algorithm: k.passkey ? KeyAlgorithm.WEBAUTHN : KeyAlgorithm.P256,
  ...(k.passkey && { passkey: { rpIdHash: await sha256(utf8(location.hostname)), backupEligible: k.backupEligible } }),
})

/** place is where the new keys wait for an account until they count. */
export const PLACE = 'box/newkey'

/** prepare makes the keys of this device for a box that there is already, or returns those that wait. */
export const prepare = (at: Here, account: string, passkey: boolean, label: string): Promise<Signer> => waiting(at.chainId, PLACE, async () => {
  const key = passkey ? await makePasskey(label) : await makeKey()
  const device = await makeKey()
  return {
    ...key, account, org: '', orgName: '', role: 'citizen', chain: at.chainId, addedMs: Date.now(),
    device: { keyId: device.keyId, point: device.point, secret: device.secret! },
  }
})

/** possessed signs that this device has the new key, for this account on this chain (recovery.KeyMessage). */
export async function possessed(s: Signer): Promise<Bytes> {
  const message = utf8(`mulian-recovery-key-v1\0${s.chain}\0${s.account}\0${s.keyId}`)
  return s.method === 'p256' ? signP256(s.secret!, message) : signTx(s, await sha256(message))
}

// ---- guardians ----

/** Card is what a guardian keeps: with it he can vouch, and without it nobody finds out that he is one. */
export interface Card { account: string; guardian: string; salt: Bytes }

/** carded is the code of a card. */
export const carded = (c: Card): string => url64(join(new Uint8Array([VERSION]), unhex(c.account.slice(2)), unhex(c.guardian.slice(2)), c.salt))
/** cardIn is the card that a code or a link with it holds. */
export function cardIn(text: string): Card | undefined {
  const b = unurl64(text.trim().split('#').pop()!)
  if (b?.length !== 65 || b[0] !== VERSION) return undefined
  return { account: `p-${hex(b.slice(1, 17))}`, guardian: `p-${hex(b.slice(17, 33))}`, salt: b.slice(33) }
}
/** commitment is how a guardian stands on the ledger (recovery.Commitment). */
export const commitment = (c: Pick<Card, 'guardian' | 'salt'>): Promise<Bytes> => sha256(join(utf8('mulian-guardian-v1\0'), c.salt, utf8(c.guardian)))
/** cardNote is where a guardian's browser keeps the card for an account. */
export const cardNote = (account: string): string => `guard:${account}`
