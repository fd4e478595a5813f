// What the box writes: opening the account, giving, declining, revoking. Loaded with the
// first signature, as it brings the schema.
import { AccountKind, KeyAlgorithm, KeyLevel } from '@/gen/mulian/identity/v1/identity_pb'
import { RecoveryPath } from '@/gen/mulian/recovery/v1/recovery_pb'
import { DeclineCause } from '@/gen/mulian/grant/v1/grant_pb'
import { MandateAct, MandateKind } from '@/gen/mulian/mandate/v1/mandate_pb'
import { ErasureBasis } from '@/gen/mulian/safebox/v1/safebox_pb'
import { hex, random, sha256, utf8 } from '@/chain/bytes'
import { arrived, keep, makeKey, makePasskey, type Signer, waiting } from '@/chain/keys'
import { type Act, draft, type Draft, fields, send } from '@/chain/tx'
import { call, type Here, type DataRequest } from './api'
import type { Acting } from './acting'
import { matchOf } from './match'
import type { keyOf, NewcomerKey } from './newkey'
import { prepare, type Row } from './rowkeys'

export { fields, send }
export type { Draft }

/** open makes keys and an account for a person, and in the demo has it identified and asked. */
export async function open(at: Here, passkey: boolean, label: string): Promise<Signer> {
  const what = `box/${passkey ? 'passkey' : 'key'}`
  const signer = await waiting(at.chainId, what, async () => {
    const key = passkey ? await makePasskey(label) : await makeKey()
    const device = await makeKey()
    return {
      ...key, account: `p-${hex(random(16))}`, org: '', orgName: '', role: 'citizen', chain: at.chainId, addedMs: Date.now(),
      device: { keyId: device.keyId, point: device.point, secret: device.secret! },
    }
  })
  const { account, device } = signer
  const acts: Act[] = [{ case: 'openAccount', value: { kind: AccountKind.PERSON, id: account, keys: [
    { id: signer.keyId, publicKey: signer.point, level: KeyLevel.ROOT, label: passkey ? 'passkey' : 'browser', algorithm: passkey ? KeyAlgorithm.WEBAUTHN : KeyAlgorithm.P256,
      ...(passkey && { passkey: { rpIdHash: await sha256(utf8(signer.rpId!)), backupEligible: signer.backupEligible } }) },
    { id: device!.keyId, publicKey: device!.point, level: KeyLevel.MACHINE, label: 'device', algorithm: KeyAlgorithm.P256 },
  ] } }]
  const { found } = await call<{ found?: boolean }>('mulian.ledger.v1.LedgerService/GetObject', { key: `identity/account/${account}` })
  if (!found) { // else it was opened, and the answer lost
    const done = await send(signer, await draft(at.chainId, account, acts, at.aheadMs))
    if (done.code !== 0) throw new Error(done.text)
  }
  if (at.demo) { // the city says who this invented person is
    const said = await call<{ number?: string; salt?: string }>('mulian.console.v1.ConsoleService/TakeSeat', { seat: 'citizen', account })
    signer.notes = { number: said.number ?? '', salt: said.salt ?? '' }
  }
  await keep(signer)
  await arrived(at.chainId, what)
  return signer
}

export interface Chosen { request: DataRequest; text: string; language: 'zh' | 'en'; items: Uint8Array; row: Row }

/** giving is the draft of a yes: to this request, in these words, about the row of whose it is. */
export async function giving(at: Here, s: Signer, c: Chosen, as?: Acting): Promise<Draft> {
  const { request } = c
  const rowKey = await prepare(s, as?.owner ?? s.account, request, c.row)
  const match = matchOf(request.id) // of a request that shows a number (scan.tsx)
  return draft(at.chainId, s.account, [{ case: 'giveGrant', value: {
    request: request.id, requestHash: from64(request.hash), uiTextHash: await sha256(utf8(c.text)), language: c.language, items: c.items, rowKeyCommitment: rowKey,
    ...(match && { matchSalt: match.salt, matchNumber: match.number }), ...(as && { owner: as.owner }), ...under(as),
  } }], at.aheadMs)
}

/** under names the mandate of who acts for another. */
const under = (as?: Acting) => (as ? { mandate: as.mandate } : {})

const from64 = (s: string) => Uint8Array.from(atob(s), (c) => c.charCodeAt(0)) as Uint8Array<ArrayBuffer>

export const declining = (at: Here, s: Signer, id: string, notMe: boolean, as?: Acting): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'declineRequest', value: { request: id, cause: notMe ? DeclineCause.NOT_ME : DeclineCause.REFUSED, ...under(as) } }], at.aheadMs)

/** mismatching declines a request whose number was typed wrong three times. */
export const mismatching = (at: Here, s: Signer, id: string, as?: Acting): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'declineRequest', value: { request: id, cause: DeclineCause.MISMATCH, ...under(as) } }], at.aheadMs)

