// @sd-jwt/sd-jwt-vc verifies our credentials and presentations, each as it is and tampered.
import { answer, attempt, question } from './ask.mjs'
import { instance } from './sdjwt.mjs'

const out = []
for (const c of question.cases) {
  out.push(await attempt(async () => {
    const vc = instance(question.issuer, undefined, c.suspended ? question.suspended : question.valid)
    const r = await vc.verify(c.text, { currentDate: question.now, keyBindingNonce: c.nonce, requiredClaimKeys: c.required })
    if (c.nonce !== undefined && r.kb?.payload?.aud !== c.aud) throw new Error('aud')
    return { claims: r.payload, transaction: r.kb?.payload?.transaction_data_hashes }
  }))
}
answer(out)
