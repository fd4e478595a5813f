// Callbacks that @openid4vc wants, on Node's own cryptography and jose.
import { createHash, randomBytes, X509Certificate } from 'node:crypto'
import { calculateJwkThumbprint, compactDecrypt, CompactEncrypt, compactVerify, importJWK, importX509, SignJWT } from 'jose'
import { clientAuthenticationAnonymous, setGlobalConfig } from '@openid4vc/oauth2'

setGlobalConfig({ allowInsecureUrls: true }) // the tests' servers are on this machine

const pem = (der) => `-----BEGIN CERTIFICATE-----\n${der.match(/.{1,64}/g).join('\n')}\n-----END CERTIFICATE-----`

// callbacks signs with keys: private JWKs, found by their public part.
export const callbacks = (keys = [], secrets = []) => ({
  hash: (data, alg) => createHash(alg.replace('-', '')).update(data).digest(),
  generateRandom: (n) => randomBytes(n),
  clientAuthentication: clientAuthenticationAnonymous(),
  signJwt: async (signer, { header, payload }) => {
    const wanted = signer.method === 'jwk' ? await calculateJwkThumbprint(signer.publicJwk) : undefined
    let key = keys[0]
    for (const k of keys) if (wanted && (await calculateJwkThumbprint({ kty: k.kty, crv: k.crv, x: k.x, y: k.y })) === wanted) key = k
    const { d, ...pub } = key
    return { jwt: await new SignJWT(payload).setProtectedHeader(header).sign(await importJWK(key, signer.alg)), signerJwk: pub }
  },
  verifyJwt: async (signer, { compact, header }) => {
    const jwk = signer.method === 'x5c' ? new X509Certificate(Buffer.from(signer.x5c[0], 'base64')).publicKey.export({ format: 'jwk' }) : signer.publicJwk
    const key = signer.method === 'x5c' ? await importX509(pem(signer.x5c[0]), header.alg) : await importJWK(jwk, header.alg)
    try {
      await compactVerify(compact, key)
      return { verified: true, signerJwk: jwk }
    } catch {
      return { verified: false }
    }
  },
  encryptJwe: async (to, data) => {
    const jwe = await new CompactEncrypt(new TextEncoder().encode(data))
      .setProtectedHeader({ alg: to.alg, enc: to.enc, kid: to.publicJwk.kid })
      .encrypt(await importJWK(to.publicJwk, to.alg))
    return { jwe, encryptionJwk: to.publicJwk }
  },
  decryptJwe: async (jwe) => {
    for (const s of secrets) {
      try {
        const { plaintext } = await compactDecrypt(jwe, await importJWK(s, 'ECDH-ES'))
        const { d, ...pub } = s
        return { decrypted: true, decryptionJwk: pub, payload: new TextDecoder().decode(plaintext) }
      } catch {}
    }
    return { decrypted: false }
  },
  getX509CertificateMetadata: (c) => ({ sanDnsNames: [...(new X509Certificate(Buffer.from(c, 'base64')).subjectAltName ?? '').matchAll(/DNS:([^,]+)/g)].map((m) => m[1]), sanUriNames: [] }),
})
