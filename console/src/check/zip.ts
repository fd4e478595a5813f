// Reads a zip within bounds: what Go's archive/zip and everybody else's programs write. No
// encryption, no spanning, no zip64.
const MAX_FILES = 120
const MAX_FILE = 32 << 20
const MAX_ALL = 64 << 20

export class Torn extends Error {}
const torn = (why: string): never => { throw new Torn(why) }

async function inflate(raw: Uint8Array<ArrayBuffer>, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const out = new Uint8Array(size)
  let at = 0
  const reader = new Blob([raw]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      if (at + value.length > size) torn('inflate')
      out.set(value, at)
      at += value.length
    }
  } catch { torn('inflate') }
  return at === size ? out : torn('inflate')
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n
})
/** crc32 is a zip's sum of a file. */
export function crc32(b: Uint8Array): number {
  let c = 0xffffffff
  for (const x of b) c = TABLE[(c ^ x) & 0xff]! ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

/** unzip returns the files by name. Torn: it was cut, changed, or is no zip of ours. */
export async function unzip(raw: Uint8Array<ArrayBuffer>): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
  const v = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const u16 = (at: number) => (at + 2 <= raw.length ? v.getUint16(at, true) : torn('cut'))
  const u32 = (at: number) => (at + 4 <= raw.length ? v.getUint32(at, true) : torn('cut'))
  let end = raw.length - 22
  while (end >= 0 && end > raw.length - 66000 && v.getUint32(end, true) !== 0x06054b50) end--
  if (end < 0 || v.getUint32(end, true) !== 0x06054b50) torn('cut')
  const count = u16(end + 10)
  if (count > MAX_FILES) torn('many')
  const out = new Map<string, Uint8Array<ArrayBuffer>>()
  let all = 0
  for (let i = 0, at = u32(end + 16); i < count; i++) {
    if (u32(at) !== 0x02014b50) torn('cut')
    const method = u16(at + 10), sum = u32(at + 16), packed = u32(at + 20), size = u32(at + 24), nameLen = u16(at + 28), local = u32(at + 42)
    const name = new TextDecoder().decode(raw.subarray(at + 46, at + 46 + nameLen))
    if (out.has(name) || size > MAX_FILE || (all += size) > MAX_ALL || u32(local) !== 0x04034b50) torn('cut')
    const from = local + 30 + u16(local + 26) + u16(local + 28), body = raw.slice(from, from + packed)
    if (body.length !== packed || (method !== 0 && method !== 8)) torn('cut')
    const file = method === 8 ? await inflate(body, size) : body
    if (crc32(file) !== sum) torn('inflate')
    out.set(name, file)
    at += 46 + nameLen + u16(at + 30) + u16(at + 32)
  }
  return out
}
