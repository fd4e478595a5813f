// What a code says, by its text alone: nothing is asked and no link is followed. The forms are
// those of internal/qr and the address of a request's page in some box.
import { LETTERS } from './code'
import { saltIn } from './match'

/** Scanned is one text of a code. at is where it came from, if that is not this page. */
export type Scanned =
  | { kind: 'request'; id: string; at: string; salt?: string } // the page of a data user shows it
  | { kind: 'short'; text: string; at: string } // resolved once, at the gateway of who asks
  | { kind: 'show' | 'copy' | 'offer' | 'wallet' | 'frame'; text: string }
  | { kind: 'page'; path: string } // of this box: a friend's card, a friend who lost his keys, a second device
  | { kind: 'mistyped' | 'other' }

const MAX_TEXT = 4096
const CODE = 26

// times is the product in GF(32) with a^5 = a^2 + 1.
function times(a: number, b: number): number {
  let out = 0
  for (let x = a, y = b; y > 0; y >>= 1) {
    if (y & 1) out ^= x
    x <<= 1
    if (x & 32) x ^= 0b100101
  }
  return out
}

/** spelt says whether the 26 letters of a short code of that kind are spelt right (internal/qr/short.go). */
export function spelt(kind: string, code: string): boolean {
  if (code.length !== CODE || [...code].some((c) => !LETTERS.includes(c))) return false
  const v = [...code].map((c) => LETTERS.indexOf(c))
  let [r1, r0] = [0, 0]
  for (const s of [LETTERS.indexOf(kind), ...v.slice(0, CODE - 2)]) {
    const lead = s ^ r1
    r1 = r0 ^ times(lead, 6) // (x - a)(x - a^2) = x^2 + 6x + 8
    r0 = times(lead, 8)
  }
  return r1 === v[CODE - 2] && r0 === v[CODE - 1]
}

function short(text: string): Scanned | undefined {
  const m = /^(?:MULIAN:|HTTPS:\/\/([A-Z0-9.-]+(?::\d{1,5})?)\/)([RSV])\/([^/]*)(?:\/([0-9A-Z]{8}))?$/i.exec(text)
  if (!m) return undefined
  const [host = '', kind, code] = [m[1], m[2]!.toUpperCase(), m[3]!.toUpperCase()]
  if (!spelt(kind, code) || (kind === 'V') !== (m[4] !== undefined)) return { kind: 'mistyped' }
  const upper = text.toUpperCase()
  return kind === 'R' ? { kind: 'short', text: upper, at: host && `https://${host.toLowerCase()}` } : { kind: kind === 'S' ? 'show' : 'copy', text: upper }
}

/** scanned reads the text of a code; origin is that of this page. */
export function scanned(typed: string, origin: string): Scanned {
  const text = typed.trim()
  if (text.length > MAX_TEXT) return { kind: 'other' }
  if (/^[0-9a-f]{32}$/.test(text)) return { kind: 'request', id: text, at: origin } // the number alone, as people copy it
  if (/^ur:/i.test(text)) return { kind: 'frame', text }
  const code = short(text)
  if (code) return code
  let url: URL
  try { url = new URL(text) } catch { return { kind: 'other' } }
  const asked = /^\/box\/ask\/([0-9a-f]{32})\/?$/.exec(url.pathname)
  if (asked && /^https?:$/.test(url.protocol)) {
    const salt = saltIn(url.hash)
    return { kind: 'request', id: asked[1]!, at: url.origin, ...(salt && { salt }) }
  }
  if (url.origin === origin && /^\/box\/(guard|vouch|device)$/.test(url.pathname) && /^#[\w-]+$/.test(url.hash)) return { kind: 'page', path: url.pathname + url.hash }
  if (url.searchParams.has('credential_offer_uri') || url.searchParams.has('credential_offer')) return { kind: 'offer', text }
  if (url.searchParams.has('request_uri') && url.searchParams.has('client_id')) return { kind: 'wallet', text }
  return { kind: 'other' }
}

/** quoted is a text as an argument of a shell. */
export const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

/** command is what takes a code that no page can take; undefined if none is. */
export function command(s: Scanned): string | undefined {
  switch (s.kind) {
    case 'short': return `mulian box scan ${quoted(s.text)}${s.at ? '' : ' --at https://…'} --number …`
    case 'offer': case 'wallet': return `mulian box scan ${quoted(s.text)}`
    default: return undefined
  }
}
