// @simplewebauthn/server checks a registration and assertions.
import { verifyAuthenticationResponse, verifyRegistrationResponse } from '@simplewebauthn/server'
import { answer, attempt, question } from './ask.mjs'

const b64 = (s) => Buffer.from(s, 'base64').toString('base64url')
const id = b64(question.id)
const r = await verifyRegistrationResponse({
  response: { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response: { attestationObject: b64(question.attestation), clientDataJSON: b64(question.client) } },
  expectedChallenge: b64(question.challenge), expectedOrigin: question.origin, expectedRPID: question.rp, requireUserVerification: true,
})
const credential = { id: r.registrationInfo.credential.id, publicKey: r.registrationInfo.credential.publicKey, counter: 0 }
const out = { registered: r.verified, synced: r.registrationInfo.credentialDeviceType === 'multiDevice', backedUp: r.registrationInfo.credentialBackedUp, assertions: [] }
for (const a of question.assertions) {
  out.assertions.push(await attempt(async () => {
    const v = await verifyAuthenticationResponse({
      response: { id, rawId: id, type: 'public-key', clientExtensionResults: {}, response: { clientDataJSON: b64(a.client), authenticatorData: b64(a.data), signature: b64(a.signature) } },
      expectedChallenge: b64(a.challenge), expectedOrigin: question.origin, expectedRPID: question.rp, credential, requireUserVerification: true,
    })
    if (!v.verified) throw new Error('not verified')
    return v.authenticationInfo.newCounter
  }))
}
answer(out)
