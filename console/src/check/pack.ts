// Checks a trace pack (client/tracepack) with the hash of the genesis that the reader trusts:
// the same checks in the same order as `mulian verify`, by the verifier in JavaScript.
import { genesisHash, remember, type Report, type Signer, type Validator, verify } from '../../verify/mulian-verify.mjs'
import { checkEvidence, folderOf } from './evidence'
import { Torn, unzip } from './zip'

export const FORMAT = 'mulian-trace-pack-v1'
remember() // steps of one pack rest on the same blocks

const MAX_ZIP = 7 << 20
const MAX_STEPS = 100
const NEEDED = ['trace.json', 'headers.json', 'certificates.json', 'genesis.bin', 'README.txt']

export interface Act { verb: string; actor: string; height: string; time: string; transaction: string; message: string; objects: string[]; note: string }
export interface Step { seq: string; act: Act; zh: string; en: string; proof: string }
interface Manifest { format: string; object: string; chain: string; genesis: string; steps: number; complete: boolean; program: string; files: { name: string; bytes: number; sha256: string }[] }

/** PackReport has the keys of a proof file's report where they mean the same. */
export interface PackReport {
  ok: boolean
  step?: string // the check that failed: zip, manifest, genesis, proofs, trace, headers, certificates
  field?: string // the file in which it did
  why?: string // key of the sentence: verify:pack.<why>
  proof?: Report // why a proof file does not hold
  checks: { step: string; count: number }[]
  object?: string
  chain?: string
  genesis?: string
  height?: number
  time?: string
  power?: string
  sm2?: string
  steps?: Step[]
  complete?: boolean
  marks?: Mark[] // of all steps, also if the pack does not hold
  signers?: Signer[]
  validators?: Validator[]
  evidence?: { name: string; atMs: number; height: number } // of an evidence pack: the file, and when it was anchored
  original?: string // of an evidence pack: the file was in it, and is the one
}

class Refused extends Error {
  constructor(readonly step: string, readonly field: string, readonly why: string, readonly proof?: Report) { super(why) }
}
const refuse = (step: string, field: string, why: string, proof?: Report): never => { throw new Refused(step, field, why, proof) }

export const isZip = (raw: Uint8Array): boolean => raw[0] === 0x50 && raw[1] === 0x4b && raw[2] === 3 && raw[3] === 4

async function sha256(b: Uint8Array<ArrayBuffer>): Promise<string> {
  return Array.from(new Uint8Array(await crypto.subtle.digest('SHA-256', b)), (x) => x.toString(16).padStart(2, '0')).join('')
}

function json<T>(step: string, name: string, raw: Uint8Array): T {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(raw)) as T
  } catch {
    return refuse(step, name, 'form')
  }
}
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

interface Proved { name: string; report: Report; block: string; app: string; set: string; acts: Act[] }

/** Mark is what the check of one step's proof came to. */
export interface Mark { seq: string; ok: boolean; power?: string; sm2?: string; signer?: Signer; report: Report }

/** checkPack checks a pack. progress is called with how many proofs of how many were verified. */
export async function checkPack(raw: Uint8Array<ArrayBuffer>, genesis: string, progress?: (done: number, all: number) => void): Promise<PackReport> {
  const out: PackReport = { ok: false, checks: [] }
  const held = (step: string, count: number) => out.checks.push({ step, count })
  try {
    const files = await unzip(raw), folder = folderOf(files)
    if (folder !== undefined) return await checkEvidence(files, folder, genesis)
    if (raw.length > MAX_ZIP) refuse('zip', '', 'long')
    const m = await manifest(files)
    held('manifest', m.files.length)
    let hash = ''
    try { hash = genesisHash(files.get('genesis.bin')!) } catch { refuse('genesis', 'genesis.bin', 'genesis') }
    if (hash !== genesis || hash !== m.genesis) refuse('genesis', 'genesis.bin', 'chain')
    held('genesis', 1)
    const told = json<{ object: string; steps: Step[] }>('trace', 'trace.json', files.get('trace.json')!)
    if (!Array.isArray(told.steps) || told.object !== m.object || told.steps.length !== m.steps || told.steps.length < 1 || told.steps.length > MAX_STEPS) refuse('trace', 'trace.json', 'steps')
    const all = await proofs(files, m, told.steps, genesis, (out.marks = []), progress)
    held('proofs', all.length)
    rest(files, m, told.steps, all, held)
    const last = latest(all)
    Object.assign(out, {
      ok: true, object: m.object, chain: m.chain, genesis, height: last.report.height, time: last.report.time, power: last.report.power, sm2: last.report.sm2,
      steps: told.steps, complete: m.complete, signers: certificates(all).signers, validators: last.report.validators,
    })
  } catch (e) {
    if (e instanceof Refused) Object.assign(out, { step: e.step, field: e.field, why: e.why, proof: e.proof })
    else if (e instanceof Torn) Object.assign(out, { step: 'zip', field: '', why: 'torn' })
    else throw e
  }
  return out
}

