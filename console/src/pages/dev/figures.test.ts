import { expect, it } from 'vitest'
import { figures } from './figures'

it('reads what the node counts', () => {
  const f = figures(`# HELP mulian_api_calls_total API calls by method and code.
# TYPE mulian_api_calls_total counter
mulian_api_calls_total{code="0",method="/a.v1.S/Get"} 7
mulian_api_calls_total{code="12004",method="/a.v1.S/Get"} 2
mulian_api_calls_total{code="0",method="/a.v1.S/List"} 40
mulian_api_seconds_bucket{method="/a.v1.S/Get",le="0.001"} 5
mulian_api_seconds_sum{method="/a.v1.S/Get"} 0.018
mulian_api_seconds_count{method="/a.v1.S/Get"} 9
mulian_start_timestamp_seconds 1.7e+09
`)
  expect(f).toEqual({
    startMs: 1.7e12, calls: 49, refused: 2,
    lines: [{ method: '/a.v1.S/List', calls: 40, refused: 0, codes: [], meanMs: 0 }, { method: '/a.v1.S/Get', calls: 9, refused: 2, codes: [['MUL-12004', 2]], meanMs: 2 }],
  })
})
