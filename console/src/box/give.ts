// Handing over what lies in the box, as safebox/owner/give.go does it: an offer on the ledger,
// then the ciphertext, sealed to the receiver's vault, into his box; he opens it, holds it
// against what was signed, and takes it or not.
//
//	content ─▶ sealed to him ─▶ OfferTransfer (its hash) ─▶ laid into his box ─▶ looked at ─▶ AcceptTransfer
import { create, fromBinary } from '@bufbuild/protobuf'
import { ConnectError } from '@connectrpc/connect'
import { CopyNoteSchema, type ItemCard } from '@/gen/mulian/safebox/v1/file_pb'
import { SealSuite, type Transfer, TransferKind, TransferSchema, TransferState } from '@/gen/mulian/safebox/v1/safebox_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, hex } from '@/chain/bytes'
import { rpc } from '@/chain/rpc'
import { type Act, type Draft, draft } from '@/chain/tx'
import { call } from './api'
import { type Caller, head, missing } from './door'
import { cardOf, commitment, content, headHash, type Item, itemOf, layDown, seal, type Sealed, termsOf } from './item'
import { CREDENTIAL, narrowed } from './part'
import { same } from './seal'
import { onLedger, type Open } from './vault'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
export const MAX_PURPOSE = 500
export const MAX_DAYS = 30

/** Offer is a transfer as the lists have it. */
export interface Offer { id: string; item: string; from: string; to: string; kind: string; state: string; offeredMs: string; expiresMs: string; endedMs?: string; made?: string }
export const OPEN = 'TRANSFER_STATE_OFFERED'
const PAGE = 500

/** offersOf lists the transfers to and from an account, the newest first. */
export async function offersOf(account: string): Promise<Offer[]> {
  const all = await Promise.all((['to', 'from'] as const).map(async (side) => {
    const out: Offer[] = []
    for (let after = ''; ;) {
      const r = await call<{ transfers?: Offer[]; next?: string }>('mulian.safebox.v1.SafeboxService/ListTransfers', { [side]: account, after, limit: PAGE })
      out.push(...(r.transfers ?? []))
      if (!r.next || r.next <= after) return out
      after = r.next
    }
  }))
  return all.flat().sort((a, b) => Number(b.offeredMs) - Number(a.offeredMs))
}

/** Ready is an offer before it is signed: its act, and what is laid into the other box then. */
export interface Ready { draft: Draft; sealed: Sealed }

const answerBy = (c: Caller, days: number) => BigInt(Math.round(Date.now() + c.at.aheadMs + days * DAY_MS - MINUTE_MS)) // the block's clock may be a little behind

async function ready(c: Caller, item: string, to: string, days: number, version: number, card: ItemCard, bytes: Bytes, copy?: { copyCommitment: Bytes; termsCommitment: Bytes }): Promise<Ready> {
  const vault = await onLedger(to)
  if (!vault) throw new Error('no-box')
  if (!vault.keys.some((k) => k.suite === SealSuite.P256)) throw new Error('no-p256')
  const sealed = await seal(card, bytes, vault, version)
  return {
    sealed,
    draft: await draft(c.at.chainId, c.signer.account, [{ case: 'offerTransfer', value: {
      item, to, kind: copy ? TransferKind.COPY : TransferKind.HAND_OVER, ...copy, wrapHash: await headHash(sealed.head), expiresMs: answerBy(c, days), keyVersion: vault.keyVersion,
    } }], c.at.aheadMs),
  }
}

/** handOver offers the item itself: once it is accepted it is another's, and gone from this box. */
export async function handOver(c: Caller, it: Item, to: string, days: number): Promise<Ready> {
  if (!it.card) throw new Error(it.failed ?? 'damaged')
  if (it.card.mediaType === CREDENTIAL) throw new Error('credential') // who has its key presents as the holder
  return ready(c, it.id, to, days, it.head.version + 1, it.card, (await content(c, it)).bytes)
}

