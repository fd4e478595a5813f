// @hpke/core opens what we sealed (suite 2 of internal/seal), and seals for us.
import { webcrypto } from 'node:crypto'
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core'
import { answer, attempt, question } from './ask.mjs'

const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const bytes = (s) => new Uint8Array(Buffer.from(s, 'base64'))
const context = new TextEncoder().encode('mulian/seal/v1/key')
const nonce = new Uint8Array(12)
nonce[11] = 1 // page 0, the last

// Ours: header = "MS" 01 02 length(2) enc; box = AES-256-GCM under the exported key.
const key = (raw, use) => webcrypto.subtle.importKey('raw', raw, 'AES-GCM', false, [use])
const out = {}
out.opened = await attempt(async () => {
  const recipient = await suite.createRecipientContext({ recipientKey: await suite.kem.deserializePrivateKey(bytes(question.secret)), enc: bytes(question.enc), info: bytes(question.info) })
  const k = await key(await recipient.export(context, 32), 'decrypt')
  return Buffer.from(await webcrypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce, additionalData: bytes(question.binding) }, k, bytes(question.box))).toString('base64')
})
out.changed = await attempt(async () => {
  const info = bytes(question.info)
  info[0] ^= 1
  const recipient = await suite.createRecipientContext({ recipientKey: await suite.kem.deserializePrivateKey(bytes(question.secret)), enc: bytes(question.enc), info })
  const k = await key(await recipient.export(context, 32), 'decrypt')
  await webcrypto.subtle.decrypt({ name: 'AES-GCM', iv: nonce, additionalData: bytes(question.binding) }, k, bytes(question.box))
})
answer(out)
