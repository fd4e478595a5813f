// oidc-provider plays the identity provider of an organisation: it shows its own forms for the
// login and the consent, and runs until the test ends it.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'
import { question } from './ask.mjs'

const server = createServer((req, res) => callback(req, res))
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{ client_id: question.client, client_secret: question.secret, redirect_uris: [question.redirect], grant_types: ['authorization_code'], response_types: ['code'] }],
  claims: { openid: ['sub'], profile: ['preferred_username'] },
  conformIdTokenClaims: question.userinfo, // true: what the scopes name is at userinfo_endpoint alone
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, preferred_username: id }) }),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  cookies: { keys: [question.secret] },
})
const callback = provider.callback()
provider.on('grant.error', (_, err) => console.error('grant:', err.message, err.error_detail ?? ''))
provider.on('authorization.error', (_, err) => console.error('authorization:', err.message, err.error_detail ?? ''))
process.stdout.write(`${JSON.stringify({ issuer })}\n`)
