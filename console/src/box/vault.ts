// The vault of a box in this browser: 32 random bytes, closed once for each way to open them.
// Open, it is in the memory of this page alone; what is kept and sent is the file, ciphertext.
// The same bytes as safebox/vault.go and unlock.go.
//
//	make ─▶ file kept here ─▶ hash on the ledger (RegisterVault) ─▶ file at the door
//	open(passkey's PRF | recovery code) ─▶ in memory, LOCK_MS long ─▶ locked
import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { PastSeedsSchema, type UnlockerBox, UnlockerBoxSchema, type VaultFile, VaultFileSchema } from '@/gen/mulian/safebox/v1/file_pb'
import { SealSuite, UnlockerKind, type Vault, VaultSchema } from '@/gen/mulian/safebox/v1/safebox_pb'
import { LedgerService } from '@/gen/mulian/ledger/v1/ledger_pb'
import { type Bytes, hex, random, sha256, utf8 } from '@/chain/bytes'
import { note, type Signer } from '@/chain/keys'
import { rpc } from '@/chain/rpc'
import { type Draft, draft } from '@/chain/tx'
import { base64, type Here, unbase64 } from './api'
import { printed, read } from './code'
import { type Caller, fetchVault, putVault } from './door'
import { be, closeWith, derive, frame, hkdf, openWith, publicOf, same } from './seal'

/** PRF_INPUT is what a passkey's PRF is evaluated at. */
const PRF_INPUT = 'mulian/vault/v1'
const LOCK_MS = 10 * 60_000

/** Secret is one way to open a vault: a kind, whose it is, and at least 160 bits of chance. */
interface Secret { kind: UnlockerKind; id: Bytes; secret: Bytes; label: string }

/**
 * Open is an open vault; pairs by the version of the keys. If the passkey of this device does not open
 * it yet, admit makes the change that lets it, and forget destroys the seed that is kept for that.
 */
export interface Open { account: string; keyVersion: bigint; pairs: Map<bigint, CryptoKeyPair>; ms: number; admit?: (by: Secret) => Promise<Made>; forget?: () => void }

let opened: Open | undefined
let timer: ReturnType<typeof setTimeout> | undefined
const watching = new Set<() => void>()
/** watch calls back whenever the vault is opened or locked. */
export const watch = (f: () => void): (() => void) => { watching.add(f); return () => { watching.delete(f) } }
/** openNow is the open vault of the account, if it is open. */
export const openNow = (account: string): Open | undefined => (opened?.account === account ? opened : undefined)
/** lock forgets the keys. */
export function lock(): void {
  opened?.forget?.()
  opened = undefined
  clearTimeout(timer)
  for (const f of watching) f()
}
function keepOpen(o: Open): Open {
  opened?.forget?.()
  opened = o
  clearTimeout(timer)
  timer = setTimeout(lock, LOCK_MS)
  for (const f of watching) f()
  return o
}

/** byPasskey asks the device for the PRF of the passkey; undefined if it makes none. */
export async function byPasskey(s: Signer): Promise<Secret | undefined> {
  if (!s.credential) return undefined
  const got = (await navigator.credentials.get({
    publicKey: {
      challenge: random(32), rpId: s.rpId!, userVerification: 'required', timeout: 120_000,
      allowCredentials: [{ type: 'public-key', id: s.credential }],
      extensions: { prf: { eval: { first: utf8(PRF_INPUT) } } },
    },
  })) as PublicKeyCredential | null
  const first = got?.getClientExtensionResults().prf?.results?.first
  if (!first) return undefined
  const secret = new Uint8Array(first as ArrayBuffer)
  return secret.length === 32 ? { kind: UnlockerKind.PASSKEY, id: s.credential, secret, label: 'passkey' } : undefined
}

/** byCode reads a recovery code; undefined if it is mistyped. */
export function byCode(typed: string): Secret | undefined {
  const secret = read(typed)
  return secret && { kind: UnlockerKind.RECOVERY_CODE, id: new Uint8Array(), secret, label: 'paper' }
}
/** newCode makes a recovery code of 160 bits. */
export const newCode = (): string => printed(random(20))

const bound = (account: string, version: bigint, kind: number, id: Uint8Array) => frame('mulian/vault/unlocker/v1', account, be(8, version), be(1, kind), id)
const kek = (s: Secret, salt: Uint8Array) => hkdf(s.secret, salt, frame('mulian/vault/v1', be(1, s.kind), s.id), 32)

async function closed(s: Secret, account: string, version: bigint, seed: Uint8Array) {
  const salt = random(16)
  return { kind: s.kind, id: s.id, salt, label: s.label, box: await closeWith(await kek(s, salt), 'unlocker', bound(account, version, s.kind, s.id), seed) }
}

async function seedOf(f: VaultFile, b: UnlockerBox, s: Secret): Promise<Bytes | undefined> {
  if (b.kind !== s.kind || !same(b.id, s.id)) return undefined
  try {
    return await openWith(await kek(s, b.salt), 'unlocker', bound(f.account, f.keyVersion, s.kind, s.id), b.box)
  } catch {
    return undefined
  }
}

