// Bytes and their texts.
export type Bytes = Uint8Array<ArrayBuffer>

export const utf8 = (s: string): Bytes => new TextEncoder().encode(s) as Bytes

export function join(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) { out.set(p, at); at += p.length }
  return out
}

/** varint is a number as protobuf writes it; any whole number that is exact. */
export function varint(n: number): Bytes {
  const out = []
  for (; n > 127; n = Math.floor(n / 128)) out.push((n % 128) | 128)
  return new Uint8Array([...out, n])
}

/** bytesField is a field of bytes or text of a protobuf message, by hand: for pages that do without the schema. */
export const bytesField = (number: number, b: Uint8Array): Bytes => join(varint((number << 3) | 2), varint(b.length), b)

export const hex = (b: Uint8Array): string => Array.from(b, (x) => x.toString(16).padStart(2, '0')).join('')

export function unhex(s: string): Bytes {
  const out = new Uint8Array(s.length >> 1)
  for (let i = 0; i < out.length; i++) out[i] = parseInt(s.slice(2 * i, 2 * i + 2), 16)
  return out
}

export const random = (n: number): Bytes => crypto.getRandomValues(new Uint8Array(n))

export const sha256 = async (b: Uint8Array): Promise<Bytes> => new Uint8Array(await crypto.subtle.digest('SHA-256', b as Bytes))

/** short is an id or hash as a line shows it: its beginning and its end. */
export const short = (s: string, head = 8, tail = 4): string => (s.length <= head + tail + 1 ? s : `${s.slice(0, head)}…${s.slice(-tail)}`)
