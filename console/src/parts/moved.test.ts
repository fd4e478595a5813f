// Who is refused reads that somebody was faster only when somebody was.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { TraceStepSchema } from '@/gen/mulian/trace/v1/query_pb'
import { moved } from './moved'

const step = (height: bigint, tx: number[]) => create(TraceStepSchema, { event: { height, txId: new Uint8Array(tx) } })

describe('moved', () => {
  it('says that somebody was faster when the object has changed since it was opened', () => expect(moved(step(8n, [1]), 7n)).toBe('faster'))
  it('says of a step of the ledger itself that it was the clock', () => expect(moved(step(8n, []), 7n)).toBe('clock'))
  it('says of an object that is as it was that it is', () => {
    expect(moved(step(7n, [1]), 7n)).toBe('asIs')
    expect(moved(step(3n, []), 7n)).toBe('asIs')
  })
})
