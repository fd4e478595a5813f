// The cryptography of a box, as package safebox has it in Go (safebox/doc.go says the forms):
// the platform's WebCrypto, and @hpke/core for HPKE. Loaded with the first thing that is opened.
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { type Bytes, join, random, sha256, utf8 } from '@/chain/bytes'

/** SUITE_P256 is the suite of what these pages make: HPKE with P-256, AES-256-GCM. */
export const SUITE_P256 = 2

const hpke = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const ENCAPSULATED = 65 // bytes of an encapsulated key of P-256

/** be is a number in n bytes, the largest first. */
export function be(n: number, value: number | bigint): Bytes {
  const out = new Uint8Array(n)
  for (let i = n - 1, v = BigInt(value); i >= 0; i--, v >>= 8n) out[i] = Number(v & 255n)
  return out
}

/** frame keeps parts apart: each with its length before it (internal/canon.Frame). */
export const frame = (domain: string, ...parts: (Uint8Array | string)[]): Bytes =>
  join(...[domain, ...parts].flatMap((p) => { const b = typeof p === 'string' ? utf8(p) : p; return [be(8, b.length), b] }))
export const digest = (domain: string, ...parts: (Uint8Array | string)[]): Promise<Bytes> => sha256(frame(domain, ...parts))
export const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i])

/** hkdf is HKDF-SHA256 (RFC 5869). */
export async function hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Promise<Bytes> {
  const base = await crypto.subtle.importKey('raw', secret as Bytes, 'HKDF', false, ['deriveBits'])
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: salt as Bytes, info: info as Bytes }, base, bytes * 8))
}

const aes = (key: Uint8Array, use: 'encrypt' | 'decrypt') => crypto.subtle.importKey('raw', key as Bytes, 'AES-GCM', false, [use])

/** gcm is AES-256-GCM: ciphertext and tag. */
export async function gcm(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.encrypt({ name: 'AES-GCM', iv: nonce as Bytes, additionalData: aad as Bytes }, await aes(key, 'encrypt'), plain as Bytes))
}
/** ungcm opens it; it throws for another key, another context, or what was changed. */
export async function ungcm(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, box: Uint8Array): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce as Bytes, additionalData: aad as Bytes }, await aes(key, 'decrypt'), box as Bytes))
}

const useOf = (secret: Uint8Array, use: string) => hkdf(secret, new Uint8Array(), utf8(`mulian/box/use/v1 ${use}`), 32)
/** closeWith closes with a key that is derived of the secret for this one use: nonce ‖ ciphertext. */
export async function closeWith(secret: Uint8Array, use: string, aad: Uint8Array, plain: Uint8Array): Promise<Bytes> {
  const nonce = random(12)
  return join(nonce, await gcm(await useOf(secret, use), nonce, aad, plain))
}
export async function openWith(secret: Uint8Array, use: string, aad: Uint8Array, box: Uint8Array): Promise<Bytes> {
  return ungcm(await useOf(secret, use), box.slice(0, 12), aad, box.slice(12))
}

/** derive makes the P-256 key pair of a vault's seed (RFC 9180, 7.1.3). */
export async function derive(seed: Uint8Array): Promise<CryptoKeyPair> {
  return hpke.kem.deriveKeyPair((await hkdf(seed, utf8('mulian/vault/v1'), utf8('p256'), 32)).buffer)
}
export const publicOf = async (pair: CryptoKeyPair): Promise<Bytes> => new Uint8Array(await hpke.kem.serializePublicKey(pair.publicKey))

/** closeTo closes a short secret to a public key: encapsulated key ‖ ciphertext; info is bound, not sent. */
export async function closeTo(point: Uint8Array, info: Uint8Array, secret: Uint8Array): Promise<Bytes> {
  const sender = await hpke.createSenderContext({ recipientPublicKey: await hpke.kem.deserializePublicKey(point as Bytes), info: info as Bytes })
  return join(new Uint8Array(sender.enc), new Uint8Array(await sender.seal(secret as Bytes)))
}
export async function openTo(pair: CryptoKeyPair, info: Uint8Array, box: Uint8Array): Promise<Bytes> {
  const recipient = await hpke.createRecipientContext({ recipientKey: pair.privateKey, enc: box.slice(0, ENCAPSULATED) as Bytes, info: info as Bytes })
  return new Uint8Array(await recipient.open(box.slice(ENCAPSULATED) as Bytes))
}

/** exported is a secret of a session to that key, for what is closed by other means (internal/seal). */
export async function exported(point: Uint8Array, info: Uint8Array, context: Uint8Array): Promise<{ enc: Bytes; key: Bytes }> {
  const sender = await hpke.createSenderContext({ recipientPublicKey: await hpke.kem.deserializePublicKey(point as Bytes), info: info as Bytes })
  return { enc: new Uint8Array(sender.enc), key: new Uint8Array(await sender.export(context as Bytes, 32)) }
}