/** onLedger reads the vault as the ledger has it; undefined if there is none. */
export async function onLedger(account: string): Promise<Vault | undefined> {
  const o = await rpc(LedgerService).getObject({ key: `safebox/vault/${account}` })
  return o.found ? fromBinary(VaultSchema, o.value) : undefined
}

const kept = (hash: Uint8Array) => `vault:${hex(hash.slice(0, 8))}`

/** Made is a new vault before it counts: its act to sign, and what becomes of it then. */
export interface Made { draft: Draft; signed: () => Promise<void> }

/** make makes a vault that opens in these ways. Its file is kept here before anything is signed. */
export async function make(c: Caller, ways: Secret[]): Promise<Made> {
  const { account } = c.signer
  const seed = random(32)
  const file = toBinary(VaultFileSchema, create(VaultFileSchema, {
    account, version: 1n, keyVersion: 1n, unlockers: await Promise.all(ways.map((w) => closed(w, account, 1n, seed))),
  }))
  const hash = await sha256(file)
  await note(account, kept(hash), base64(file)) // if the power fails after the next step, this copy is the only one
  const pair = await derive(seed)
  seed.fill(0)
  const kinds = [...new Set(ways.map((w) => w.kind))].sort((a, b) => a - b)
  return {
    draft: await draft(c.at.chainId, account, [{ case: 'registerVault', value: { keys: [{ suite: SealSuite.P256, publicKey: await publicOf(pair) }], unlockers: kinds, unlockersHash: hash } }], c.at.aheadMs),
    signed: async () => {
      keepOpen({ account, keyVersion: 1n, pairs: new Map([[1n, pair]]), ms: 0 })
      await putVault(c, file)
    },
  }
}

/** fileOf reads the vault's file that the ledger names: of the door or, if it has it not, of this browser, and then the door gets it. */
async function fileOf(c: Caller, v: Vault): Promise<VaultFile> {
  let raw = await fetchVault(c)
  if (!raw || !same(await sha256(raw), v.unlockersHash)) {
    const here = (await note(c.signer.account))[kept(v.unlockersHash)]
    raw = here === undefined ? undefined : unbase64(here)
    if (!raw || !same(await sha256(raw), v.unlockersHash)) throw new Error('vault-file')
    await putVault(c, raw)
  }
  const f = fromBinary(VaultFileSchema, raw)
  if (f.account !== c.signer.account || f.unlockers.length === 0 || f.unlockers.length > 20) throw new Error('vault-file')
  return f
}

/** unlock opens the vault. It throws 'unlocker' if it does not open so, 'vault-file' if the file is nowhere. */
export async function unlock(c: Caller, v: Vault, by: Secret): Promise<Open> {
  const f = await fileOf(c, v)
  const begun = performance.now()
  for (const b of f.unlockers) {
    const seed = await seedOf(f, b, by)
    if (seed?.length !== 32) continue
    const pairs = new Map([[f.keyVersion, await derive(seed)]])
    if (f.past.length > 0) {
      const plain = await openWith(seed, 'past seeds', frame('mulian/vault/past/v1', f.account, be(8, f.keyVersion)), f.past)
      for (const p of fromBinary(PastSeedsSchema, plain).seeds) pairs.set(p.keyVersion, await derive(p.seed))
    }
    const o: Open = { account: f.account, keyVersion: f.keyVersion, pairs, ms: performance.now() - begun }
    const { credential } = c.signer
    if (!credential || f.unlockers.some((u) => u.kind === UnlockerKind.PASSKEY && same(u.id, credential))) seed.fill(0)
    else Object.assign(o, { admit: (way: Secret) => admitting(c, f, seed, o, way), forget: () => seed.fill(0) })
    return keepOpen(o)
  }
  throw new Error('unlocker')
}

/** admitting is the change of a vault that lets it open in one more way: the same keys, a new file. It is kept here before anything is signed. */
async function admitting(c: Caller, f: VaultFile, seed: Uint8Array, o: Open, by: Secret): Promise<Made> {
  if (seed.every((b) => b === 0)) throw new Error('unlocker') // it was locked meanwhile
  const next = clone(VaultFileSchema, f)
  next.version++
  next.unlockers.push(create(UnlockerBoxSchema, await closed(by, f.account, f.keyVersion, seed)))
  const file = toBinary(VaultFileSchema, next)
  const hash = await sha256(file)
  await note(f.account, kept(hash), base64(file))
  const kinds = [...new Set(next.unlockers.map((u) => u.kind))].sort((a, b) => a - b)
  return {
    draft: await draft(c.at.chainId, f.account, [{ case: 'changeVault', value: { version: f.version, unlockers: kinds, unlockersHash: hash } }], c.at.aheadMs),
    signed: async () => {
      await putVault(c, file) // until it is there, no other device opens the vault: the page says so, and brings it again
      if (opened === o) keepOpen({ account: o.account, keyVersion: o.keyVersion, pairs: o.pairs, ms: o.ms })
    },
  }
}

/** mayKeepOwn says whether the box may take what its owner could not get again: it opens in two kinds of ways. */
export const mayKeepOwn = (v: Vault): boolean => v.unlockers.length >= 2
/** caller is who calls at the door. */
export const caller = (at: Here, signer: Signer): Caller => ({ at, signer })
