// @openid4vc plays a foreign wallet that begins at our issuer: pushed request, PKCE, the
// person's browser, token, credential, notification. The department's log-in is played here.
import { clientAuthenticationNone, Oauth2Client } from '@openid4vc/oauth2'
import { Openid4vciClient } from '@openid4vc/openid4vci'
import { answer, attempt, question } from './ask.mjs'
import { callbacks } from './openid.mjs'

const cb = { ...callbacks(question.keys), clientAuthentication: clientAuthenticationNone({ clientId: question.client }) }
const oauth = new Oauth2Client({ callbacks: cb })
const vci = new Openid4vciClient({ callbacks: cb })
const out = {}

out.issued = await attempt(async () => {
  const issuerMetadata = await vci.resolveIssuerMetadata(question.issuer)
  const server = issuerMetadata.authorizationServers[0]
  out.par = server.require_pushed_authorization_requests
  const { authorizationRequestUrl, pkce } = await oauth.createAuthorizationRequestUrl({
    authorizationServerMetadata: server, clientId: question.client, redirectUri: question.redirect, scope: question.scope, state: question.state,
  })
  out.pkce = pkce.codeChallengeMethod
  const login = await fetch(authorizationRequestUrl, { redirect: 'manual' })
  const interaction = new URL(login.headers.get('location')).searchParams.get('interaction')
  out.again = (await fetch(authorizationRequestUrl, { redirect: 'manual' })).status
  const said = await fetch(question.desk, {
    method: 'POST', headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${question.token}` }, body: JSON.stringify({ interaction, subject: question.subject }),
  })
  const { redirect } = await said.json()
  const authorizationResponse = oauth.parseAuthorizationResponseRedirectUrl({ url: redirect })
  oauth.verifyAuthorizationResponse({ authorizationServerMetadata: server, authorizationResponse })
  out.state = authorizationResponse.state
  const token = { authorizationServerMetadata: server, authorizationCode: authorizationResponse.code, redirectUri: question.redirect }
  const { accessTokenResponse } = await oauth.retrieveAuthorizationCodeAccessToken({ ...token, pkceCodeVerifier: pkce.codeVerifier })
  const { c_nonce } = await vci.requestNonce({ issuerMetadata })
  const { d, ...publicJwk } = question.keys[0]
  const { jwt } = await vci.createCredentialRequestJwtProof({ issuerMetadata, signer: { method: 'jwk', alg: 'ES256', publicJwk }, nonce: c_nonce, credentialConfigurationId: question.scope })
  const r = await vci.retrieveCredentials({ issuerMetadata, accessToken: accessTokenResponse.access_token, credentialConfigurationId: question.scope, proofs: { jwt: [jwt] } })
  await vci.sendNotification({ issuerMetadata, accessToken: accessTokenResponse.access_token, notification: { notificationId: r.credentialResponse.notification_id, event: 'credential_deleted' } })
  out.replayed = await attempt(() => oauth.retrieveAuthorizationCodeAccessToken({ ...token, pkceCodeVerifier: pkce.codeVerifier }))
  out.after = await attempt(() => vci.retrieveCredentials({ issuerMetadata, accessToken: accessTokenResponse.access_token, credentialConfigurationId: question.scope, proofs: { jwt: [jwt] } }))
  return r.credentialResponse.credentials.map((c) => c.credential)
})
answer(out)
