// What a desk is offered is what the rules would take from it (rules/recovery attempt.go, stop.go).
import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { AccountKind, AccountSchema } from '@/gen/mulian/identity/v1/identity_pb'
import { RecoveryPath as P, RecoverySchema, RecoveryState as S } from '@/gen/mulian/recovery/v1/recovery_pb'
import { hex, utf8 } from '@/chain/bytes'
import { deskOf, evidence, may } from './rights'

const of = (state: S, path = P.COUNTER, reviewDesk = '') => create(RecoverySchema, { state, path, reviewDesk, approvals: [{ by: 'o/p/a', desk: 'o/d/1' }] })

describe('a desk', () => {
  it('is the department of a post, and nobody else has one', () => {
    const acc = (kind: AccountKind, parent = '') => deskOf(create(AccountSchema, { id: 'o/x/1', org: 'o', kind, parent }))
    expect([acc(AccountKind.POST, '1'), acc(AccountKind.POST), acc(AccountKind.ORG, '1'), acc(AccountKind.DEPARTMENT)]).toEqual(['o/d/1', '', '', 'o/x/1'])
  })
  it('vouches once, and only at a counter while it is open', () => {
    const vouch = (r: ReturnType<typeof of>, desk: string) => may(r, 'o/p/b', desk).vouch
    expect([vouch(of(S.OPEN), 'o/d/2'), vouch(of(S.OPEN), 'o/d/1'), vouch(of(S.OPEN), ''), vouch(of(S.OPEN, P.GUARDIANS), 'o/d/2'), vouch(of(S.LOCKED), 'o/d/2')]).toEqual([true, false, false, false, false])
  })
  it('reviews what it has neither vouched for nor reviewed', () => {
    const review = (r: ReturnType<typeof of>, desk: string) => may(r, 'o/p/b', desk).review
    expect([review(of(S.REVIEW), 'o/d/2'), review(of(S.REVIEW), 'o/d/1'), review(of(S.REVIEW, P.CODE, 'o/d/2'), 'o/d/2'), review(of(S.OPEN), 'o/d/2')]).toEqual([true, false, false, false])
  })
  it('cancels what it has taken itself, until it is over', () => {
    expect([S.OPEN, S.LOCKED, S.REVIEW, S.EXECUTED].map((s) => may(of(s), 'o/p/a', 'o/d/1').cancel)).toEqual([true, true, false, false])
    expect(may(of(S.OPEN), 'o/p/b', 'o/d/1').cancel).toBe(false)
  })
  it('commits to papers as the command line does', async () => {
    expect(hex(await evidence(new Uint8Array(32).fill(7), utf8('papers')))).toBe('c26b875c841b0d7690abbab43a2d68189ed2c1607f112b2393bf50a9e02cf315') // internal/recovery.Evidence
  })
})
