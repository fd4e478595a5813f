// What these pages seal is what mulian/internal/rowkey opens: the file that this test reads was
// sealed here (WRITE=1 seals anew), and TestBrowserSealed opens all of it in Go.
// @ts-expect-error the pages know nothing of Node
import { readFileSync, writeFileSync } from 'node:fs'
// @ts-expect-error the same
import { fileURLToPath } from 'node:url'
import { toBinary } from '@bufbuild/protobuf'
import { sm2, sm4 } from 'sm-crypto-v2'
import { describe, expect, it } from 'vitest'
import { RowKeySchema } from '@/gen/mulian/gateway/v1/gateway_pb'
import { type Bytes, hex, join, unhex, utf8 } from '@/chain/bytes'
import { canSeal, commitment, grantId, rowKeyOf, sealTo } from './rowkey'
import { digest, frame } from './seal'

interface Key { algorithm: number; seed: string; public: string; sealed?: string[] }
interface Golden { request: string; subject: string; provider: string; grant: string; salt: string; owner: string; ownerSalt: string; where: Record<string, string>; commitment: string; sm2: Key; p256: Key }

const path = fileURLToPath(new URL('../../../internal/rowkey/testdata/browser.json', import.meta.url))
const golden = JSON.parse(readFileSync(path, 'utf8')) as Golden
const key = rowKeyOf(golden.where, golden.owner, unhex(golden.ownerSalt), unhex(golden.salt))
const context = { grant: golden.grant, provider: golden.provider, subject: golden.subject }
const seal = async (k: Key) => hex(await sealTo({ algorithm: k.algorithm, publicKey: unhex(k.public) }, context, key))

/** openSM2 opens as a gateway with a key of SM2 does. */
async function openSM2(sealed: Bytes): Promise<Uint8Array> {
  const n = 6 + sealed[4]! * 256 + sealed[5]!
  const head = sealed.slice(0, n)
  expect(head.slice(0, 4)).toEqual(join(utf8('MS'), new Uint8Array([1, 1])))
  const k = sm2.doDecrypt(hex(head.slice(6)), golden.sm2.seed, 1, { asn1: true, output: 'array' })
  const aad = frame('mulian/rowkey/seal/v1', context.grant, context.provider, context.subject)
  const iv = new Uint8Array(12)
  iv[11] = 1
  return sm4.decrypt(sealed.slice(n, -16), k, { mode: 'gcm', iv, associatedData: await digest('mulian/seal/v1', head, aad), tag: sealed.slice(-16), padding: 'none', output: 'array' })
}

describe('row keys', () => {
  it('have the commitment and the grant that Go computes', async () => {
    expect(hex(await commitment(rowKeyOf({ b: '2', a: '1' }, '', new Uint8Array(), new Uint8Array(16).fill(1))))).toBe('8213c4e4da8513e091e676bc32d490e8da14770e5b302a1421be67fde1bc48d4')
    expect(await grantId(golden.request, golden.subject)).toBe(golden.grant)
    expect(hex(await commitment(key))).toBe(golden.commitment)
  })
  it('are sealed in the form that Go has opened', async () => {
    // @ts-expect-error the pages know nothing of Node
    if (process.env.WRITE) {
      for (const [k, n] of [[golden.sm2, 64], [golden.p256, 8]] as const) k.sealed = await Promise.all(Array.from({ length: n }, () => seal(k)))
      writeFileSync(path, JSON.stringify(golden, null, 1) + '\n')
    }
    const plain = toBinary(RowKeySchema, key)
    for (const s of [...golden.sm2.sealed!, await seal(golden.sm2)]) expect(await openSM2(unhex(s))).toEqual(plain)
    const made = unhex(await seal(golden.p256)), before = unhex(golden.p256.sealed![0]!)
    expect([made.length, hex(made.slice(0, 7))]).toEqual([before.length, hex(before.slice(0, 7))]) // an encapsulated key of its own each time
    expect(hex(made)).not.toBe(hex(before))
  })
  it('are sealed to no other kind of key', () => {
    expect(canSeal({ algorithm: 3, publicKey: new Uint8Array(32) })).toBe(false)
    expect(canSeal(undefined)).toBe(false)
    expect(canSeal({ algorithm: 1, publicKey: unhex(golden.sm2.public) })).toBe(true)
  })
})
