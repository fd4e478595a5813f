// What a member reads before he votes: what his vote settles.
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { VoteSchema } from '@/gen/mulian/console/v1/overview_pb'
import { decides } from './decides'

const vote = (yes: number, no: number, needed: number, total: number) => create(VoteSchema, { yes, no, needed, total })

describe('decides', () => {
  it('is nothing where others still have to vote in any case', () => expect(decides(vote(1, 0, 3, 5), 1)).toBeUndefined())
  it('is a rejection where all have to be for it', () => expect(decides(vote(1, 0, 3, 3), 1)).toBe('noOnly'))
  it('is both for the last of them', () => expect(decides(vote(2, 0, 3, 3), 1)).toBe('yes'))
  it('carries where more can be against it', () => expect(decides(vote(2, 0, 3, 5), 1)).toBe('yesOnly'))
})
