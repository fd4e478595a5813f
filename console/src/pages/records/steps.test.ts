import { describe, expect, it } from 'vitest'
import { CorrectionState as S } from '@/gen/mulian/share/v1/life_pb'
import { stepsOf } from './steps'

const of = (state: S, more: Partial<Parameters<typeof stepsOf>[0]> = {}) =>
  stepsOf({ state, createdMs: 1n, correctedMs: 0n, closedMs: state === S.CLOSED ? 9n : 0n, reason: '', applied: 0n, holders: 0n, ...more }).map((s) => `${s.id}${s.done ? '' : '?'}`).join(' ')

describe('the steps of a correction', () => {
  it.each<[string, S, Parameters<typeof of>[1], string]>([
    ['filed', S.FILED, {}, 'filed corrected? applied? closed?'],
    ['confirmed', S.CONFIRMED, { reason: 'yes' }, 'filed corrected? applied? closed?'],
    ['put right, and holders are being told', S.CORRECTED, { correctedMs: 5n, holders: 2n }, 'filed corrected applied? closed?'],
    ['told, one of two has put it right', S.FANNED_OUT, { correctedMs: 5n, holders: 2n, applied: 1n }, 'filed corrected applied? closed?'],
    ['told, both have', S.FANNED_OUT, { correctedMs: 5n, holders: 2n, applied: 2n }, 'filed corrected applied closed?'],
    ['nobody holds it', S.FANNED_OUT, { correctedMs: 5n }, 'filed corrected noHolder closed?'],
    ['closed', S.CLOSED, { correctedMs: 5n, holders: 1n, applied: 1n }, 'filed corrected applied closed'],
    ['closed, nobody held it', S.CLOSED, { correctedMs: 5n }, 'filed corrected noHolder closed'],
    ['rejected', S.REJECTED, { reason: 'right' }, 'filed rejected closed?'],
    ['rejected and closed', S.CLOSED, { reason: 'right' }, 'filed rejected closed'],
    ['withdrawn', S.CLOSED, {}, 'filed closed'],
  ])('%s', (_, state, more, want) => expect(of(state, more)).toBe(want))
})
