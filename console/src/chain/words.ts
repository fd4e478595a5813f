// Times, amounts and ids as people of this house write them.
const zone = 'Asia/Shanghai'
const day = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
const minute = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' })
const second = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit' })
const count = new Intl.NumberFormat('en-US')

type Ms = bigint | number | undefined
const at = (ms: Ms) => new Date(Number(ms ?? 0))

/** date is 2026-11-21; moment adds 16:42, exact 16:42:08, all UTC+8. "—" for none. */
export const date = (ms: Ms): string => (ms ? day.format(at(ms)) : '—')
export const moment = (ms: Ms): string => (ms ? minute.format(at(ms)) : '—')
export const exact = (ms: Ms): string => (ms ? second.format(at(ms)) : '—')

/** amount is 1,284,507. */
export const amount = (n: bigint | number | undefined): string => count.format(n ?? 0)

/** lasting splits a time span into what a person says of it: one unit, two below a day. */
export function lasting(ms: number): { unit: 'day' | 'hour' | 'minute' | 'second'; n: number; rest?: number } {
  const s = Math.max(0, Math.floor(ms / 1000))
  if (s >= 2 * 86400) return { unit: 'day', n: Math.floor(s / 86400) }
  if (s >= 3600) return { unit: 'hour', n: Math.floor(s / 3600), rest: Math.floor((s % 3600) / 60) }
  if (s >= 60) return { unit: 'minute', n: Math.floor(s / 60) }
  return { unit: 'second', n: s }
}
