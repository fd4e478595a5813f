// Bytes and their texts.
export type Bytes = Uint8Array<ArrayBuffer>

export const utf8 = (s: string): Bytes => new TextEncoder().encode(s) as Bytes

export function join(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) { out.set(p, at); at += p.length }
  return out
}

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
