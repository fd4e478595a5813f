import { expect, it } from 'vitest'
import { moved } from './month'

it('a month and some months', () => {
  expect(moved('2026-12', 1)).toBe('2027-01')
  expect(moved('2027-01', -1)).toBe('2026-12')
  expect(moved('2026-11', -23)).toBe('2024-12')
})
