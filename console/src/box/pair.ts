// A second device for an account. Two texts go between two screens, by code or pasted, and no
// server in between; neither holds a secret.
//
//	first:  ORIGIN/box/join#<kind, account, nonce, end>      ─▶ second makes its keys
//	second: ORIGIN/box/device#<nonce, flags, both new points> ─▶ first compares letters and signs AddKey
//
// The letters are a hash over everything that the first device is going to sign for.
import { type Bytes, hex, join, sha256, unhex, utf8 } from '@/chain/bytes'
import { LETTERS } from './code'

/** LIFE_MS is how long an invitation is answered. */
export const LIFE_MS = 10 * 60_000
const NONCE = 12
const POINT = 65
const KINDS = ['p', 'f'] // person, firm
const COMPARED = 10 // letters, 50 bits: more than can be tried in ten minutes

/** Invitation is what the first device shows. */
export interface Invitation { account: string; nonce: Bytes; endsMs: number }
/** Joining is what the second device answers: the keys that it has made. */
export interface Joining { nonce: Bytes; passkey: boolean; backupEligible: boolean; root: Bytes; device: Bytes }

const url64 = (b: Uint8Array) => btoa(String.fromCharCode(...b)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

/** fragment is what stands behind # in a link of this origin to that path; undefined for any other text. */
function fragment(text: string, origin: string, path: string): Bytes | undefined {
  let url: URL
  try { url = new URL(text.trim()) } catch { return undefined }
  if (url.origin !== origin || url.pathname !== path || !/^#[\w-]+$/.test(url.hash)) return undefined
  try { return Uint8Array.from(atob(url.hash.slice(1).replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)) as Bytes } catch { return undefined }
}

/** inviting is the link of an invitation. */
export function inviting(origin: string, i: Invitation): string {
  const end = new Uint8Array(4)
  new DataView(end.buffer).setUint32(0, Math.ceil(i.endsMs / 1000))
  return `${origin}/box/join#${url64(join(new Uint8Array([KINDS.indexOf(i.account[0]!)]), unhex(i.account.slice(2)), i.nonce, end))}`
}

/** invited reads such a link; undefined if the text is none. */
export function invited(text: string, origin: string): Invitation | undefined {
  const raw = fragment(text, origin, '/box/join')
  const kind = raw && KINDS[raw[0]!]
  if (!raw || !kind || raw.length !== 1 + 16 + NONCE + 4) return undefined
  return { account: `${kind}-${hex(raw.slice(1, 17))}`, nonce: raw.slice(17, 17 + NONCE), endsMs: new DataView(raw.buffer).getUint32(17 + NONCE) * 1000 }
}

const flags = (j: Joining) => new Uint8Array([(j.passkey ? 1 : 0) | (j.backupEligible ? 2 : 0)])

/** answering is the link that the second device shows. */
export const answering = (origin: string, j: Joining): string => `${origin}/box/device#${url64(join(j.nonce, flags(j), j.root.slice(1), j.device.slice(1)))}`

/** answered reads such a link; undefined if the text is none. */
export function answered(text: string, origin: string): Joining | undefined {
  const raw = fragment(text, origin, '/box/device')
  if (!raw || raw.length !== NONCE + 1 + 2 * (POINT - 1) || raw[NONCE]! > 3) return undefined
  const point = (i: number) => join(new Uint8Array([4]), raw.slice(NONCE + 1 + i * (POINT - 1), NONCE + 1 + (i + 1) * (POINT - 1)))
  return { nonce: raw.slice(0, NONCE), passkey: (raw[NONCE]! & 1) !== 0, backupEligible: (raw[NONCE]! & 2) !== 0, root: point(0), device: point(1) }
}

/** letters are what both screens show: equal only for this account, this invitation and these keys. */
export async function letters(account: string, j: Joining): Promise<string> {
  const sum = await sha256(join(utf8('mulian-pair-v1\0'), utf8(account), j.nonce, flags(j), j.root, j.device))
  const text = [...sum.slice(0, COMPARED)].map((b) => LETTERS[b & 31]).join('')
  return `${text.slice(0, COMPARED / 2)} ${text.slice(COMPARED / 2)}`
}
