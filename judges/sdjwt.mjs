// @sd-jwt/sd-jwt-vc as verifier and as holder: keys of issuers are given by iss.
import { createHash, createPrivateKey, randomBytes, sign } from 'node:crypto'
import { compactVerify, importJWK } from 'jose'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'

const holds = async (data, signature, jwk) => {
  try {
    await compactVerify(`${data}.${signature}`, await importJWK(jwk, 'ES256'))
    return true
  } catch {
    return false
  }
}

// instance knows one issuer and its status lists; with holder, a private JWK, it can bind.
export const instance = (issuer, holder, lists = {}) =>
  new SDJwtVcInstance({
    hasher: (data, alg) => createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest(),
    hashAlg: 'sha-256',
    saltGenerator: (n) => randomBytes(n).toString('base64url'),
    verifier: (data, signature) => holds(data, signature, issuer),
    kbVerifier: (data, signature, payload) => holds(data, signature, payload.cnf.jwk),
    kbSignAlg: 'ES256',
    kbSigner: holder && ((data) => sign('sha256', Buffer.from(data), { key: createPrivateKey({ key: holder, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }).toString('base64url')),
    statusListFetcher: async (uri) => lists[uri],
  })
