// @openid4vc plays a foreign wallet: it accepts our offer and answers our request.
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { Openid4vpClient } from '@openid4vc/openid4vp'
import { createHash } from 'node:crypto'
import { answer, attempt, question } from './ask.mjs'
import { callbacks } from './openid.mjs'
import { instance } from './sdjwt.mjs'

const publicOf = ({ d, ...jwk }) => jwk
const cb = callbacks(question.keys)
const vci = new Openid4vciClient({ callbacks: cb })
const out = {}

out.issued = await attempt(async () => {
  const credentialOffer = await vci.resolveCredentialOffer(question.offer)
  const issuerMetadata = await vci.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const { accessTokenResponse } = await vci.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode: question.txCode })
  const { c_nonce } = await vci.requestNonce({ issuerMetadata })
  const id = credentialOffer.credential_configuration_ids[0]
  const jwt = []
  for (const key of question.keys) {
    const signer = { method: 'jwk', alg: 'ES256', publicJwk: publicOf(key) }
    jwt.push((await vci.createCredentialRequestJwtProof({ issuerMetadata, signer, nonce: c_nonce, credentialConfigurationId: id })).jwt)
  }
  const r = await vci.retrieveCredentials({ issuerMetadata, accessToken: accessTokenResponse.access_token, credentialConfigurationId: id, proofs: { jwt } })
  await vci.sendNotification({ issuerMetadata, accessToken: accessTokenResponse.access_token, notification: { notificationId: r.credentialResponse.notification_id, event: 'credential_accepted' } })
  out.version = issuerMetadata.originalDraftVersion
  return r.credentialResponse.credentials.map((c) => c.credential)
})

const vp = new Openid4vpClient({ callbacks: cb })
out.answered = []
for (const link of question.requests) {
  out.answered.push(await attempt(async () => {
    const params = Object.fromEntries(new URL(link).searchParams)
    const request = await vp.resolveOpenId4vpAuthorizationRequest({ authorizationRequestPayload: params })
    const payload = request.authorizationRequestPayload
    const query = request.dcql.query.credentials[0]
    const holder = instance(question.issuer, question.keys[0])
    const frame = Object.fromEntries(query.claims.map((c) => [c.path[0], true]))
    const kb = { iat: question.now, aud: payload.client_id, nonce: payload.nonce }
    if (payload.transaction_data) kb.transaction_data_hashes = payload.transaction_data.map((t) => createHash('sha256').update(t).digest('base64url'))
    const text = await holder.present(out.issued.ok[0], frame, { kb: { payload: kb } })
    const encrypted = payload.response_mode === 'direct_post.jwt'
    const made = await vp.createOpenid4vpAuthorizationResponse({
      authorizationRequestPayload: payload,
      authorizationResponsePayload: { vp_token: { [query.id]: [text] } },
      ...(encrypted && { jarm: { encryption: { nonce: 'x' }, serverMetadata: { authorization_signing_alg_values_supported: ['ES256'], authorization_encryption_alg_values_supported: ['ECDH-ES'], authorization_encryption_enc_values_supported: ['A128GCM', 'A256GCM'] } } }),
    })
    const { response } = await vp.submitOpenid4vpAuthorizationResponse({ authorizationRequestPayload: payload, authorizationResponsePayload: made.authorizationResponsePayload, jarm: made.jarm })
    return { status: response.status, mode: payload.response_mode, client: request.client.prefix, version: request.version, grant: request.transactionData?.[0]?.transactionData?.grant }
  }))
}
answer(out)