export const revoking = (at: Here, s: Signer, grant: string, as?: Acting): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'revokeGrant', value: { grant, ...under(as) } }], at.aheadMs)

/** depositing puts a sealed item of one's own on the ledger; erasing records that one is destroyed. */
export const depositing = (at: Here, s: Signer, commitment: Uint8Array, keyVersion: bigint): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'selfDeposit', value: { items: [{ commitment: commitment as Uint8Array<ArrayBuffer>, keyVersion }] } }], at.aheadMs)
export const erasing = (at: Here, s: Signer, item: string): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'eraseItems', value: { items: [item], basis: ErasureBasis.OWNER } }], at.aheadMs)

type Write = (at: Here, s: Signer, id: string, as?: Acting) => Promise<Draft>
const one = (act: (id: string, as?: Acting) => Act): Write => (at, s, id, as) => draft(at.chainId, s.account, [act(id, as)], at.aheadMs)

/** pausing and resuming stop a grant for a while, and let it go on. */
export const pausing = one((grant, as) => ({ case: 'pauseGrant', value: { grant, ...under(as) } }))
export const resuming = one((grant, as) => ({ case: 'resumeGrant', value: { grant, ...under(as) } }))
/** vetoing says that a recovery which runs is not the holder's. */
export const vetoing = one((recovery) => ({ case: 'vetoRecovery', value: { recovery } }))
/** ending revokes a mandate that was given or accepted. */
export const ending = one((mandate) => ({ case: 'revokeMandate', value: { mandate } }))
/** answering accepts or declines to act for somebody. */
export const answering = (at: Here, s: Signer, mandate: string, accept: boolean) => one(() => ({ case: 'answerMandate', value: { mandate, accept } }))(at, s, mandate)
/** Proposed is what a holder lets another do for him. */
export interface Proposed { agent: string; entries: string[]; grant: boolean; sensitive: boolean; untilMs: number; maxUses: number }
/** proposing makes a mandate that waits for its agent: of these entries, of all if none is named. */
export const proposing = (at: Here, s: Signer, p: Proposed): Promise<Draft> => draft(at.chainId, s.account, [{ case: 'proposeMandate', value: {
  principal: s.account, agent: p.agent, kind: MandateKind.AGENT, basis: {}, maxLevel: p.sensitive ? KeyLevel.ROOT : KeyLevel.OFFICER, untilMs: BigInt(p.untilMs), maxUses: p.maxUses,
  scope: { everything: p.entries.length === 0, entries: [...p.entries].sort(), acts: p.grant ? [MandateAct.VIEW, MandateAct.GRANT] : [MandateAct.VIEW] },
} }], at.aheadMs)
/** reporting says that a key of the account is lost, or found again. */
export const reporting = (at: Here, s: Signer, key: string, found: boolean) => one(() => ({ case: 'reportKey', value: { account: s.account, key, found } }))(at, s, key)

type NewKey = Awaited<ReturnType<typeof keyOf>>
/** settle adds the device's own key, for calls that nobody looks at, once its main key counts. */
export async function settle(at: Here, s: Signer): Promise<void> {
  const device = s.device!
  const done = await send(s, await draft(at.chainId, s.account, [{ case: 'addKey', value: { account: s.account, key: {
    id: device.keyId, publicKey: device.point, level: KeyLevel.MACHINE, label: 'device', algorithm: KeyAlgorithm.P256,
  } } }], at.aheadMs))
  if (done.code !== 0 && done.code !== ALREADY_EXISTS) throw new Error(done.text)
}
const ALREADY_EXISTS = 11021

/** arranging names who vouches; what else was arranged stays. */
export const arranging = (at: Here, s: Signer, guardians: Uint8Array<ArrayBuffer>[], threshold: number, was?: { codeKey?: string; lockHours?: number; version?: string }): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'setRecoveryPolicy', value: { guardians, threshold, codeKey: from64(was?.codeKey ?? ''), lockHours: was?.lockHours ?? 0, version: BigInt(was?.version ?? 0) } }], at.aheadMs)
/** keeping drops the change of the arrangement that waits. */
export const keeping = (at: Here, s: Signer): Promise<Draft> => draft(at.chainId, s.account, [{ case: 'keepRoster', value: {} }], at.aheadMs)
/** recovering begins a recovery as a guardian; approving vouches in one that runs. */
export const recovering = (at: Here, s: Signer, k: NewcomerKey, newKey: NewKey, salt: Uint8Array<ArrayBuffer>): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'openRecovery', value: { account: k.account, path: RecoveryPath.GUARDIANS, newKey, possession: k.possession, salt } }], at.aheadMs)
export const approving = (at: Here, s: Signer, recovery: string, salt: Uint8Array<ArrayBuffer>): Promise<Draft> =>
  draft(at.chainId, s.account, [{ case: 'approveRecovery', value: { recovery, salt } }], at.aheadMs)
