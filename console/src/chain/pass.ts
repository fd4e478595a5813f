// The reading pass: a signed word by which a server knows who asks, for what only the parties
// of a grant may read (internal/pass). It counts for minutes and for every question of them.
import { type Bytes, bytesField, join, random, sha256, utf8, varint } from './bytes'
import { type Signer, signP256, signTx } from './keys'

/** HEADER carries a pass. */
export const HEADER = 'Mulian-Pass'

/** LIFE of a pass that nobody is asked for; a new one is made after half of it. */
const LIFE_MS = 2 * 60_000
/** VISIT is the life of one that a person has confirmed: the longest that servers take. */
const VISIT_MS = 10 * 60_000

let ahead = 0
/** clock says how far the server's clock is ahead of this device's. */
export const clock = (ms: number): void => { ahead = ms }

let kept: { of: string; from: number; until: number; text: Promise<string> } | undefined

const silent = (s: Signer) => s.device ?? (s.method === 'p256' ? { keyId: s.keyId, secret: s.secret! } : undefined)

/** asksForPass tells that an account has only a passkey here: its person confirms who reads. */
export const asksForPass = (s: Signer): boolean => !silent(s)

/** passOf is what the header has for an account: signed by the key of the device, which asks nobody, or what was confirmed last. "" without both. */
export function passOf(s: Signer): Promise<string> {
  const now = Date.now() + ahead
  const of = `${s.chain} ${s.account}`
  if (kept?.of === of && now >= kept.from && now < kept.until) return kept.text
  const key = silent(s)
  if (!key) return Promise.resolve('')
  kept = { of, from: now, until: now + LIFE_MS / 2, text: made(s.chain, s.account, key.keyId, now + LIFE_MS, (m) => signP256(key.secret, m)) }
  return kept.text
}

/** confirmPass asks the passkey who reads. It throws what the device throws. */
export async function confirmPass(s: Signer): Promise<void> {
  const now = Date.now() + ahead
  const text = await made(s.chain, s.account, s.keyId, now + VISIT_MS, async (m) => signTx(s, await sha256(m)))
  kept = { of: `${s.chain} ${s.account}`, from: now, until: now + VISIT_MS - 10_000, text: Promise.resolve(text) }
}

// What the signature covers: the domain, and the canonical bytes of an open ReadPass.
const message = (open: Uint8Array): Bytes => join(utf8('mulian-read-pass-v1\0'), open)

// A ReadPass without its signature, field by field: the box reads without the schema.
const openPass = (chain: string, account: string, key: string, expiresMs: number, nonce: Uint8Array): Bytes =>
  join(bytesField(1, utf8(chain)), bytesField(2, utf8(account)), bytesField(3, utf8(key)), varint(4 << 3), varint(expiresMs), bytesField(5, nonce))

async function made(chain: string, account: string, key: string, expiresMs: number, sign: (m: Bytes) => Promise<Bytes>): Promise<string> {
  const open = openPass(chain, account, key, expiresMs, random(16))
  return base64url(join(open, bytesField(6, await sign(message(open)))))
}

// base64url without padding.
const base64url = (b: Uint8Array): string => btoa(String.fromCharCode(...b)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
