// The way of a correction: what was done, and what is next. A refusal and the holders' copies have
// no time of their own on the ledger; the history has it.
import { type Correction, CorrectionState as S } from '@/gen/mulian/share/v1/life_pb'

export interface Step { id: 'filed' | 'rejected' | 'corrected' | 'applied' | 'noHolder' | 'closed'; at: bigint; done: boolean }

/** stepsOf lists the steps in their order; a correction that was closed before anything was put right has none of those between. */
export function stepsOf(c: Pick<Correction, 'state' | 'createdMs' | 'correctedMs' | 'closedMs' | 'reason' | 'applied' | 'holders'>): Step[] {
  const closed = c.state === S.CLOSED
  const right = c.correctedMs > 0n
  const between: Step[] = []
  if (c.state === S.REJECTED || (closed && !right && c.reason !== '')) between.push({ id: 'rejected', at: 0n, done: true })
  else if (!closed || right) {
    const told = c.state === S.FANNED_OUT || closed
    between.push({ id: 'corrected', at: c.correctedMs, done: right })
    between.push(told && c.holders === 0n ? { id: 'noHolder', at: 0n, done: true } : { id: 'applied', at: 0n, done: closed || (told && c.applied >= c.holders) })
  }
  return [{ id: 'filed', at: c.createdMs, done: true }, ...between, { id: 'closed', at: c.closedMs, done: closed }]
}
