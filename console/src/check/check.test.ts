// Real files, made by Go on real chains, checked by what the pages check with: some of
// docs/spec/testdata (client/prooffile compares both verifiers on all of them), and a trace
// pack whole, torn, tampered with and of another chain.
// @ts-expect-error the pages know nothing of Node
import { readFileSync } from 'node:fs'
// @ts-expect-error the same
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { verify, verifyFrom } from '../../verify/mulian-verify.mjs'
import { type Bytes, hex, join, utf8 } from '@/chain/bytes'
import { checkPack } from './pack'
import { said } from './said'
import { crc32, unzip } from './zip'

const at = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))
const bytes = (path: string): Bytes => new Uint8Array(readFileSync(at(path)))
interface Case { file: string; genesis_hash: string; checkpoint?: string; ok: boolean; code: number; step: string; shows: string }
const spec = 'docs/spec/testdata'

const some = /^(object|event|four-changed|transaction|passkey|absent|handed-from|split-one|bad-(commit-signature|object-value|sm2-signature|signature|cut|bom|genesis|passkey-challenge|from-hash|statement-power))\./
describe.each(['proof', 'passkey', 'trust'])('proof files of %s', (folder) => {
  const cases = (JSON.parse(readFileSync(at(`${spec}/${folder}/index.json`), 'utf8')) as Case[]).filter((c) => some.test(c.file))
  it.each(cases)('$file: $shows', (c) => {
    const file = bytes(`${spec}/${folder}/${c.file}`), r = c.checkpoint ? verifyFrom(file, c.checkpoint) : verify(file, c.genesis_hash)
    expect([r.ok, r.code, r.step ?? '']).toEqual([c.ok, c.code, c.step])
    for (const says of [...(r.checks ?? []).map((x) => x.says), r.reason]) expect(said(says, 'en-US')).toBe(says)
  })
})

describe('sentences', () => {
  it('are in Chinese as the command line says them', () => {
    expect(said('3044 bytes in their one form', 'zh-CN')).toBe('3044 字节，形式唯一')
    expect(said('block 7, 8302, signed by 3 of 4 of the voting power', 'zh-CN')).toBe('区块 7，8302，3/4 表决权签署')
    expect(said('the signature is not that of key 7d38 of 1111 over these bytes', 'zh-CN')).toBe('签名不是 1111 的密钥 7d38 对这些内容所签')
    expect(said('expected the app hash aa of block 7, the roots give bb', 'zh-CN')).toBe('应为区块 7 的状态哈希 aa，由各根算出的是 bb')
  })
})

