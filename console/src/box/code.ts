// Recovery codes: 160 bits as people write them down, in the letters and with the check
// character of safebox/code.go.
import type { Bytes } from '@/chain/bytes'

export const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const SECRET = 20 // bytes

function check(text: string): string {
  let sum = 0
  for (let i = 0; i < text.length; i++) sum += LETTERS.indexOf(text[i]!) * ((i % 30) + 1)
  return LETTERS[sum % 31]!
}

/** printed writes a secret of 20 bytes: eight groups of four letters and a check character. */
export function printed(secret: Uint8Array): string {
  let bits = ''
  for (const b of secret) bits += b.toString(2).padStart(8, '0')
  const text = bits.match(/.{5}/g)!.map((five) => LETTERS[parseInt(five, 2)]).join('')
  return `${text.match(/.{4}/g)!.join('-')}-${check(text)}`
}

/** read takes a code as people type it: any case, blanks and hyphens anywhere, O for 0, I and L for 1. */
export function read(typed: string): Bytes | undefined {
  const text = typed.toUpperCase().replace(/[-\s]/g, '').replaceAll('O', '0').replace(/[IL]/g, '1')
  if (text.length !== 33 || [...text].some((c) => !LETTERS.includes(c)) || check(text.slice(0, 32)) !== text[32]) return undefined
  const bits = [...text.slice(0, 32)].map((c) => LETTERS.indexOf(c).toString(2).padStart(5, '0')).join('')
  return Uint8Array.from({ length: SECRET }, (_, i) => parseInt(bits.slice(8 * i, 8 * i + 8), 2)) as Bytes
}