/** Terms are what a copy is given under: they stand in it. */
export interface Terms { to: string; purpose: string; untilMs: number; fields: string[]; days: number }

/** copy offers an annotated copy 加注件: good for the receiver alone, for that purpose, until then. */
export async function copy(c: Caller, it: Item, t: Terms): Promise<Ready> {
  if (!it.card) throw new Error(it.failed ?? 'damaged')
  const { title, schema, issuer, madeMs, entry } = it.card
  const given = narrowed(it.card.mediaType, (await content(c, it)).bytes, t.fields)
  const now = BigInt(Math.round(Date.now() + c.at.aheadMs))
  const note = create(CopyNoteSchema, { of: it.id, from: c.signer.account, to: t.to, purpose: t.purpose, notAfterMs: BigInt(t.untilMs), fields: t.fields, madeMs: now })
  const card = await cardOf(given.bytes, { title, schema, issuer, madeMs, entry, mediaType: given.mediaType, copy: note })
  return ready(c, it.id, t.to, t.days, 1, card, given.bytes, { copyCommitment: (await commitment(card)).commitment, termsCommitment: await termsOf(card) })
}

/** deliver lays what was offered into the other box; the door knows the offer a moment after its block. */
export const deliver = (c: Caller, r: Ready): Promise<void> => layDown(c, r.sealed)

/** Seen is an open offer whose content was opened and is what its giver signed. */
export interface Seen { transfer: Transfer; item: Item; copied: boolean }

// whole reads an item to its end, and keeps nothing: each chunk and the sum have to be right.
async function whole(c: Caller, it: Item): Promise<void> {
  try {
    await content(c, it)
  } catch (err) {
    if (err instanceof ConnectError) throw err // the line, not the content
    throw new Error(err instanceof Error && err.message === 'too-large' ? 'too-large-here' : 'changed')
  }
}

/** look opens what an open offer would bring, all of it, and holds it against the offer. It throws 'no-offer', 'not-there', 'not-as-offered', 'other-key', 'changed', or why it does not open: what is accepted unread may be nothing. */
export async function look(c: Caller, o: Open, id: string): Promise<Seen> {
  const found = await rpc(LedgerService).getObject({ key: `safebox/transfer/${id}` })
  const t = found.found ? fromBinary(TransferSchema, found.value) : undefined
  if (!t || t.to !== c.signer.account || t.state !== TransferState.OFFERED) throw new Error('no-offer')
  const copied = t.kind === TransferKind.COPY
  const brings = copied ? hex(t.copyCommitment.slice(0, 16)) : t.item
  try {
    if (!same((await head(c, brings)).sum, t.wrapHash)) throw new Error('not-as-offered')
  } catch (err) {
    throw missing(err) ? new Error('not-there') : err
  }
  const it = await itemOf(c, o, brings)
  if (!it.card) throw new Error(it.failed === 'other-suite' || it.failed === 'other-key' ? it.failed : 'not-as-offered')
  if (!copied) { // itemOf has held the card against the item that the ledger has
    if (!it.held) throw new Error('not-as-offered')
    await whole(c, it)
    return { transfer: t, item: it, copied }
  }
  const note = it.card.copy
  const right = note && same((await commitment(it.card)).commitment, t.copyCommitment) && same(await termsOf(it.card), t.termsCommitment) && note.to === t.to && note.from === t.from && note.of === t.item
  if (!right) throw new Error('not-as-offered')
  await whole(c, it)
  return { transfer: t, item: it, copied }
}

const one = (act: (transfer: string) => Act) => (c: Caller, transfer: string): Promise<Draft> => draft(c.at.chainId, c.signer.account, [act(transfer)], c.at.aheadMs)
/** accepting and declining answer an offer; cancelling takes one back. */
export const accepting = one((transfer) => ({ case: 'acceptTransfer', value: { transfer } }))
export const declining = one((transfer) => ({ case: 'declineTransfer', value: { transfer } }))
export const cancelling = one((transfer) => ({ case: 'cancelTransfer', value: { transfer } }))
