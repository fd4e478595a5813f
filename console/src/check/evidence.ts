// Checks an evidence pack 存证 (client/evidence/pack): the zip of a file's evidence folder,
// with the original beside it or without. The opening, the proofs and each hash are checked as
// `mulian evidence verify` does; certificate and page are held to their hashes.
import { fromBinary } from '@bufbuild/protobuf'
import { EvidenceSchema } from '@/gen/mulian/evidence/v1/evidence_pb'
import { AccountSchema } from '@/gen/mulian/identity/v1/identity_pb'
import { type Bytes, hex, join, unhex, utf8 } from '@/chain/bytes'
import { type Report, sha256, sm3, verify } from '../../verify/mulian-verify.mjs'
import type { PackReport } from './pack'

interface Opening {
  id: string; commitment: string; salt: string; sha256: string; sm3: string; account: string; chain: string; genesis: string; at_ms: number; height: number; supersedes?: string
  metadata: { name: string; bytes: number; media_type: string; note?: string; modified?: string }
}
interface Manifest { format: string; id: string; genesis: string; files: { name: string; bytes: number; sha256: string }[] }

const FORMAT = 'mulian-evidence-pack-v1'

class Refused extends Error {
  constructor(readonly step: string, readonly field: string, readonly why: string, readonly proof?: Report) { super(why) }
}
const refuse = (step: string, field: string, why: string, proof?: Report): never => { throw new Refused(step, field, why, proof) }

const uint = (n: number, size: number): Bytes => {
  const out = new Uint8Array(size)
  for (let i = size - 1, x = BigInt(n); i >= 0; i--, x >>= 8n) out[i] = Number(x & 255n)
  return out
}
const lengthed = (s = ''): Bytes => { const b = utf8(s); return join(uint(b.length, 4), b) }

function commitmentOf(o: Opening): string {
  const m = o.metadata
  const meta = sha256(join(utf8('mulian-evidence-metadata-v1\0'), uint(m.bytes, 8), ...[m.name, m.media_type, m.note, m.modified].map((s) => lengthed(s))))
  return hex(sha256(join(utf8('mulian-evidence-v1\0'), unhex(o.salt), unhex(o.sha256), unhex(o.sm3), meta)))
}

/** folderOf is where the manifest of an evidence folder lies in a zip; undefined: it is none. */
export const folderOf = (files: Map<string, Bytes>): string | undefined =>
  [...files.keys()].find((n) => n.endsWith('.evidence/manifest.json'))?.slice(0, -'manifest.json'.length)

/** checkEvidence checks the folder at that place of the zip. */
export async function checkEvidence(files: Map<string, Bytes>, folder: string, genesis: string): Promise<PackReport> {
  const out: PackReport = { ok: false, checks: [] }
  const held = (step: string, count: number) => out.checks.push({ step, count })
  const read = (name: string, step = 'manifest') => files.get(folder + name) ?? refuse(step, name, 'missing')
  const json = <T>(name: string): T => {
    try { return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(read(name))) as T } catch (e) { return e instanceof Refused ? refuse(e.step, e.field, e.why) : refuse('manifest', name, 'form') }
  }
  const proved = (name: string, object: string): Report => {
    const r = verify(read(name, 'proofs'), genesis)
    if (!r.ok) refuse('proofs', name, 'proof', r)
    return r.object === object ? r : refuse('proofs', name, 'other')
  }
  try {
    const m = json<Manifest>('manifest.json')
    if (m.format !== FORMAT) refuse('manifest', 'manifest.json', 'format')
    for (const f of m.files) if (read(f.name).length !== f.bytes || hex(sha256(read(f.name))) !== f.sha256) refuse('manifest', f.name, 'changed')
    held('manifest', m.files.length)
    const o = json<Opening>('evidence.json'), commitment = commitmentOf(o)
    if (commitment !== o.commitment || commitment.slice(0, 32) !== o.id || o.id !== m.id) refuse('opening', 'evidence.json', 'opening')
    held('opening', 1)
    const original = files.get(o.metadata.name)
    if (original) {
      if (original.length !== o.metadata.bytes || hex(sha256(original)) !== o.sha256 || hex(sm3(original)) !== o.sm3) refuse('original', o.metadata.name, 'original')
      held('original', 1)
    }
    const r = proved(`${o.id}.mulian-proof.json`, `evidence/item/${o.id}`), e = fromBinary(EvidenceSchema, r.value!)
    const same = hex(e.commitment) === o.commitment && Number(e.bytes) === o.metadata.bytes && e.account === o.account && Number(e.atMs) === o.at_ms &&
      Number(e.height) === o.height && e.supersedes === (o.supersedes ?? '') && o.genesis === genesis && r.chain === o.chain
    if (!same) refuse('opening', 'evidence.json', 'ledger')
    const a = fromBinary(AccountSchema, proved('operator.mulian-proof.json', `identity/account/${o.account}`).value!)
    const of = a.org && a.org !== a.id ? a.org : ''
    if (of) proved('organisation.mulian-proof.json', `identity/account/${of}`)
    held('proofs', of ? 3 : 2)
    Object.assign(out, {
      ok: true, object: `evidence/item/${o.id}`, chain: r.chain, genesis, height: r.height, time: r.time, power: r.power, sm2: r.sm2, signers: r.signers, validators: r.validators,
      original: original ? o.metadata.name : undefined, evidence: { name: o.metadata.name, atMs: o.at_ms, height: o.height },
    })
  } catch (e) {
    if (!(e instanceof Refused)) throw e
    Object.assign(out, { step: e.step, field: e.field, why: e.why, proof: e.proof })
  }
  return out
}
