// dcql chooses as we choose.
import { DcqlQuery } from 'dcql'
import { answer, attempt, question } from './ask.mjs'

const out = []
for (const c of question) {
  out.push(await attempt(() => {
    const query = DcqlQuery.parse(c.query)
    DcqlQuery.validate(query)
    const r = DcqlQuery.query(query, c.held.map((h) => ({ credential_format: 'dc+sd-jwt', vct: h.type, claims: h.claims, cryptographic_holder_binding: h.bound })))
    const found = {}
    for (const [id, m] of Object.entries(r.credential_matches)) {
      if (!m.success) continue
      const best = m.valid_credentials[0]
      found[id] = { held: best.input_credential_index, claims: best.claims.valid_claim_sets?.[0]?.valid_claim_indexes ?? [], all: m.valid_credentials.length }
    }
    return { can: r.can_be_satisfied, found }
  }))
}
answer(out)
