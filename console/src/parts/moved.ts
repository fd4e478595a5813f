// Whether what was refused was refused because the object has moved on since it was opened.
import type { TraceStep } from '@/gen/mulian/trace/v1/query_pb'

/** moved: somebody signed a step meanwhile, the ledger took one by the clock, or nobody has changed anything. */
export function moved(step: TraceStep, opened: bigint): 'faster' | 'clock' | 'asIs' {
  const e = step.event!
  if (e.height <= opened) return 'asIs'
  return e.txId.length > 0 ? 'faster' : 'clock'
}
