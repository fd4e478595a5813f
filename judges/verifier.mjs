// @openid4vc plays a foreign verifier, in two steps: it makes a signed request, and later
// reads the form that our wallet posted.
import { Openid4vpVerifier } from '@openid4vc/openid4vp'
import { answer, attempt, question } from './ask.mjs'
import { callbacks } from './openid.mjs'
import { instance } from './sdjwt.mjs'

const verifier = new Openid4vpVerifier({ callbacks: callbacks([question.key], [question.secret]) })
const { d, ...sealTo } = question.secret
const steps = {
  ask: async () => {
    const r = await verifier.createOpenId4vpAuthorizationRequest({
      authorizationRequestPayload: {
        response_type: 'vp_token', response_mode: question.mode, client_id: question.client, response_uri: question.place, nonce: question.nonce, state: question.state, dcql_query: question.query,
        client_metadata: { jwks: { keys: [{ ...sealTo, use: 'enc', alg: 'ECDH-ES', kid: 'enc' }] }, encrypted_response_enc_values_supported: ['A256GCM'], vp_formats_supported: { 'dc+sd-jwt': { 'sd-jwt_alg_values': ['ES256'], 'kb-jwt_alg_values': ['ES256'] } } },
        ...(question.transaction && { transaction_data: question.transaction }),
      },
      jar: { jwtSigner: { method: 'x5c', x5c: question.chain, alg: 'ES256' }, requestUri: question.requestURI, expiresInSeconds: 120 },
    })
    return r.jar.authorizationRequestJwt
  },
  read: async () => {
    const form = Object.fromEntries(new URLSearchParams(question.form))
    const parsed = await verifier.parseOpenid4vpAuthorizationResponse({ authorizationResponse: form, authorizationRequestPayload: question.request, callbacks: callbacks([], [question.secret]) })
    const texts = parsed.dcql.presentations[question.query.credentials[0].id]
    const r = await instance(question.issuer).verify(texts[0], { currentDate: question.now, keyBindingNonce: question.nonce })
    if (r.kb.payload.aud !== question.client) throw new Error('aud')
    if (question.transaction) verifier.verifyTransactionData({ transactionData: question.transaction, credentials: { [question.query.credentials[0].id]: [{ transaction_data_hashes: r.kb.payload.transaction_data_hashes }] } })
    return { claims: r.payload, sealed: Boolean(parsed.jarm), hashes: r.kb.payload.transaction_data_hashes?.length ?? 0 }
  },
}
answer(await attempt(steps[question.step]))
