// Keys of this browser. A passkey stays in the device; a key of the browser itself is made
// by WebCrypto, cannot be taken out, and stands in IndexedDB. What is kept beside is public.
//
//   make ─▶ Signer ─▶ kept in IndexedDB ─▶ sign(transaction id) ─▶ bytes for tx.v1.Signature
//
// Two seats are two accounts; who is signed in is the current one of them.
import { type Bytes, bytesField, hex, join, random, sha256, utf8 } from './bytes'

export type Method = 'passkey' | 'p256'

/** Signer is an account with the key that this browser can use for it. */
export interface Signer {
  account: string
  org: string // organisation it belongs to; "" for persons and firms
  orgName: string
  role: string // seat: what its pages are
  chain: string
  method: Method
  keyId: string
  point: Bytes // 65 bytes
  credential?: Bytes // of a passkey
  backupEligible?: boolean
  rpId?: string
  secret?: CryptoKey // of a P-256 key: not extractable
  device?: { keyId: string; point: Bytes; secret: CryptoKey } // MACHINE key of a person's device, for calls that nobody looks at
  addedMs: number
  endsMs?: number // first moment at which the key no longer signs, if it has an end
  notes?: Record<string, string> // what only this browser knows: salts of the own proofing
}

/** NewKey is a key that no account has yet. */
export type NewKey = Pick<Signer, 'method' | 'keyId' | 'point' | 'credential' | 'backupEligible' | 'rpId' | 'secret'>

/** keyIdOf is the id by which the ledger knows a key. */
export const keyIdOf = async (algorithm: number, point: Uint8Array) => hex((await sha256(join(new Uint8Array([algorithm]), point))).slice(0, 8))

/** passkeysHere tells whether this page may use passkeys, and the device has a place for them. */
export async function passkeysHere(rpIds: string[]): Promise<boolean> {
  if (!rpIds.includes(location.hostname) || typeof PublicKeyCredential === 'undefined') return false
  try {
    return await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable()
  } catch {
    return false
  }
}

/** makePasskey asks the device for a new passkey. It throws what the browser throws. */
export async function makePasskey(name: string): Promise<NewKey> {
  const made = (await navigator.credentials.create({
    publicKey: {
      rp: { id: location.hostname, name: '目链 Mulian' },
      user: { id: random(16), name, displayName: name },
      challenge: random(32),
      pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
      attestation: 'none',
      extensions: { prf: {} }, // it may later open a vault; devices that cannot leave it out
    },
  })) as PublicKeyCredential | null
  if (!made) throw new Error('no passkey was made')
  const answer = made.response as AuthenticatorAttestationResponse
  const spki = answer.getPublicKey()
  if (!spki || answer.getPublicKeyAlgorithm() !== -7) throw new Error('the device makes keys of another kind')
  const point = new Uint8Array(spki).slice(-65)
  const flags = new Uint8Array(answer.getAuthenticatorData())[32]!
  return {
    method: 'passkey', keyId: await keyIdOf(4, point), point, credential: new Uint8Array(made.rawId),
    backupEligible: (flags & 8) !== 0, rpId: location.hostname,
  }
}

/** makeKey makes a P-256 key in this browser that no script can read. */
export async function makeKey(): Promise<NewKey> {
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify'])
  const point = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  return { method: 'p256', keyId: await keyIdOf(2, point), point, secret: pair.privateKey }
}

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const number = (b: Uint8Array) => BigInt('0x' + hex(b))

/** der writes r ‖ s as the ledger wants it: ASN.1, the smaller one of the two s. */
export function der(raw: Uint8Array): Bytes {
  let s = number(raw.slice(32))
  if (s > ORDER / 2n) s = ORDER - s
  const integer = (n: bigint) => {
    let h = n.toString(16)
    if (h.length % 2) h = '0' + h
    if (parseInt(h.slice(0, 2), 16) > 127) h = '00' + h
    const b = h.match(/../g)!.map((x) => parseInt(x, 16))
    return [2, b.length, ...b]
  }
  const body = [...integer(number(raw.slice(0, 32))), ...integer(s)]
  return new Uint8Array([0x30, body.length, ...body])
}

/** signP256 signs a message with a key of the browser. */
export async function signP256(secret: CryptoKey, message: Uint8Array): Promise<Bytes> {
  return der(new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, secret, message as Bytes)))
}

