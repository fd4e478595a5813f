// The node's figures in the Prometheus text form, as far as a developer asks for them.
export interface Line { method: string; calls: number; refused: number; codes: [string, number][]; meanMs: number }
export interface Figures { startMs: number; calls: number; refused: number; lines: Line[] }

const SAMPLE = /^(\w+)(?:\{(.*)\})? (\S+)$/

/** labels reads a="b",c="d". */
const labels = (text: string): Record<string, string> => Object.fromEntries([...text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((m) => [m[1]!, m[2]!]))

/** figures sums calls by method, busiest first. */
export function figures(text: string): Figures {
  const by = new Map<string, Line & { seconds: number; timed: number }>()
  const of = (method: string) => {
    let l = by.get(method)
    if (!l) by.set(method, (l = { method, calls: 0, refused: 0, codes: [], meanMs: 0, seconds: 0, timed: 0 }))
    return l
  }
  let startMs = 0
  for (const line of text.split('\n')) {
    const [, name, inside = '', value] = SAMPLE.exec(line) ?? []
    const n = Number(value)
    if (!name || Number.isNaN(n)) continue
    const { method = '', code = '' } = labels(inside)
    if (name === 'mulian_start_timestamp_seconds') startMs = n * 1000
    else if (name === 'mulian_api_seconds_sum') of(method).seconds += n
    else if (name === 'mulian_api_seconds_count') of(method).timed += n
    else if (name === 'mulian_api_calls_total') {
      const l = of(method)
      l.calls += n
      if (code === '' || Number(code) === 0) continue
      l.refused += n
      l.codes.push([`MUL-${code.padStart(5, '0')}`, n])
    }
  }
  const lines = [...by.values()].filter((l) => l.calls > 0).map(({ seconds, timed, ...l }) => ({ ...l, meanMs: timed > 0 ? (1000 * seconds) / timed : 0 })).sort((a, b) => b.calls - a.calls)
  return { startMs, calls: lines.reduce((n, l) => n + l.calls, 0), refused: lines.reduce((n, l) => n + l.refused, 0), lines }
}
