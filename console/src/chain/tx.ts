// Transactions: made, read back from their bytes, signed, sent. What is shown to a signer is
// decoded from the bytes that he signs.
import { create, fromBinary, toBinary, toJson, type MessageInitShape } from '@bufbuild/protobuf'
import { BodySchema, EnvelopeSchema, MessageSchema, type Body, type Outcome } from '@/gen/mulian/tx/v1/tx_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, join, random, sha256, utf8 } from './bytes'
import { type Signer, signTx } from './keys'
import { rpc } from './rpc'

/** Act is one message: { case: 'answer', value: { request, accept: true } }. */
export type Act = NonNullable<MessageInitShape<typeof MessageSchema>['kind']>

/** LIFETIME of an envelope of ours: a person reads before he signs; the ledger allows 10 minutes. */
const LIFETIME_MS = 8 * 60_000

/** Draft is a transaction that nobody has signed yet. */
export interface Draft { bytes: Bytes; id: Bytes; body: Body }

/** draft encodes acts into the bytes that are signed; offsetMs is how far the server's clock is ahead. */
export async function draft(chain: string, account: string, acts: Act[], offsetMs = 0): Promise<Draft> {
  const bytes = toBinary(BodySchema, create(BodySchema, {
    chainId: chain, account, expiresMs: BigInt(Date.now() + offsetMs + LIFETIME_MS), salt: random(12),
    messages: acts.map((kind) => ({ kind })),
  })) as Bytes
  return { bytes, id: await txId(bytes), body: fromBinary(BodySchema, bytes) }
}

export const txId = (body: Uint8Array): Promise<Bytes> => sha256(join(utf8('mulian-tx-v1\0'), body))

/** Field is one line of what a transaction holds: a path and its value. */
export interface Field { path: string; value: string }

/** fields lists everything that stands in the bytes, message by message. */
export function fields(bytes: Uint8Array): { verb: string; fields: Field[] }[] {
  return fromBinary(BodySchema, bytes).messages.map((m) => {
    const json = toJson(MessageSchema, m) as Record<string, unknown>
    const verb = Object.keys(json)[0] ?? ''
    const out: Field[] = []
    walk('', json[verb], out)
    return { verb, fields: out }
  })
}

function walk(path: string, v: unknown, out: Field[]): void {
  if (Array.isArray(v)) v.forEach((x, i) => walk(`${path}[${i + 1}]`, x, out))
  else if (v && typeof v === 'object') for (const [k, x] of Object.entries(v)) walk(path ? `${path}.${k}` : k, x, out)
  else out.push({ path, value: String(v) })
}

/** Committed says that a transaction stands in a block; code 0 means that it was carried out. */
export interface Committed { id: Bytes; height: bigint; code: number; text: string; ids: string[] }

/** send signs a draft and waits until it is in a block. It throws what calls throw, and the device's refusals. */
export async function send(s: Signer, d: Draft, onSigned?: () => void): Promise<Committed> {
  const signature = await signTx(s, d.id)
  onSigned?.()
  const envelope = toBinary(EnvelopeSchema, create(EnvelopeSchema, { body: d.bytes, signature: { key: s.keyId, signature } }))
  const res = await rpc(LedgerService).submit({ envelope }, { timeoutMs: 60_000 })
  const o: Outcome | undefined = res.outcome
  return { id: d.id, height: o?.height ?? 0n, code: o?.code ?? 0, text: res.text, ids: o?.ids ?? [] }
}