async function manifest(files: Map<string, Uint8Array<ArrayBuffer>>): Promise<Manifest> {
  const raw = files.get('manifest.json') ?? refuse('manifest', 'manifest.json', 'none')
  const m = json<Manifest>('manifest', 'manifest.json', raw)
  if (m.format !== FORMAT || !Array.isArray(m.files)) refuse('manifest', 'manifest.json', 'format')
  let before = ''
  for (const f of m.files) {
    const body = files.get(f.name)
    if (!body || f.name === 'manifest.json' || f.name <= before || body.length !== f.bytes || (await sha256(body)) !== f.sha256) refuse('manifest', f.name, 'changed')
    before = f.name
  }
  if (files.size !== m.files.length + 1 || NEEDED.some((n) => !files.has(n))) refuse('manifest', 'manifest.json', 'files')
  return m
}

async function proofs(files: Map<string, Uint8Array<ArrayBuffer>>, m: Manifest, steps: Step[], genesis: string, marks: Mark[], progress?: (done: number, all: number) => void): Promise<Proved[]> {
  const out: Proved[] = [], extra = files.has('object.mulian-proof.json') ? 1 : 0
  let before = -1
  for (const s of steps) {
    if (!/^\d{1,15}$/.test(s.seq) || Number(s.seq) <= before || s.proof !== `proofs/${s.seq}.mulian-proof.json`) refuse('proofs', s.proof, 'order')
    before = Number(s.seq)
    const p = prove(files, s.proof, genesis), r = p.report
    if (r.ok && (r.kind !== 'event' || r.object !== s.seq || p.acts.length !== 1)) refuse('proofs', s.proof, 'other')
    marks.push({ seq: s.seq, ok: r.ok && same(s.act, p.acts[0]), power: r.power, sm2: r.sm2, signer: r.signers?.[0], report: { ...r, validators: r.validators } })
    out.push(p)
    progress?.(out.length, steps.length + extra)
    if (out.length % 4 === 0) await new Promise((done) => setTimeout(done)) // messages are read between
  }
  if (extra) {
    const p = prove(files, 'object.mulian-proof.json', genesis)
    if (p.report.ok && (p.report.kind !== 'object' || p.report.object !== m.object)) refuse('proofs', 'object.mulian-proof.json', 'other')
    out.push(p)
  }
  for (const p of out) if (!p.report.ok) refuse('proofs', p.name, 'proof', p.report)
  return out
}

function prove(files: Map<string, Uint8Array<ArrayBuffer>>, name: string, genesis: string): Proved {
  const file = files.get(name) ?? refuse('proofs', name, 'missing')
  const report = verify(file, genesis)
  if (!report.ok) return { name, report, block: '', acts: [], app: '', set: '' }
  const { blocks } = json<{ blocks: { app_hash: string; validators_hash: string }[] }>('proofs', name, file)
  const last = blocks[blocks.length - 1]!
  const said = report.statement as unknown as { block: string; acts: Act[] }
  return { name, report, block: said.block, acts: said.acts, app: last.app_hash, set: last.validators_hash }
}

const latest = (all: Proved[]): Proved => all.reduce((a, b) => (b.report.height! > a.report.height! ? b : a))

function headers(all: Proved[]): unknown[] {
  const by = new Map<number, { height: string; time: string; block: string; app_hash: string; validators_hash: string; power: string; sm2: string; proofs: string[] }>()
  for (const p of all) {
    const height = p.report.height! + 1
    if (!by.has(height)) by.set(height, { height: String(height), time: p.report.time!, block: p.block, app_hash: p.app, validators_hash: p.set, power: p.report.power!, sm2: p.report.sm2!, proofs: [] })
    by.get(height)!.proofs.push(p.name)
  }
  return [...by.entries()].sort((a, b) => a[0] - b[0]).map((e) => e[1])
}

function certificates(all: Proved[]): { validators: unknown[]; signers: Signer[] } {
  const signers: Signer[] = []
  for (const p of all) for (const s of p.report.signers ?? []) if (!signers.some((x) => same(x, s))) signers.push(s)
  return { validators: (latest(all).report.validators ?? []).map((v) => ({ public_key: v.key, power: v.power, signed: v.signed, sm2: v.sm2 })), signers }
}

function rest(files: Map<string, Uint8Array<ArrayBuffer>>, m: Manifest, steps: Step[], all: Proved[], held: (step: string, count: number) => void): void {
  steps.forEach((s, i) => { if (!same(s.act, all[i]!.acts[0])) refuse('trace', `trace.json ${s.seq}`, 'act') })
  held('trace', steps.length)
  const blocks = headers(all), keys = certificates(all)
  if (!same(json('headers', 'headers.json', files.get('headers.json')!), blocks)) refuse('headers', 'headers.json', 'follows')
  held('headers', blocks.length)
  if (!same(json('certificates', 'certificates.json', files.get('certificates.json')!), keys)) refuse('certificates', 'certificates.json', 'follows')
  held('certificates', keys.validators.length + keys.signers.length)
  for (const p of all) if (p.report.chain !== m.chain) refuse('manifest', 'manifest.json', 'chain')
}
