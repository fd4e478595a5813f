import { describe, expect, it } from 'vitest'
import { random } from '@/chain/bytes'
import { answered, answering, invited, inviting, type Joining, letters } from './pair'

const ORIGIN = 'https://box.example.gov.cn'
const ACCOUNT = 'p-0123456789abcdef0123456789abcdef'
const point = () => { const p = random(65); p[0] = 4; return p }
const joining = (): Joining => ({ nonce: random(12), passkey: true, backupEligible: false, root: point(), device: point() })

describe('a second device', () => {
  it('reads its invitation back, in at most 200 bytes', () => {
    for (const account of [ACCOUNT, ACCOUNT.replace('p', 'f')]) {
      const i = { account, nonce: random(12), endsMs: 1_800_000_000_000 }
      const text = inviting(ORIGIN, i)
      expect(text.length).toBeLessThanOrEqual(200)
      expect(invited(` ${text}\n`, ORIGIN)).toEqual(i)
    }
  })
  it('reads an answer back, whatever its bytes are', () => {
    for (let n = 0; n < 50; n++) {
      const j = { ...joining(), passkey: n % 2 === 0, backupEligible: n % 4 === 0 }
      expect(answered(answering(ORIGIN, j), ORIGIN)).toEqual(j)
    }
  })
  it('takes nothing of another server, another page, cut off or lengthened', () => {
    const text = answering(ORIGIN, joining())
    const invitation = inviting(ORIGIN, { account: ACCOUNT, nonce: random(12), endsMs: 1_800_000_000_000 })
    for (const bad of [text.slice(0, -2), `${text}AAAA`, text.replace('#', '?'), invitation, '', ACCOUNT, text.replace('box.', 'b0x.')]) expect(answered(bad, ORIGIN)).toBeUndefined()
    for (const bad of [invitation.slice(0, -2), `${invitation}AAAA`, text, `${ORIGIN}/box/join`]) expect(invited(bad, ORIGIN)).toBeUndefined()
  })
  it('has other letters for another account, invitation, key or flag', async () => {
    const j = joining()
    const of = await letters(ACCOUNT, j)
    expect(of).toMatch(/^[0-9A-Z]{5} [0-9A-Z]{5}$/)
    expect(await letters(ACCOUNT, { ...j })).toBe(of)
    const others = [letters(ACCOUNT.replace('0', '1'), j), ...[{ nonce: random(12) }, { root: point() }, { device: point() }, { passkey: false }, { backupEligible: true }].map((x) => letters(ACCOUNT, { ...j, ...x }))]
    for (const other of await Promise.all(others)) expect(other).not.toBe(of)
  })
})
