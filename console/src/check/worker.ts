// Checks files beside the page, which stays quick meanwhile: the arithmetic of the verifier is
// plain JavaScript. It asks nobody: what it needs is in the files.
import { checkpointOf, genesisHash, type Report, verify, verifyFrom } from '../../verify/mulian-verify.mjs'
import { checkPack, isZip, type PackReport } from './pack'
import { said } from './said'

export interface Question { id: number; file: Uint8Array<ArrayBuffer>; genesis: string; checkpoint?: string; language: string; ask: 'check' | 'genesis' }
export type Answer = { id: number } & (
  | { kind: 'proof'; report: Report } | { kind: 'pack'; report: PackReport } | { kind: 'genesis'; hash: string }
  | { kind: 'progress'; done: number; all: number } | { kind: 'failed'; text: string })

const tell = (a: Answer) => postMessage(a)

/** inWords is a report whose sentences are in the page's language. */
function inWords(r: Report, language: string): Report {
  return { ...r, validators: r.validators, reason: said(r.reason, language), checks: r.checks?.map((c) => ({ step: c.step, says: said(c.says, language) })) }
}

async function answer(q: Question): Promise<Answer> {
  const { id } = q
  if (q.ask === 'genesis') return { id, kind: 'genesis', hash: genesisHash(q.file) }
  if (isZip(q.file)) {
    const report = await checkPack(q.file, q.genesis, (done, all) => tell({ id, kind: 'progress', done, all }))
    for (const m of report.marks ?? []) m.report = inWords(m.report, q.language)
    if (report.proof) report.proof = inWords(report.proof, q.language)
    return { id, kind: 'pack', report }
  }
  if (q.checkpoint) checkpointOf(q.checkpoint)
  return { id, kind: 'proof', report: inWords(q.checkpoint ? verifyFrom(q.file, q.checkpoint) : verify(q.file, q.genesis), q.language) }
}

onmessage = (e: MessageEvent<Question>) => {
  answer(e.data).then(tell, (err: unknown) => tell({ id: e.data.id, kind: 'failed', text: String(err) }))
}
tell({ id: 0, kind: 'progress', done: 0, all: 0 }) // ready
