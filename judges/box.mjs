// A stranger's reading of the safe box, from its document alone (safebox/doc.go): the vault's
// P-256 key of its seed, an item's key of its wrap, card and body of that key. @hpke/core does
// the HPKE, the platform's WebCrypto the rest.
import { webcrypto } from 'node:crypto'
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { answer, attempt, question } from './ask.mjs'

const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const bytes = (s) => new Uint8Array(Buffer.from(s, 'base64'))
const text = (s) => new TextEncoder().encode(s)
const base64 = (b) => Buffer.from(b).toString('base64')
const be = (n, value) => {
  const b = Buffer.alloc(n)
  b.writeUIntBE(value, n > 6 ? n - 6 : 0, Math.min(n, 6))
  return b
}
// A frame is every part with its length before it, 8 bytes, big endian.
const frame = (...parts) => new Uint8Array(Buffer.concat(parts.flatMap((p) => [be(8, p.length), Buffer.from(p)])))

const { item, version, account, chunk } = question
const place = [text(item), be(4, version), text(account)]

// The private key of a suite: HKDF of the seed, then DeriveKeyPair (RFC 9180, 7.1.3).
const keyPair = async (seed) => {
  const base = await webcrypto.subtle.importKey('raw', bytes(seed), 'HKDF', false, ['deriveBits'])
  const ikm = await webcrypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt: text('mulian/vault/v1'), info: text('p256') }, base, 256)
  return suite.kem.deriveKeyPair(ikm)
}
// A wrap: encapsulated key (65 bytes), ciphertext; what it is bound to is HPKE's info.
const unwrap = async (pair, wrap, purpose, grant, receiver) => {
  const box = bytes(wrap)
  const info = frame(text('mulian/box/wrap/v1'), text(purpose), ...place, text(grant), text(receiver))
  const recipient = await suite.createRecipientContext({ recipientKey: pair.privateKey, enc: box.slice(0, 65), info })
  return new Uint8Array(await recipient.open(box.slice(65)))
}
// Chunk i of the card (kind 2) or the body (kind 1).
const open = async (raw, kind, schema, i, last, box) => {
  const key = await webcrypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt'])
  const iv = Buffer.concat([Buffer.from([kind]), Buffer.alloc(6), be(4, i), Buffer.from([last ? 1 : 0])])
  const additionalData = frame(text('mulian/box/item/v1'), ...place, text(schema), be(4, i))
  return Buffer.from(await webcrypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData }, key, box))
}
const body = async (raw, sealed) => {
  const size = chunk + 16
  const parts = []
  for (let at = 0, i = 0; at < sealed.length; at += size, i++) {
    parts.push(await open(raw, 1, question.schema, i, at + size >= sealed.length, sealed.slice(at, at + size)))
  }
  return Buffer.concat(parts)
}

const out = {}
const pair = await keyPair(question.seed)
out.public = base64(await suite.kem.serializePublicKey(pair.publicKey))
out.key = await attempt(async () => base64(await unwrap(pair, question.wrap, 'owner', '', account)))
const raw = out.key.ok ? bytes(out.key.ok) : new Uint8Array(32)
out.card = await attempt(async () => base64(await open(raw, 2, '', 0, true, bytes(question.card))))
out.body = await attempt(async () => base64(await body(raw, bytes(question.body))))
out.cut = await attempt(async () => base64(await body(raw, bytes(question.body).slice(0, chunk + 16)))) // without its last chunk
out.elsewhere = await attempt(async () => base64(await unwrap(pair, question.wrap, 'owner', '', 'p-somebody-else')))
const grantee = await keyPair(question.grantee.seed)
out.granted = await attempt(async () => base64(await unwrap(grantee, question.grantee.wrap, 'grant', question.grantee.grant, question.grantee.account)))
out.otherGrant = await attempt(async () => base64(await unwrap(grantee, question.grantee.wrap, 'grant', 'g-2', question.grantee.account)))
answer(out)