/** signTx returns what stands in tx.v1.Signature.signature for the transaction of that id. */
export async function signTx(s: Signer, id: Uint8Array): Promise<Bytes> {
  if (s.method === 'p256') return signP256(s.secret!, join(utf8('mulian-tx-sign-v1\0'), id))
  const challenge = await sha256(join(utf8('mulian-passkey-v1\0'), id))
  const got = (await navigator.credentials.get({
    publicKey: {
      challenge, rpId: s.rpId!, userVerification: 'required', timeout: 120_000,
      allowCredentials: [{ type: 'public-key', id: s.credential! }],
    },
  })) as PublicKeyCredential | null
  if (!got) throw new DOMException('no answer of the device', 'NotAllowedError')
  const a = got.response as AuthenticatorAssertionResponse
  return join(...[a.authenticatorData, a.clientDataJSON, a.signature].map((b, i) => bytesField(i + 1, new Uint8Array(b)))) // a PasskeyAssertion
}

// ---- what is kept ----

const open = (): Promise<IDBDatabase> => new Promise((done, fail) => {
  const r = indexedDB.open('mulian', 1)
  r.onupgradeneeded = () => r.result.createObjectStore('signers', { keyPath: 'account' })
  r.onsuccess = () => done(r.result)
  r.onerror = () => fail(r.error)
})

async function store<T>(mode: IDBTransactionMode, what: (s: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const db = await open()
  try {
    return await new Promise<T>((done, fail) => {
      const tx = db.transaction('signers', mode)
      const r = what(tx.objectStore('signers'))
      tx.oncomplete = () => done(r.result)
      tx.onabort = tx.onerror = () => fail(tx.error)
    })
  } finally {
    db.close()
  }
}

/** keep remembers a signer and makes it the current one of these pages. */
export async function keep(s: Signer): Promise<void> {
  await store('readwrite', (o) => o.put(s))
  choose(s.account)
}

/** note keeps a word beside an account, if one is given, and returns all that is kept there. */
export async function note(account: string, key?: string, value?: string): Promise<Record<string, string>> {
  const db = await open()
  try {
    return await new Promise((done, fail) => {
      const tx = db.transaction('signers', key === undefined ? 'readonly' : 'readwrite')
      const all = tx.objectStore('signers')
      const r = all.get(account) as IDBRequest<Signer | undefined>
      let notes: Record<string, string> = {}
      r.onsuccess = () => {
        notes = { ...r.result?.notes }
        if (key === undefined || !r.result) return
        if (value === undefined) delete notes[key]
        else notes[key] = value
        all.put({ ...r.result, notes })
      }
      tx.oncomplete = () => done(notes)
      tx.onabort = tx.onerror = () => fail(tx.error)
    })
  } finally {
    db.close()
  }
}

/** forget removes a signer from this browser. The key stays on the ledger. */
export const forget = (account: string): Promise<unknown> => store('readwrite', (o) => o.delete(account))

// A key is kept before it goes to the ledger: whoever does not get the answer tries again with
// the same one, and nothing stands on the ledger that nobody has.
const WAITING = 'waiting:'
const place = (chain: string, what: string) => `${WAITING}${chain}:${what}`

/** waiting returns the signer that is on its way for this, or makes it, and keeps it until arrived. */
export async function waiting(chain: string, what: string, make: () => Promise<Signer>): Promise<Signer> {
  const at = place(chain, what)
  const kept = await store('readonly', (o) => o.get(at) as IDBRequest<{ signer: Signer } | undefined>)
  if (kept) return kept.signer
  const signer = await make()
  await store('readwrite', (o) => o.put({ account: at, signer }))
  return signer
}

/** underWay are the signers that wait on this chain, by what they wait for. */
export async function underWay(chain: string): Promise<{ what: string; signer: Signer }[]> {
  const all = await store('readonly', (o) => o.getAll() as IDBRequest<{ account: string; signer: Signer }[]>)
  const start = place(chain, '')
  return all.filter((s) => s.account.startsWith(start)).map((s) => ({ what: s.account.slice(start.length), signer: s.signer }))
}

/** arrived drops what waited for this: it is a signer now. */
export const arrived = (chain: string, what: string): Promise<unknown> => forget(place(chain, what))

/** signers are those of this browser for the chain, newest first. */
export async function signers(chain: string): Promise<Signer[]> {
  const all = await store('readonly', (o) => o.getAll() as IDBRequest<Signer[]>)
  return all.filter((s) => s.chain === chain && !s.account.startsWith(WAITING)).sort((a, b) => b.addedMs - a.addedMs)
}

const current = () => (location.pathname.startsWith('/box') ? 'mulian.box.account' : 'mulian.account')

/** chosen is the account that these pages act as. */
export const chosen = (): string => localStorage.getItem(current()) ?? ''
export const choose = (account: string): void => localStorage.setItem(current(), account)
