// The row key of a grant, as mulian/internal/rowkey has it in Go: which row it is about, sealed
// to the gateway that reads it, so that neither the ledger nor who asked learns it. The same
// bytes; both kinds of a gateway's key.
//
//	rowKeyOf ─▶ commitment on the ledger (GiveGrant) ─▶ sealed bytes at the door ─▶ data user's gateway ─▶ provider's gateway opens
import { create, toBinary } from '@bufbuild/protobuf'
import { type RowKey, RowKeySchema } from '@/gen/mulian/gateway/v1/gateway_pb'
import { type Bytes, hex, join, random, sha256, unhex, utf8 } from '@/chain/bytes'
import { be, digest, exported, frame, gcm } from './seal'

/** SM2 and P256 are the kinds of a gateway's sealing key, by the ledger's numbers. */
export const SM2 = 1
export const P256 = 2
/** SealingKey is to what is sealed: uncompressed point. */
export interface SealingKey { algorithm: number; publicKey: Uint8Array }
/** canSeal says whether this page can seal to such a key. */
export const canSeal = (k?: SealingKey): k is SealingKey => !!k && (k.algorithm === SM2 || k.algorithm === P256) && k.publicKey.length === 65

/** Context is for what a key is sealed: grant, gateway that opens it, owner. */
export interface Context { grant: string; provider: string; subject: string }

const DOMAIN = 'mulian-rowkey-v1\0'
const SEAL = 'mulian/seal/v1'

/** rowKeyOf makes the key of a row with a new salt: conditions by item, the owner's number and what opens his proofing. */
export function rowKeyOf(where: Record<string, string>, owner: string, ownerSalt: Uint8Array, salt: Uint8Array = random(16)): RowKey {
  const items = Object.keys(where).sort() // codes of items are ASCII
  if (items.length === 0 || items.length > 8) throw new Error('a row key has 1 to 8 conditions')
  return create(RowKeySchema, { salt, where: items.map((item) => ({ item, value: where[item]! })), owner, ownerSalt })
}

/** commitment is what the ledger has of a key. */
export const commitment = (k: RowKey): Promise<Bytes> => sha256(join(utf8(DOMAIN), k.salt, utf8(k.where.map((w) => `${w.item}=${w.value}`).join('\n'))))

/** grantId is the id of what the owner gives upon the request (internal/consent). */
export const grantId = async (request: string, owner: string): Promise<string> => hex((await digest('mulian/grant/id/v1', request, owner)).slice(0, 16))

/** sealTo closes a row key for a gateway: internal/seal, one page, suite 1 or 2 by its key. */
export async function sealTo(to: SealingKey, c: Context, k: RowKey): Promise<Bytes> {
  const aad = frame('mulian/rowkey/seal/v1', c.grant, c.provider, c.subject)
  const page = toBinary(RowKeySchema, k) as Bytes
  const nonce = join(new Uint8Array(11), be(1, 1)) // page 0, the last
  const header = (suite: number, enc: Uint8Array) => join(utf8('MS'), be(1, 1), be(1, suite), be(2, enc.length), enc)
  if (to.algorithm === SM2) {
    const { sm2, sm4 } = await import('sm-crypto-v2')
    const key = random(16)
    const head = header(1, unhex(sm2.doEncrypt(key, hex(to.publicKey), 1, { asn1: true })))
    const box = sm4.encrypt(page, key, { mode: 'gcm', iv: nonce, associatedData: await digest(SEAL, head, aad), padding: 'none', output: 'array', outputTag: true })
    return join(head, box.output, box.tag!)
  }
  const { enc, key } = await exported(to.publicKey, await digest(SEAL, be(1, 2), aad), utf8(`${SEAL}/key`))
  const head = header(2, enc)
  return join(head, await gcm(key, nonce, await digest(SEAL, head, aad), page))
}
