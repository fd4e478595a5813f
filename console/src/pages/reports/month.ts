/** moved is a month some months later: "2026-12" and 1 are "2027-01". */
export function moved(month: string, by: number): string {
  const n = 12 * Number(month.slice(0, 4)) + Number(month.slice(5)) - 1 + by
  return `${String(Math.floor(n / 12)).padStart(4, '0')}-${String((n % 12) + 1).padStart(2, '0')}`
}
