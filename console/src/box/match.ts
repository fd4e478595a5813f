// Match numbers 核对码: two digits that the data user's screen shows, typed by the owner. The
// salt is in the code that was scanned; both go with the grant that answers the request, and
// are held here until then, in this page alone.
import { type Bytes, hex, join, sha256, utf8 } from '@/chain/bytes'

export interface Match { salt: Bytes; number: string }

const matched = new Map<string, Match>()
const wrong = new Map<string, number>()
/** TRIES are the numbers that may be typed; then the request is declined (DECLINE_CAUSE_MISMATCH). */
export const TRIES = 3

/** saltIn is the salt that the fragment of an address has, or nothing: where a camera or a message has led to the request's page. */
export const saltIn = (fragment: string): string | undefined => /^#([0-9a-f]{32})$/.exec(fragment)?.[1]

const unhex = (s: string) => Uint8Array.from(s.match(/../g) ?? [], (b) => parseInt(b, 16)) as Bytes

/** match holds a number against the request's commitment (internal/consent, Match), and keeps the right one. left is how many are left. */
export async function match(request: string, commitment: Uint8Array, salt: string, number: string): Promise<{ right: boolean; left: number }> {
  const bytes = unhex(salt)
  const right = hex(await sha256(join(utf8('mulian-match-v1\0'), bytes, utf8(number)))) === hex(commitment)
  if (right) matched.set(request, { salt: bytes, number })
  else wrong.set(request, (wrong.get(request) ?? 0) + 1)
  return { right, left: TRIES - (wrong.get(request) ?? 0) }
}
/** matchOf is what goes with the grant that answers the request. */
export const matchOf = (request: string): Match | undefined => matched.get(request)