describe('trace packs', { timeout: 60_000 }, () => {
  const folder = 'client/tracepack/testdata'
  const genesis = readFileSync(at(`${folder}/genesis-hash.txt`), 'utf8').trim()
  it('holds, with each step marked', async () => {
    const r = await checkPack(bytes(`${folder}/trace.zip`), genesis)
    expect(r.why).toBeUndefined()
    expect(r.ok).toBe(true)
    expect(r.marks?.every((m) => m.ok)).toBe(true)
    expect(r.marks?.length).toBe(r.steps?.length)
    expect(r.checks.map((c) => c.step)).toEqual(['manifest', 'genesis', 'proofs', 'trace', 'headers', 'certificates'])
  })
  it('is of another chain', async () => {
    const r = await checkPack(bytes(`${folder}/trace.zip`), 'ab'.repeat(32))
    expect([r.ok, r.step, r.why]).toEqual([false, 'genesis', 'chain'])
  })
  it('is torn', async () => {
    const whole = bytes(`${folder}/trace.zip`)
    for (const cut of [whole.slice(0, whole.length - 7), whole.slice(0, 4000)]) {
      const r = await checkPack(cut, genesis)
      expect([r.ok, r.step, r.why]).toEqual([false, 'zip', 'torn'])
    }
    const spoilt = whole.slice()
    spoilt[Math.floor(whole.length / 2)]! ^= 1
    expect((await checkPack(spoilt, genesis)).ok).toBe(false)
  })
  const text = (b: Uint8Array) => new TextDecoder().decode(b)
  const swap = (name: string, from: string | RegExp, to: string) => (f: Map<string, Bytes>) => {
    const was = text(f.get(name)!), now = was.replace(from, to)
    expect(now).not.toBe(was)
    f.set(name, utf8(now))
  }
  const proof = (f: Map<string, Bytes>) => [...f.keys()].find((n) => n.startsWith('proofs/'))!
  const bad: [string, (f: Map<string, Bytes>) => void, boolean, string, string][] = [
    ['a file that the manifest does not have', (f) => f.set('more.txt', utf8('x')), false, 'manifest', 'files'],
    ['a file left out', (f) => f.delete('README.txt'), false, 'manifest', 'changed'],
    ['a changed step', swap('trace.json', 'catalogue/put_duties', 'catalogue/put_dutiez'), false, 'manifest', 'changed'],
    ['a changed step with a new hash', swap('trace.json', 'catalogue/put_duties', 'catalogue/put_dutiez'), true, 'trace', 'act'],
    ['a changed signature of an act', (f) => swap(proof(f), /"signature": "M(.{20})/, '"signature": "M$1A')(f), true, 'proofs', 'proof'],
    ['a changed vote of a validator', (f) => swap(proof(f), /("time": "[^"]+",\s+"signature": ")(.)(.)/, '$1$3$2')(f), true, 'proofs', 'proof'],
    ['a changed block', (f) => swap(proof(f), /"app_hash": "(.)(.)/, '"app_hash": "$2$1')(f), true, 'proofs', 'proof'],
    ['a proof of another step', (f) => { const [a, b] = [...f.keys()].filter((n) => n.startsWith('proofs/')); f.set(a!, f.get(b!)!) }, true, 'proofs', 'other'],
    ['a changed header', swap('headers.json', '"power": "1 of 1"', '"power": "4 of 4"'), true, 'headers', 'follows'],
    ['another key', swap('certificates.json', /"key": "(.)(.)/, '"key": "$2$1'), true, 'certificates', 'follows'],
    ['a genesis that nobody signed', (f) => { const g = f.get('genesis.bin')!.slice(); g[g.length - 5]! ^= 1; f.set('genesis.bin', g) }, true, 'genesis', 'genesis'],
    ['no manifest', (f) => f.delete('manifest.json'), false, 'manifest', 'none'],
  ]
  it.each(bad)('is refused: %s', async (_, change, hashed, step, why) => {
    const files = await unzip(bytes(`${folder}/trace.zip`))
    change(files)
    if (hashed) await rehash(files)
    const r = await checkPack(zipOf(files), genesis)
    expect([r.ok, r.step, r.why]).toEqual([false, step, why])
    if (why === 'proof') expect(r.marks?.filter((m) => !m.ok).length).toBe(1)
  })
})

/** rehash makes the manifest fit to the files again. */
async function rehash(files: Map<string, Bytes>): Promise<void> {
  const m = JSON.parse(new TextDecoder().decode(files.get('manifest.json')!)) as { files: { name: string; bytes: number; sha256: string }[] }
  for (const f of m.files) {
    const body = files.get(f.name)!
    f.bytes = body.length
    f.sha256 = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', body)))
  }
  files.set('manifest.json', utf8(JSON.stringify(m)))
}

/** zipOf stores files as they are. */
function zipOf(files: Map<string, Bytes>): Bytes {
  const little = (n: number, size: number) => Uint8Array.from({ length: size }, (_, i) => (n >>> (8 * i)) & 255)
  const local: Uint8Array[] = [], central: Uint8Array[] = []
  let at = 0
  for (const [name, body] of files) {
    const head = join(little(20, 2), little(0, 2), little(0, 2), little(0, 4), little(crc32(body), 4), little(body.length, 4), little(body.length, 4), little(utf8(name).length, 2), little(0, 2))
    const part = join(little(0x04034b50, 4), head, utf8(name), body)
    central.push(join(little(0x02014b50, 4), little(20, 2), head, little(0, 10), little(0, 0), little(at, 4), utf8(name)))
    local.push(part)
    at += part.length
  }
  const dir = join(...central)
  return join(...local, dir, little(0x06054b50, 4), little(0, 4), little(files.size, 2), little(files.size, 2), little(dir.length, 4), little(at, 4), little(0, 2))
}
