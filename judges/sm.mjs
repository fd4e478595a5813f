// sm-crypto-v2 checks our SM3, our SM2 signatures and our SM4-GCM, and gives us its own.
import { sm2, sm3, sm4 } from 'sm-crypto-v2'
import { answer, attempt, question } from './ask.mjs'

const bytes = (s) => new Uint8Array(Buffer.from(s, 'base64'))
const hex = (s) => Buffer.from(s, 'base64').toString('hex')
const base64 = (h) => Buffer.from(h, 'hex').toString('base64')
const msg = bytes(question.message)
const der = { hash: true, der: true, userId: '1234567812345678' }
const out = {}

out.sm3 = base64(sm3(msg))
out.verified = question.signatures.map((s) => sm2.doVerifySignature(bytes(s.message), hex(s.signature), hex(question.public), der))
const pair = sm2.generateKeyPairHex()
out.public = base64(pair.publicKey)
out.signature = base64(sm2.doSignature(msg, pair.privateKey, der))
const gcm = { mode: 'gcm', iv: hex(question.nonce), associatedData: bytes(question.aad) }
const sealed = bytes(question.sealed)
const tag = Buffer.from(sealed.slice(-16)).toString('hex')
out.opened = await attempt(() => base64(sm4.decrypt(sealed.slice(0, -16), hex(question.key), { ...gcm, tag, padding: 'none', output: 'array' }).reduce((h, b) => h + b.toString(16).padStart(2, '0'), '')))
out.sealed = await attempt(() => {
  const r = sm4.encrypt(msg, hex(question.key), { ...gcm, outputTag: true, padding: 'none' })
  return base64(r.output + r.tag)
})
answer(out)
