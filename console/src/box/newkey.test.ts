import { describe, expect, it } from 'vitest'
import { hex, unhex, utf8 } from '@/chain/bytes'
import { makeKey, type Signer } from '@/chain/keys'
import { accountOf, carded, cardIn, commitment, numberOf, possessed, read, unurl64, url64, written } from './newkey'

const ACCOUNT = 'p-00112233445566778899aabbccddeeff'
const GUARDIAN = 'p-ffeeddccbbaa99887766554433221100'
const salt = new Uint8Array(32).fill(1)

async function signer(): Promise<Signer> {
  return { ...(await makeKey()), account: ACCOUNT, org: '', orgName: '', role: 'citizen', chain: 'c', addedMs: 0 }
}

describe('the code of a new device', () => {
  it('is read as it was written, in a link, too', async () => {
    const s = await signer()
    const possession = await possessed(s)
    for (const text of [written(s, possession), `https://a.example.cn/box/vouch#${written(s, possession)} `]) {
      const k = await read(text)
      expect(k && { ...k, point: hex(k.point), possession: hex(k.possession) })
        .toEqual({ account: ACCOUNT, id: s.keyId, passkey: false, backupEligible: false, point: hex(s.point), possession: hex(possession) })
    }
    const passkey = await read(written({ ...s, method: 'passkey', backupEligible: true }))
    expect([passkey?.passkey, passkey?.backupEligible, passkey?.id === s.keyId]).toEqual([true, true, false])
  })
  it('is refused when something is missing, too long or of another version', async () => {
    const s = await signer()
    const raw = unurl64(written(s))!
    const other = (i: number, v: number) => { const b = raw.slice(); b[i] = v; return url64(b) }
    for (const bad of ['', '#', 'p-1', url64(raw.slice(0, 81)), url64(new Uint8Array([...raw, ...new Uint8Array(1025)])), other(0, 2), other(1, 4), written(s).slice(0, 40), '!!!']) {
      expect(await read(bad), bad).toBeUndefined()
    }
  })
  it('is compared by twelve digits that belong to key and account', async () => {
    const [a, b] = [(await read(written(await signer())))!, (await read(written(await signer())))!]
    expect(await numberOf(a)).toMatch(/^\d{4} \d{4} \d{4}$/)
    expect(await numberOf(a)).not.toBe(await numberOf(b))
    expect(await numberOf(a)).not.toBe(await numberOf({ ...a, account: GUARDIAN }))
  })
})

describe('a guardian', () => {
  it('is committed to as Go does it (internal/recovery.Commitment)', async () => {
    expect(hex(await commitment({ guardian: GUARDIAN, salt }))).toBe('f406e2a786f66d6e34b9219373cdc9bd3194f2a42ed2e210e12e4aa8a28c25dd')
  })
  it('keeps a card that is read as it was written', () => {
    const c = { account: ACCOUNT, guardian: GUARDIAN, salt }
    const back = cardIn(`http://localhost:8080/box/guard#${carded(c)}`)
    expect(back && { ...back, salt: hex(back.salt) }).toEqual({ ...c, salt: hex(salt) })
    expect(cardIn(carded(c).slice(0, -2))).toBeUndefined()
    expect(cardIn(url64(utf8('x'.repeat(65))))).toBeUndefined()
  })
})

it('finds a person in a code or a link, and nothing else', () => {
  expect(accountOf(` ${ACCOUNT} `)).toBe(ACCOUNT)
  expect(accountOf(`https://a.example.cn/box/new#${ACCOUNT}`)).toBe(ACCOUNT)
  for (const none of ['', 'p-1', ACCOUNT.toUpperCase(), `${ACCOUNT}0`, hex(unhex('00'))]) expect(accountOf(none)).toBeUndefined()
})
