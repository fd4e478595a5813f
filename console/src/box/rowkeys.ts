// The way of a row key out of this browser. It is kept here, sealed, before the grant is signed;
// once the ledger has the grant it is laid down at the door, and what did not arrive is brought
// the next time that the box is open. Who has only this cannot read it.
import { fromBinary } from '@bufbuild/protobuf'
import { ConnectError } from '@connectrpc/connect'
import { TableSchema } from '@/gen/mulian/catalogue/v1/catalogue_pb'
import { AccountSchema } from '@/gen/mulian/identity/v1/identity_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, unhex } from '@/chain/bytes'
import { note, type Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'
import { proofIn, proofPlaces } from './acting'
import { grantsOf } from './allowed'
import { base64, type DataRequest, type Here, Refusal, unbase64 } from './api'
import { layRowKey } from './door'
import { canSeal, commitment, grantId, rowKeyOf, sealTo } from './rowkey'

interface Waiting { owner?: string; grant: string; provider: string; key: string; commitment: string; sealed: string; untilMs: number }
const PLACE = 'rowkey:'

/** Row is what says which row it is: an entry's table, the item that names its owner. */
export interface Row { table: string; ownerItem: string }

async function object(key: string): Promise<Uint8Array> {
  const o = await rpc(LedgerService).getObject({ key })
  if (!o.found) throw new Error(key)
  return o.value
}

/** prepare makes the row key of the owner's row, keeps it here with who signs, and returns what the ledger gets of it. It throws 'no-proof' without a proofing of the owner, 'no-seal' if the gateway has no key that this page can seal to. Before anything is signed. */
export async function prepare(s: Signer, owner: string, request: DataRequest, row: Row): Promise<Bytes> {
  const notes = await note(s.account)
  const proof = proofIn(notes, s.account, owner)
  if (!proof) throw new Error('no-proof')
  const provider = fromBinary(TableSchema, await object(`catalogue/table/${row.table}`)).gateway
  const to = fromBinary(AccountSchema, await object(`identity/account/${provider}`)).gateway?.sealingKey
  if (!to || !canSeal(to)) throw new Error('no-seal')
  const place = PLACE + request.id
  const before = notes[place] && (JSON.parse(notes[place]) as Waiting)
  const grant = await grantId(request.id, owner)
  // The answer to an earlier signature may be on its way: another key would not be that grant's.
  if (before && before.grant === grant && before.provider === provider && before.key === to.id) return unbase64(before.commitment)
  const k = rowKeyOf({ [row.ownerItem]: proof.number }, proof.number, unbase64(proof.salt))
  const sum = await commitment(k)
  const sealed = await sealTo(to, { grant, provider, subject: owner }, k)
  const w: Waiting = { owner, grant, provider, key: to.id, commitment: base64(sum), sealed: base64(sealed), untilMs: Number(request.notAfterMs) }
  await note(s.account, place, JSON.stringify(w)) // if the power fails after the signature, this copy is the only one
  return sum
}

// Of these refusals no other follows: the grant is over, used, or not about this key.
const FINAL = ['MUL-14059', 'MUL-14054', 'MUL-14057', 'MUL-12002', 'MUL-13022', 'MUL-12004', 'MUL-11012', 'MUL-14060']
const PAGES = 20 // of grants, of which a person has a handful

const FORBIDDEN = 'MUL-12004'
// The grants of an owner; none if the mandate is over under which his were read.
const readable = (owner: string) => grantsOf(owner, 'live', PAGES).then((r) => r.list, (err: unknown) => {
  if (err instanceof Refusal && err.code === FORBIDDEN) return []
  throw err
})

/** bring lays down what is kept here and whose grant is on the ledger, and returns how many could not be. */
export async function bring(at: Here, s: Signer): Promise<number> {
  const waiting = Object.entries(await note(s.account)).filter(([place]) => place.startsWith(PLACE))
  if (waiting.length === 0) return 0
  const owners = new Set(waiting.map(([, value]) => (JSON.parse(value) as Waiting).owner ?? s.account))
  const given = new Map((await Promise.all([...owners].map(readable))).flatMap((list) => list.map((g) => [g.id, g])))
  let left = 0
  for (const [place, value] of waiting) {
    const w = JSON.parse(value) as Waiting
    const grant = given.get(w.grant)
    if (!grant) { // not given yet, over, or never given: kept until no answer to the request can come
      if (Date.now() + at.aheadMs > w.untilMs) await note(s.account, place)
      continue
    }
    try {
      if (grant.rowKeyCommitment === w.commitment) await layRowKey({ at, signer: s }, { grant: w.grant, provider: w.provider, rowKeyCommitment: unbase64(w.commitment), sealed: unbase64(w.sealed) })
      await note(s.account, place)
    } catch (err) {
      const code = err instanceof Refusal ? err.code : ConnectError.from(err).metadata.get('mulian-code')
      if (code && FINAL.includes(code)) await note(s.account, place)
      else left++
    }
  }
  return left
}

/** takeProof reads the file of an identity authority (mulian owner identify --proof) and keeps it beside the account of who signs. It throws 'not-yours' for another account's. */
export async function takeProof(s: Signer, owner: string, text: string): Promise<void> {
  let p: { account?: string; number?: string; salt?: string } = {}
  try { p = JSON.parse(text) as typeof p } catch { /* it is none */ }
  if (p.account !== owner || !p.number || !/^([0-9a-f]{2}){1,32}$/.test(p.salt ?? '')) throw new Error('not-yours')
  const [number, salt] = proofPlaces(s.account, owner)
  await note(s.account, number, p.number)
  await note(s.account, salt, base64(unhex(p.salt!)))
}
