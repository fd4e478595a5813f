import { describe, expect, it, vi } from 'vitest'
import { DisputeLevel as L } from '@/gen/mulian/share/v1/life_pb'

vi.mock('@/chain/rpc', () => ({ rpc: () => ({}) }))
const { decides } = await import('./waiting')

describe('who decides a dispute', () => {
  const d = (level: L) => ({ level, claimant: 'c', respondent: 'r' })
  it('is the respondent of the negotiation', () => {
    expect([decides(d(L.NEGOTIATE), 'r', false), decides(d(L.NEGOTIATE), 'c', false), decides(d(L.NEGOTIATE), 'a', true)]).toEqual([true, false, false])
  })
  it('is the authority above it, but not in its own case', () => {
    expect([decides(d(L.AUTHORITY), 'a', true), decides(d(L.AUTHORITY), 'r', true), decides(d(L.GOVERNMENT), 'r', true), decides(d(L.GOVERNMENT), 'r', false)]).toEqual([true, false, true, false])
  })
})
