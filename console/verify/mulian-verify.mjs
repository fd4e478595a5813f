// Checks a proof file (*.mulian-proof.json) offline, with nothing but the hash of
// the genesis that the reader trusts. It is the second verifier of the format in
// docs/spec/proof.md, written against that text: one file, no dependencies, no build, the
// same in a browser and in Node 20 or later. The first is the Go package
// client/prooffile; on every file the two say the same.
//
//   import { verify } from './mulian-verify.mjs'
//   const report = verify(bytes, 'df92…')          // Uint8Array, 64 hex digits
//   const report = verifyFrom(bytes, text)          // the six lines of a checkpoint that the reader keeps
//
//   node mulian-verify.mjs FILE --genesis GENESIS | --genesis-hash HEX | --checkpoint CHECKPOINT
//
// Exit status: 0 it holds, 7 it does not, 2 wrong usage, 1 a file cannot be read.
//
// It asks nobody and keeps nothing. The arithmetic below (SHA-2, SM3, SM2, P-256,
// Ed25519) only verifies: it handles no secret, so it need not run in constant time.

// ---- bounds and codes (section 2 and 5) ----

const MAX_FILE = 1 << 20, MAX_DEPTH = 6, MAX_NODES = 1 << 15, MAX_BLOCKS = 64, MAX_OBJECTS = 64, MAX_EVENTS = 64
const MAX_NUMBER = Number.MAX_SAFE_INTEGER, MAX_KEY = 512, MAX_VALIDATORS = 1000, MAX_POWER = 1152921504606846
const MAX_KEYS = 64, MAX_FIELDS = 5000, MAX_MS = 253402300799999, MAX_NAME = 32, MAX_UNPACKED = 2 << 20
const MAX_PATH = 64, MAX_SIBLINGS = 256, MAX_NOTE = 1024, MAX_BATCH = 256, MAX_CHECKPOINT = 512, MIN_COPY = 5, RECEIPT_SLACK_MS = 600000

const MALFORMED = 11003, TOO_LONG = 11004, BAD_AUTHORISATION = 12001, NOT_WHITELISTED = 12003, KEY_REVOKED = 12009
const WRONG_CHAIN = 12011, VERIFICATION_FAILED = 19004

class Refusal extends Error {
  constructor(step, field, text, code = VERIFICATION_FAILED) {
    super(text)
    this.step = step; this.field = field; this.code = code
  }
}
const refuse = (step, field, text, code) => { throw new Refusal(step, field, text, code) }
const malformed = (text) => { throw new Error(text) } // inside one message; the caller says which

// ---- bytes ----

const encoder = new TextEncoder()
const utf8 = (s) => encoder.encode(s)
function textOf(bytes) { // strict: throws for what is no UTF-8
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
}
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
function hex(bytes) {
  let s = ''
  for (const b of bytes) s += HEX[b]
  return s
}
function unhex(s) { // null: not lower-case hexadecimal
  if (s.length % 2 || !/^[0-9a-f]*$/.test(s)) return null
  const out = new Uint8Array(s.length / 2)
  for (let i = 0; i < out.length; i++) out[i] = parseInt(s.slice(2 * i, 2 * i + 2), 16)
  return out
}
const B64 = new Map([...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'].map((c, i) => [c.charCodeAt(0), i]))
function unbase(s) { // null: not the one form of RFC 4648 section 4
  if (s.length % 4) return null
  const pad = s.endsWith('==') ? 2 : s.endsWith('=') ? 1 : 0
  const out = new Uint8Array(s.length / 4 * 3 - pad)
  let bits = 0, have = 0, at = 0
  for (let i = 0; i < s.length - pad; i++) {
    const v = B64.get(s.charCodeAt(i))
    if (v === undefined) return null
    bits = (bits << 6 | v) & 0xffffff
    have += 6
    if (have >= 8) { have -= 8; out[at++] = bits >> have & 255 }
  }
  return bits & (1 << have) - 1 ? null : out
}
function concat(...parts) {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
  let at = 0
  for (const p of parts) { out.set(p, at); at += p.length }
  return out
}
function equal(a, b) {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
function bigEndian(n, size = 8) { // of a number or BigInt
  const out = new Uint8Array(size)
  for (let i = size - 1, x = BigInt(n); i >= 0; i--, x >>= 8n) out[i] = Number(x & 255n)
  return out
}
const big = (bytes) => bytes.length ? BigInt('0x' + hex(bytes)) : 0n

// ---- hashes: SHA-256, SHA-512 (FIPS 180-4), SM3 (GB/T 32905) ----

// pad ends a message as all three do: 80, zeros, its length in bits.
function padded(m, block) {
  const out = new Uint8Array(Math.ceil((m.length + 1 + block / 8) / block) * block)
  out.set(m)
  out[m.length] = 0x80
  out.set(bigEndian(BigInt(m.length) * 8n), out.length - 8)
  return out
}
function primes(n) {
  const out = []
  for (let x = 2; out.length < n; x++) if (out.every((p) => x % p)) out.push(x)
  return out
}
// root returns the first 64 bits behind the point of the k-th root of n.
function root(n, k) {
  const target = BigInt(n) << BigInt(64 * k)
  let low = 0n, high = 1n << 70n
  while (low < high) {
    const mid = (low + high + 1n) >> 1n
    if (mid ** BigInt(k) <= target) low = mid; else high = mid - 1n
  }
  return low & 0xffffffffffffffffn
}
const K512 = primes(80).map((p) => root(p, 3)), H512 = primes(8).map((p) => root(p, 2))
const K256 = Int32Array.from(K512.slice(0, 64), (k) => Number(k >> 32n) | 0), H256 = H512.map((h) => Number(h >> 32n) | 0)
const rot = (x, n) => x << n | x >>> 32 - n
const rotr = (x, n) => x >>> n | x << 32 - n

function words32(h) {
  const out = new Uint8Array(4 * h.length)
  h.forEach((x, i) => out.set([x >>> 24, x >>> 16 & 255, x >>> 8 & 255, x & 255], 4 * i))
  return out
}

export function sha256(message) {
  const m = padded(message, 64), h = Int32Array.from(H256), w = new Int32Array(64)
  for (let at = 0; at < m.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = m[at + 4 * i] << 24 | m[at + 4 * i + 1] << 16 | m[at + 4 * i + 2] << 8 | m[at + 4 * i + 3]
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2]
      w[i] = w[i - 16] + (rotr(x, 7) ^ rotr(x, 18) ^ x >>> 3) + w[i - 7] + (rotr(y, 17) ^ rotr(y, 19) ^ y >>> 10) | 0
    }
    let [a, b, c, d, e, f, g, z] = h
    for (let i = 0; i < 64; i++) {
      const t = z + (rotr(e, 6) ^ rotr(e, 11) ^ rotr(e, 25)) + (e & f ^ ~e & g) + K256[i] + w[i] | 0
      const u = (rotr(a, 2) ^ rotr(a, 13) ^ rotr(a, 22)) + (a & b ^ a & c ^ b & c) | 0
      z = g; g = f; f = e; e = d + t | 0; d = c; c = b; b = a; a = t + u | 0
    }
    ;[a, b, c, d, e, f, g, z].forEach((x, i) => { h[i] = h[i] + x | 0 })
  }
  return words32(h)
}

export function sha512(message) {
  const M = 0xffffffffffffffffn, r = (x, n) => (x >> n | x << 64n - n) & M
  const m = padded(message, 128), h = [...H512], w = []
  for (let at = 0; at < m.length; at += 128) {
    for (let i = 0; i < 16; i++) w[i] = big(m.subarray(at + 8 * i, at + 8 * i + 8))
    for (let i = 16; i < 80; i++) {
      const x = w[i - 15], y = w[i - 2]
      w[i] = w[i - 16] + (r(x, 1n) ^ r(x, 8n) ^ x >> 7n) + w[i - 7] + (r(y, 19n) ^ r(y, 61n) ^ y >> 6n) & M
    }
    let [a, b, c, d, e, f, g, z] = h
    for (let i = 0; i < 80; i++) {
      const t = z + (r(e, 14n) ^ r(e, 18n) ^ r(e, 41n)) + (e & f ^ (e ^ M) & g) + K512[i] + w[i]
      const u = (r(a, 28n) ^ r(a, 34n) ^ r(a, 39n)) + (a & b ^ a & c ^ b & c)
      z = g; g = f; f = e; e = d + t & M; d = c; c = b; b = a; a = t + u & M
    }
    ;[a, b, c, d, e, f, g, z].forEach((x, i) => { h[i] = h[i] + x & M })
  }
  return concat(...h.map((x) => bigEndian(x)))
}

export function sm3(message) {
  const m = padded(message, 64), w = new Int32Array(68)
  const h = Int32Array.from([0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e])
  const p0 = (x) => x ^ rot(x, 9) ^ rot(x, 17), p1 = (x) => x ^ rot(x, 15) ^ rot(x, 23)
  for (let at = 0; at < m.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = m[at + 4 * i] << 24 | m[at + 4 * i + 1] << 16 | m[at + 4 * i + 2] << 8 | m[at + 4 * i + 3]
    for (let i = 16; i < 68; i++) w[i] = p1(w[i - 16] ^ w[i - 9] ^ rot(w[i - 3], 15)) ^ rot(w[i - 13], 7) ^ w[i - 6]
    let [a, b, c, d, e, f, g, z] = h
    for (let i = 0; i < 64; i++) {
      const x = rot(a, 12), s = rot(x + e + rot(i < 16 ? 0x79cc4519 : 0x7a879d8a, i % 32) | 0, 7)
      const t = (i < 16 ? a ^ b ^ c : a & b | a & c | b & c) + d + (s ^ x) + (w[i] ^ w[i + 4]) | 0
      const u = (i < 16 ? e ^ f ^ g : e & f | ~e & g) + z + s + w[i] | 0
      d = c; c = rot(b, 9); b = a; a = t; z = g; g = rot(f, 19); f = e; e = p0(u)
    }
    ;[a, b, c, d, e, f, g, z].forEach((x, i) => { h[i] ^= x })
  }
  return words32(h)
}

// ---- signatures: SM2 (GB/T 32918.2), P-256 (FIPS 186-5), Ed25519 (RFC 8032) ----

const mod = (x, m) => { const r = x % m; return r < 0n ? r + m : r }
function inverse(x, m) {
  let [a, b, u, v] = [mod(x, m), m, 1n, 0n]
  while (b) { const q = a / b; [a, b] = [b, a - q * b]; [u, v] = [v, u - q * v] }
  return mod(u, m)
}
function power(x, e, m) {
  let r = 1n
  for (x = mod(x, m); e; e >>= 1n, x = x * x % m) if (e & 1n) r = r * x % m
  return r
}

// curve is y² = x³ - 3x + b with a generator; both of ours have a = -3.
const curve = (p, b, n, x, y) => ({ p: BigInt(p), b: BigInt(b), n: BigInt(n), g: [BigInt(x), BigInt(y), 1n] })
const SM2 = curve(
  '0xfffffffeffffffffffffffffffffffffffffffff00000000ffffffffffffffff', '0x28e9fa9e9d9f5e344d5a9e4bcf6509a7f39789f515ab8f92ddbcbd414d940e93',
  '0xfffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123',
  '0x32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7', '0xbc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0')
const P256 = curve(
  '0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff', '0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b',
  '0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551',
  '0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296', '0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5')

// Points are Jacobian (X, Y, Z); Z = 0 is the point at infinity.
function twice({ p }, [x, y, z]) {
  if (!z || !y) return [1n, 1n, 0n]
  const d = z * z % p, g = y * y % p, b = x * g % p, a = 3n * (x - d) * (x + d) % p
  const u = mod(a * a - 8n * b, p)
  return [u, mod(a * (4n * b - u) - 8n * g * g, p), mod(2n * y * z, p)]
}
function sum(c, s, t) {
  if (!s[2]) return t
  if (!t[2]) return s
  const { p } = c, zz = s[2] * s[2] % p, ww = t[2] * t[2] % p
  const u = s[0] * ww % p, v = t[0] * zz % p, k = s[1] * t[2] % p * ww % p, l = t[1] * s[2] % p * zz % p
  const h = mod(v - u, p), r = mod(l - k, p)
  if (!h) return r ? [1n, 1n, 0n] : twice(c, s)
  const hh = h * h % p, hhh = h * hh % p, q = u * hh % p, x = mod(r * r - hhh - 2n * q, p)
  return [x, mod(r * (q - x) - k * hhh, p), s[2] * t[2] % p * h % p]
}
// xOf returns the x coordinate of i·G + j·Q, null at infinity.
function xOf(c, i, j, q) {
  const both = sum(c, c.g, q)
  let r = [1n, 1n, 0n]
  for (let bit = 255n; bit >= 0n; bit--) {
    r = twice(c, r)
    const a = i >> bit & 1n, b = j >> bit & 1n
    if (a && b) r = sum(c, r, both); else if (a) r = sum(c, r, c.g); else if (b) r = sum(c, r, q)
  }
  if (!r[2]) return null
  const z = inverse(r[2], c.p)
  return r[0] * z % c.p * z % c.p
}
function pointOf(c, raw) { // null: not an uncompressed point of the curve
  if (raw.length !== 65 || raw[0] !== 4) return null
  const x = big(raw.subarray(1, 33)), y = big(raw.subarray(33)), { p, b } = c
  return x < p && y < p && mod(y * y - (x * x % p * x - 3n * x + b), p) === 0n ? [x, y, 1n] : null
}
// pairOf reads SEQUENCE { INTEGER r, INTEGER s } in DER, both positive; null otherwise.
function pairOf(sig) {
  if (sig.length > 72 || sig.length < 8 || sig[0] !== 0x30 || sig[1] !== sig.length - 2) return null
  const out = []
  let at = 2
  for (let i = 0; i < 2; i++) {
    const n = sig[at + 1], body = sig.subarray(at + 2, at + 2 + n)
    if (sig[at] !== 2 || !n || n > 33 || body.length !== n || body[0] & 0x80 || !body[0] && !(body[1] & 0x80)) return null
    out.push(big(body))
    at += 2 + n
  }
  return at === sig.length ? out : null
}
const within = (x, n) => x > 0n && x < n

export function verifySM2(raw, message, sig, user = '1234567812345678') {
  const c = SM2, q = pointOf(c, raw), pair = pairOf(sig)
  if (!q || !pair) return false
  const [r, s] = pair, word = (x) => bigEndian(x, 32)
  if (!within(r, c.n) || !within(s, c.n)) return false
  const id = utf8(user)
  const za = sm3(concat(bigEndian(8 * id.length, 2), id, word(c.p - 3n), word(c.b), word(c.g[0]), word(c.g[1]), raw.subarray(1)))
  const t = (r + s) % c.n
  if (!t) return false
  const x = xOf(c, s, t, q)
  return x !== null && (big(sm3(concat(za, message))) + x) % c.n === r
}

export function verifyP256(raw, message, sig) {
  const pair = pairOf(sig)
  return pair !== null && pair[1] <= P256.n >> 1n && holdsP256(raw, message, pair) // of two twins the one with the low s
}
function holdsP256(raw, message, [r, s]) {
  const c = P256, q = pointOf(c, raw)
  if (!q || !within(r, c.n) || !within(s, c.n)) return false
  const w = inverse(s, c.n), x = xOf(c, big(sha256(message)) * w % c.n, r * w % c.n, q)
  return x !== null && x % c.n === r
}

const P = (1n << 255n) - 19n, L = (1n << 252n) + 27742317777372353535851937790883648493n
const D = mod(-121665n * inverse(121666n, P), P), I = power(2n, (P - 1n) / 4n, P)
const little = (bytes) => big(Uint8Array.from(bytes).reverse())

// edwards reads a point as Go's library does: y may be unreduced. null: not on the curve.
function edwards(raw) {
  const sign = raw[31] >> 7, y = mod(little(raw) & (1n << 255n) - 1n, P), yy = y * y % P
  const u = mod(yy - 1n, P), v = mod(D * yy + 1n, P)
  let x = u * power(v, 3n, P) % P * power(u * power(v, 7n, P), (P - 5n) / 8n, P) % P
  const c = v * x % P * x % P
  if (c === mod(-u, P)) x = x * I % P
  else if (c !== u) return null
  if (Number(x & 1n) !== sign) x = mod(-x, P)
  return [x, y, 1n, x * y % P]
}
function add(a, b) { // extended coordinates, a = -1
  const e = (a[1] - a[0]) * (b[1] - b[0]) % P, f = (a[1] + a[0]) * (b[1] + b[0]) % P
  const g = 2n * a[3] * b[3] % P * D % P, h = 2n * a[2] * b[2] % P
  const u = f - e, v = h - g, w = h + g, z = f + e
  return [mod(u * v, P), mod(w * z, P), mod(v * w, P), mod(u * z, P)]
}
const BASE = edwards(bigEndian(46316835694926478169428394003475163141307993866256225615783033603165251855960n, 32).reverse())

export function verifyEd25519(raw, message, sig) {
  if (raw.length !== 32 || sig.length !== 64) return false
  const a = edwards(raw), s = little(sig.subarray(32))
  if (!a || s >= L) return false
  const k = little(sha512(concat(sig.subarray(0, 32), raw, message))) % L
  const minus = [mod(-a[0], P), a[1], 1n, mod(-a[3], P)], both = add(BASE, minus)
  let r = [0n, 1n, 1n, 0n]
  for (let bit = 252n; bit >= 0n; bit--) {
    r = add(r, r)
    const i = s >> bit & 1n, j = k >> bit & 1n
    if (i && j) r = add(r, both); else if (i) r = add(r, BASE); else if (j) r = add(r, minus)
  }
  const z = inverse(r[2], P), x = r[0] * z % P, y = r[1] * z % P
  return equal(bigEndian(y | (x & 1n) << 255n, 32).reverse(), sig.subarray(0, 32))
}
// SMALL are y of the points of small order: an account's key is none of them.
const SMALL = ['0000000000000000000000000000000000000000000000000000000000000000', '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f']
function ownEdwards(raw) {
  if (raw.length !== 32) return false
  const y = Uint8Array.from(raw)
  y[31] &= 0x7f
  return !SMALL.includes(hex(y)) && little(y) < P && edwards(raw) !== null
}

// ALGORITHMS of accounts' keys by number (identity.v1.KeyAlgorithm).
const ALGORITHMS = {
  1: { name: 'sm2', usable: (k) => pointOf(SM2, k) !== null, verify: verifySM2, hash: sm3 },
  2: { name: 'p256', usable: (k) => pointOf(P256, k) !== null, verify: verifyP256, hash: sha256 },
  3: { name: 'ed25519', usable: ownEdwards, verify: verifyEd25519, hash: sha256 },
}

// PASSKEY is the algorithm 4: a device's key, which signs transactions alone (section 4.2).
const PASSKEY = { name: 'passkey', usable: (k) => pointOf(P256, k) !== null, hash: sha256 }

// deviceOf reads Passkey of a Key; null if it is none.
function deviceOf(raw) {
  try {
    const v = scan(raw, false, { 1: 'b', 2: 'n' })
    return v.raw(1).length === 32 && v.number(2) <= 1 ? { site: v.raw(1), eligible: v.number(2) === 1 } : null
  } catch { return null }
}
// asserted says whether these bytes are a device's assertion for the transaction id.
function asserted(key, device, id, bytes) {
  let a
  try { a = scan(bytes, true, { 1: 'b', 2: 'b', 3: 'b' }) } catch { return false }
  const data = a.raw(1), client = a.raw(2), sig = a.raw(3), flags = data[32]
  if (data.length < 37 || data.length > 512 || !clientDataOf(client, sha256(concat(utf8('mulian-passkey-v1\0'), id)))) return false
  const backup = (flags & 8) !== 0
  if (!equal(data.subarray(0, 32), device.site) || (flags & 5) !== 5 || flags & 16 && !backup || backup !== device.eligible) return false
  if (flags & 64 || ((flags & 128) !== 0) !== data.length > 37) return false
  let pair = pairOf(sig)
  if (!pair || pair[1] >= P256.n) pair = sig.length === 64 ? [big(sig.subarray(0, 32)), big(sig.subarray(32))] : null
  return pair !== null && holdsP256(key, concat(data, sha256(client)), pair)
}
// clientDataOf says whether client data are those of the challenge, by bytes.
function clientDataOf(raw, challenge) {
  const text = Array.from(raw, (c) => String.fromCharCode(c)).join('') // a letter for each byte
  const base64url = btoa(String.fromCharCode(...challenge)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  const head = `{"type":"webauthn.get","challenge":"${base64url}","origin":"`
  if (raw.length > 1024 || !text.startsWith(head)) return false
  const end = text.indexOf('"', head.length), origin = text.slice(head.length, end), cross = '","crossOrigin":false'
  if (end < 0 || origin.length > 300 || origin.includes('\\') || !text.startsWith(cross, end)) return false
  const rest = text.slice(end + cross.length)
  return rest.endsWith('}') && (rest.length === 1 || rest[0] === ',')
}

// VOTES is how the engine's validators sign: any point of the curve is a key.
const VOTES = ALGORITHMS[3]

// ---- the one byte form (section 2) ----

// A node is { text } or { list } or { list, fields }.
const text = (s) => ({ text: String(s) })
const items = (list) => ({ list })
const object = (...pairs) => {
  const n = { fields: [], list: [] }
  for (let i = 0; i < pairs.length; i += 2) {
    n.fields.push(pairs[i])
    n.list.push(typeof pairs[i + 1] === 'object' ? pairs[i + 1] : text(pairs[i + 1]))
  }
  return n
}
const field = (n, name) => n.list[n.fields.indexOf(name)]

class Parser {
  constructor(raw) { this.raw = raw; this.at = 0; this.nodes = 0 }
  fail(expected) {
    let line = 1
    for (let i = 0; i < Math.min(this.at, this.raw.length); i++) if (this.raw[i] === 10) line++
    malformed(`line ${line}: expected ${expected}`)
  }
  want(s) {
    for (let i = 0; i < s.length; i++) if (this.raw[this.at + i] !== s.charCodeAt(i)) this.fail(JSON.stringify(s))
    this.at += s.length
  }
  peek() { return String.fromCharCode(this.at < this.raw.length ? this.raw[this.at] : 0) }
  file() {
    const n = this.value(0)
    this.want('\n')
    if (this.at !== this.raw.length) this.fail('the end of the file')
    return n
  }
  value(depth) {
    if (++this.nodes > MAX_NODES) this.fail(`at most ${MAX_NODES} values`)
    if (depth > MAX_DEPTH) this.fail(`at most ${MAX_DEPTH} levels`)
    switch (this.peek()) {
      case '"': return { text: this.string() }
      case '[': return this.items({ list: [] }, depth, ']')
      case '{': return this.items({ list: [], fields: [] }, depth, '}')
    }
    this.fail('a text, a list or an object')
  }
  items(n, depth, shut) {
    this.at++
    if (!n.fields && this.peek() === shut) { this.at++; return n }
    for (;;) {
      this.want('\n' + ' '.repeat(depth + 1))
      if (n.fields) n.fields.push(this.name())
      n.list.push(this.value(depth + 1))
      if (this.peek() !== ',') break
      this.at++
    }
    this.want('\n' + ' '.repeat(depth) + shut)
    return n
  }
  name() {
    this.want('"')
    const from = this.at
    while (/[a-z0-9_]/.test(this.peek())) this.at++
    if (this.at === from || this.at - from > MAX_NAME) this.fail('the name of a field')
    const name = String.fromCharCode(...this.raw.subarray(from, this.at))
    this.want('": ')
    return name
  }
  string() {
    const out = []
    for (this.at++; ;) {
      const c = this.raw[this.at]
      if (this.at >= this.raw.length || c < 32) this.fail('the end of the text')
      if (c === 34) { this.at++; break }
      if (c === 92) out.push(this.escape())
      else { out.push(c); this.at++ }
    }
    try { return textOf(Uint8Array.from(out)) } catch { this.fail('text in UTF-8') }
  }
  escape() {
    const next = this.raw[this.at + 1]
    if (next === 34 || next === 92) { this.at += 2; return next }
    const six = String.fromCharCode(...this.raw.subarray(this.at, this.at + 6)), m = /^\\u00([01][0-9a-f])$/.exec(six)
    if (!m) this.fail('one of \\", \\\\, \\u0000 to \\u001f')
    this.at += 6
    return parseInt(m[1], 16)
  }
}

// ---- typed reading (section 3) ----

const want = (path, expected) => malformed(`${path}: expected ${expected}`)
const asText = (n, path) => n.text !== undefined ? n.text : want(path, 'a text')
function asObject(n, path, names) {
  if (!n.fields) want(path, 'an object')
  names.forEach((name, i) => { if (n.fields[i] !== name) want(path, 'the field ' + name) })
  if (n.fields.length > names.length) want(path, 'the end of the object after ' + names[names.length - 1])
  return n.list
}
function asList(n, path, least, most) {
  if (!n.list || n.fields || n.list.length < least || n.list.length > most) want(path, `a list of ${least} to ${most}`)
  return n.list
}
function asNumber(n, path, least, most) {
  const s = asText(n, path)
  if (!/^(0|[1-9][0-9]{0,15})$/.test(s) || Number(s) < least || Number(s) > most) want(path, `a number from ${least} to ${most}`)
  return Number(s)
}
function asHex(n, path, ...lengths) {
  const b = unhex(asText(n, path))
  if (!b || lengths.length && !lengths.includes(b.length)) want(path, `lower-case hexadecimal of [${lengths.join(' ')}] bytes`)
  return b
}
function asBase(n, path) {
  return unbase(asText(n, path)) ?? want(path, 'base64')
}
function asHashes(n, path, most) {
  const b = asBase(n, path)
  if (b.length % 32 || b.length / 32 > most) want(path, `at most ${most} hashes of 32 bytes`)
  return Array.from({ length: b.length / 32 }, (_, i) => b.subarray(32 * i, 32 * i + 32))
}
function asStamp(n, path) { // { seconds, nanos, text }
  const s = asText(n, path), m = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})Z$/.exec(s), ms = m ? Date.parse(m[1] + '.000Z') : NaN
  if (!(ms >= 0) || new Date(ms).toISOString() !== m[1] + '.000Z') want(path, 'a time like 2026-11-21T08:00:00.000000000Z')
  return { seconds: ms / 1000, nanos: Number(m[2]), text: s }
}

const PARTS = ['events', 'transactions', 'objects', 'state', 'blocks', 'genesis']
const BLOCK = ['height', 'time', 'hash', 'block_version', 'app_version', 'last_hash', 'last_parts', 'last_parts_hash', 'last_commit_hash', 'data_hash',
  'validators_hash', 'next_validators_hash', 'consensus_hash', 'app_hash', 'last_results_hash', 'evidence_hash', 'proposer', 'round', 'parts', 'parts_hash', 'validators']

function readContent(n) {
  const own = !!n.fields && n.fields.length > 2 && ['access', 'finding', 'absence'].includes(n.fields[2]) ? n.fields[2] : ''
  const f = asObject(n, 'the file', ['format', 'statement', ...(own ? [own] : []), ...PARTS])
  if (asText(f[0], 'format') !== 'mulian-proof-v1') malformed('format: expected "mulian-proof-v1"')
  if (!f[1].fields) want('statement', 'an object')
  const [events, transactions, objects, state, blocks, genesis] = f.slice(own ? 3 : 2)
  const c = { statement: f[1], access: own === 'access' ? readAccess(f[2]) : null, finding: own === 'finding' ? readFinding(f[2]) : null, absence: own === 'absence' ? readAbsence(f[2]) : null }
  c.events = asList(events, 'events', 0, MAX_EVENTS).map((e, i) => {
    const p = `events[${i}]`, [seq, event, path] = asObject(e, p, ['seq', 'event', 'path'])
    return { seq: asNumber(seq, p + '.seq', 0, MAX_NUMBER), event: asBase(event, p + '.event'), path: asHashes(path, p + '.path', MAX_PATH) }
  })
  c.sealed = asList(transactions, 'transactions', 0, MAX_EVENTS).map((x, i) => {
    const p = `transactions[${i}]`, [id, body, key, signature] = asObject(x, p, ['id', 'body', 'key', 'signature'])
    return { id: asHex(id, p + '.id', 32), body: asBase(body, p + '.body'), key: asText(key, p + '.key'), sig: asBase(signature, p + '.signature') }
  })
  c.objects = asList(objects, 'objects', 0, MAX_OBJECTS).map((o, i) => {
    const p = `objects[${i}]`, [key, value, depth, bitmap, siblings] = asObject(o, p, ['key', 'value', 'depth', 'bitmap', 'siblings'])
    const out = {
      key: asText(key, p + '.key'), value: asBase(value, p + '.value'), depth: asNumber(depth, p + '.depth', 0, MAX_SIBLINGS),
      bitmap: asHex(bitmap, p + '.bitmap'), siblings: asHashes(siblings, p + '.siblings', MAX_SIBLINGS),
    }
    const size = utf8(out.key).length
    if (size === 0 || size > MAX_KEY) want(p + '.key', `1 to ${MAX_KEY} bytes`)
    return out
  })
  const st = asObject(state, 'state', ['tree_root', 'log_root', 'log_size'])
  c.treeRoot = asHex(st[0], 'state.tree_root', 32)
  c.logRoot = asHex(st[1], 'state.log_root', 32)
  c.logSize = asNumber(st[2], 'state.log_size', 0, MAX_NUMBER)
  c.blocks = asList(blocks, 'blocks', 1, MAX_BLOCKS).map((b, i) => readBlock(b, `blocks[${i}]`))
  c.genesis = asBase(genesis, 'genesis')
  unpackAll(c)
  return c
}

const ACCESS = ['record', 'leaf', 'path', 'provider_key', 'provider_signature', 'consumer_key', 'consumer_signature']
const readAccess = (n) => accessOf(asObject(n, 'access', ACCESS), 'access')
function accessOf(f, at) {
  return {
    record: asBase(f[0], at + '.record'), leaf: asNumber(f[1], at + '.leaf', 0, MAX_NUMBER), path: asHashes(f[2], at + '.path', MAX_PATH),
    provider: { key: asText(f[3], at + '.provider_key'), sig: asBase(f[4], at + '.provider_signature') },
    consumer: { key: asText(f[5], at + '.consumer_key'), sig: asBase(f[6], at + '.consumer_signature') },
  }
}
function readFinding(n) {
  const f = asObject(n, 'finding', ['rule', 'records', 'checkpoints', 'root', 'path'])
  return {
    rule: asText(f[0], 'finding.rule'), root: asHashes(f[3], 'finding.root', 1), path: asHashes(f[4], 'finding.path', MAX_PATH),
    records: asList(f[1], 'finding.records', 0, 2).map((x, i) => {
      const at = `finding.records[${i}]`, g = asObject(x, at, ['in', ...ACCESS]), where = asText(g[0], at + '.in')
      if (where !== 'head' && where !== 'receipt') want(at + '.in', 'head or receipt')
      return { in: where, ...accessOf(g.slice(1), at) }
    }),
    checkpoints: asList(f[2], 'finding.checkpoints', 0, 2).map((x, i) => {
      const at = `finding.checkpoints[${i}]`, b = asBase(x, at)
      if (!b.length || b.length > MAX_NOTE) want(at, `1 to ${MAX_NOTE} bytes`)
      return b
    }),
  }
}

function readAbsence(n) {
  const f = asObject(n, 'absence', ['key', 'depth', 'bitmap', 'siblings', 'other_key', 'other_value']), p = 'absence.'
  const a = {
    key: asText(f[0], p + 'key'), depth: asNumber(f[1], p + 'depth', 0, MAX_SIBLINGS), bitmap: asHex(f[2], p + 'bitmap'),
    siblings: asHashes(f[3], p + 'siblings', MAX_SIBLINGS), other: asHex(f[4], p + 'other_key', 0, 32), value: asHex(f[5], p + 'other_value', 0, 32),
  }
  const size = utf8(a.key).length
  if (size === 0 || size > MAX_KEY) want(p + 'key', `1 to ${MAX_KEY} bytes`)
  if (a.other.length !== a.value.length) want(p + 'other_value', 'a hash if and only if other_key is one')
  return a
}

function readSplit(n) {
  const f = asObject(n, 'the file', ['format', 'statement', 'checkpoints', 'root', 'path', 'blocks', 'genesis'])
  if (!f[1].fields) want('statement', 'an object')
  const c = {
    statement: f[1], notes: asList(f[2], 'checkpoints', 2, 2).map((x, i) => {
      const at = `checkpoints[${i}]`, b = asBase(x, at)
      return b.length && b.length <= MAX_NOTE ? b : want(at, `1 to ${MAX_NOTE} bytes`)
    }),
    root: asHashes(f[3], 'root', 1), path: asHashes(f[4], 'path', MAX_PATH), blocks: asList(f[5], 'blocks', 0, MAX_BLOCKS).map((b, i) => readBlock(b, `blocks[${i}]`)),
  }
  c.genesis = new Window().unpack(asBase(f[6], 'genesis'), 'genesis')
  return c
}

function readBlock(n, path) {
  const f = asObject(n, path, BLOCK), at = (i) => `${path}.${BLOCK[i]}`
  const num = (i, least, most) => asNumber(f[i], at(i), least, most), hash = (i) => asHex(f[i], at(i), 0, 32), whole = (i) => asHex(f[i], at(i), 32)
  const b = {
    height: num(0, 1, MAX_NUMBER), time: asStamp(f[1], at(1)), hash: whole(2), blockVersion: num(3, 0, MAX_NUMBER), appVersion: num(4, 0, MAX_NUMBER),
    lastHash: hash(5), lastParts: num(6, 0, 0xffffffff), lastPartsHash: hash(7), lastCommit: hash(8), dataHash: hash(9), validatorsHash: whole(10),
    nextHash: whole(11), consensusHash: hash(12), appHash: hash(13), resultsHash: hash(14), evidenceHash: hash(15), proposer: asHex(f[16], at(16), 20),
    round: num(17, 0, 0x7fffffff), parts: num(18, 0, 0xffffffff), partsHash: hash(19),
  }
  b.voters = asList(f[20], at(20), 1, MAX_VALIDATORS).map((v, i) => readVoter(v, `${at(20)}[${i}]`))
  return b
}

function readVoter(n, path) {
  const [key, vote, time, signature, sm2] = asObject(n, path, ['key', 'power', 'time', 'signature', 'sm2'])
  const v = { key: asHex(key, path + '.key', 32), power: asNumber(vote, path + '.power', 1, MAX_POWER), sig: asBase(signature, path + '.signature'), sm2: asBase(sm2, path + '.sm2') }
  if (v.sig.length && v.sig.length !== 64) want(path + '.signature', '64 bytes')
  if (v.sig.length) v.at = asStamp(time, path + '.time')
  else if (asText(time, path + '.time') !== '') want(path + '.time', 'nothing without a signature')
  return v
}

// ---- packed messages (section 2.1) ----

class Window {
  constructor() { this.data = new Uint8Array(1 << 14); this.size = 0; this.last = new Map() }
  push(bytes) {
    if (this.size + bytes.length > this.data.length) {
      const more = new Uint8Array(2 * (this.size + bytes.length))
      more.set(this.data.subarray(0, this.size))
      this.data = more
    }
    this.data.set(bytes, this.size)
    this.size += bytes.length
  }
  five(i) { const d = this.data; return d[i] + 256 * d[i + 1] + 65536 * d[i + 2] + 16777216 * d[i + 3] + 4294967296 * d[i + 4] }
  pack(message) {
    const start = this.size, out = []
    this.push(message)
    const end = this.size, d = this.data
    let plain = start, i = start
    const number = (n) => { for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 + 128); out.push(n) }
    const literal = (to) => { number(to - plain); for (let k = plain; k < to; k++) out.push(d[k]) }
    while (i + MIN_COPY <= end) {
      const from = this.last.get(this.five(i))
      if (from === undefined) { this.last.set(this.five(i), i); i++; continue }
      let n = MIN_COPY
      while (i + n < end && d[from + n] === d[i + n]) n++
      literal(i)
      number(n - MIN_COPY)
      number(i - from - 1)
      for (const stop = i + n; i < stop; i++) if (i + MIN_COPY <= end) this.last.set(this.five(i), i)
      plain = i
    }
    if (plain < end) literal(end)
    return Uint8Array.from(out)
  }
  unpack(tokens, path) {
    let message
    try { message = this.expand(tokens) } catch (e) { want(path, e.message) }
    if (!equal(this.pack(message), tokens)) want(path, `the form in which a packer writes these ${message.length} bytes`)
    return message
  }
  expand(tokens) {
    const out = [], room = MAX_UNPACKED - this.size
    for (let at = 0; at < tokens.length;) {
      let [n, used] = varint(tokens, at)
      at += used
      if (n > BigInt(tokens.length - at) || n > BigInt(room - out.length)) malformed(`plain bytes within ${MAX_UNPACKED} in all`)
      for (const stop = at + Number(n); at < stop; at++) out.push(tokens[at])
      if (at === tokens.length) break
      let back;
      [n, used] = varint(tokens, at)
      at += used
      if (n + BigInt(MIN_COPY) > BigInt(room - out.length)) malformed(`a copy within ${MAX_UNPACKED} bytes in all`);
      [back, used] = varint(tokens, at)
      at += used
      if (back >= BigInt(this.size + out.length)) malformed('a copy of what stands before it')
      let from = this.size + out.length - Number(back) - 1
      for (let k = Number(n) + MIN_COPY; k > 0; k--, from++) out.push(from < this.size ? this.data[from] : out[from - this.size])
    }
    return Uint8Array.from(out)
  }
}

function unpackAll(c) {
  const w = new Window()
  c.genesis = w.unpack(c.genesis, 'genesis')
  c.objects.forEach((o, i) => { o.value = w.unpack(o.value, `objects[${i}].value`) })
  c.events.forEach((e, i) => { e.event = w.unpack(e.event, `events[${i}].event`) })
  c.sealed.forEach((x, i) => { x.body = w.unpack(x.body, `transactions[${i}].body`) })
}

// ---- messages of the ledger (section 3.1) ----

// varint reads a number in its shortest form: [BigInt, bytes].
function varint(raw, at) {
  let x = 0n
  for (let i = 0; i < 10; i++) {
    if (at + i >= raw.length) break
    const b = raw[at + i]
    x |= BigInt(b & 127) << BigInt(7 * i)
    if (b < 128) {
      if (i > 0 && b === 0 || x >> 64n) break
      return [x, i + 1]
    }
  }
  malformed('it is no number in its shortest form')
}

// scan reads one level of a message. known: number -> kind, 't' text, 'b' bytes,
// 'm' message, 'n' number; upper case: repeated.
function scan(raw, strict, known) {
  const v = new Map()
  let last = 0
  for (let at = 0, count = 1; at < raw.length; count++) {
    const [tag, used] = varint(raw, at)
    at += used
    if (tag >> 3n === 0n || tag >> 3n > 536870911n) malformed('it is no field of a message')
    const num = Number(tag >> 3n), type = Number(tag & 7n), kind = known[num], many = !kind || kind < 'a'
    if (num < last || num === last && !many || count > MAX_FIELDS) malformed(`field ${num} stands out of order`)
    last = num
    if (!kind && strict) malformed(`field ${num}: this verifier does not know it`)
    if (type !== 0 && type !== 2) malformed(`field ${num}: wire type ${type}`)
    const [x, n] = varint(raw, at)
    at += n
    if (type === 2 && x > BigInt(raw.length - at)) malformed(`field ${num}: it is cut`)
    const bytes = type === 2 ? raw.subarray(at, at += Number(x)) : null
    if (!kind) continue
    if (kind === 'n') {
      if (bytes || x === 0n || x > BigInt(MAX_NUMBER)) malformed(`field ${num}: it is no number from 1 to 2^53-1`)
      v.set(num, Number(x))
      continue
    }
    if (!bytes || !bytes.length && !many && kind !== 'm') malformed(`field ${num}: it is empty, or no bytes`)
    let value = bytes
    if (kind === 't' || kind === 'T') try { value = textOf(bytes) } catch { malformed(`field ${num}: it is no text in UTF-8`) }
    if (!many) v.set(num, value)
    else if (v.has(num)) v.get(num).push(value)
    else v.set(num, [value])
  }
  return {
    number: (n) => v.get(n) ?? 0, text: (n) => v.get(n) ?? '', raw: (n) => v.get(n) ?? new Uint8Array(0), all: (n) => v.get(n) ?? [],
  }
}

function scanGenesis(raw) {
  const v = scan(raw, false, { 1: 't', 8: 'B' }), list = v.all(8)
  if (!list.length || list.length > MAX_VALIDATORS) malformed(`${list.length} validators, 1 to ${MAX_VALIDATORS} are possible`)
  return {
    chain: v.text(1),
    validators: list.map((b, i) => {
      let x
      try { x = scan(b, false, { 1: 'b', 2: 'n', 5: 'b' }) } catch (e) { malformed(`validator ${i}: ${e.message}`) }
      const p = { key: x.raw(1), power: x.number(2), sm2: x.raw(5) }
      if (p.key.length !== 32 || p.power < 1 || p.power > MAX_POWER || ![0, 65].includes(p.sm2.length)) malformed(`validator ${i} has no usable key or power`)
      return p
    }),
  }
}
function scanKey(raw) {
  const v = scan(raw, false, { 1: 't', 2: 'n', 3: 'b', 6: 'n', 7: 'n', 8: 'n', 11: 'b' })
  return { id: v.text(1), algorithm: v.number(2), public: v.raw(3), added: v.number(6), ends: v.number(7), revoked: v.number(8), passkey: v.raw(11) }
}
function scanAccount(raw) {
  const v = scan(raw, false, { 1: 't', 5: 'B' })
  if (v.all(5).length > MAX_KEYS) malformed(`it has ${v.all(5).length} keys, at most ${MAX_KEYS} are possible`)
  return { id: v.text(1), keys: v.all(5).map(scanKey) }
}
function scanEvent(raw) {
  const v = scan(raw, true, { 1: 'n', 2: 'n', 3: 'b', 4: 'n', 5: 't', 6: 't', 7: 'T', 8: 't' })
  const e = { height: v.number(1), ms: v.number(2), tx: v.raw(3), message: v.number(4), actor: v.text(5), verb: v.text(6), objects: v.all(7), note: v.text(8) }
  if (![0, 32].includes(e.tx.length) || e.ms > MAX_MS) malformed(`its transaction id has ${e.tx.length} bytes, its time is ${e.ms}`)
  return e
}
function scanBody(raw) {
  const b = scan(raw, false, { 1: 't', 2: 't', 5: 'B' })
  return { chain: b.text(1), account: b.text(2), messages: b.all(5).length }
}
const OUTCOMES = ['', 'granted', 'refused', 'completed', 'failed', 'opened']
function scanRecord(raw) {
  const v = scan(raw, true, {
    1: 't', 2: 't', 3: 'n', 4: 'n', 5: 'n', 6: 't', 7: 't', 8: 't', 9: 'n', 10: 'T', 11: 't', 12: 'n', 13: 'n', 14: 'b', 15: 'b', 16: 'n', 17: 'n', 18: 'n', 19: 'b', 20: 'n', 21: 'n', 22: 't', 23: 'b', 24: 'n',
  })
  if (!OUTCOMES[v.number(4)] || v.number(16) > MAX_MS) malformed(`its outcome is ${v.number(4)}, its time ${v.number(16)}`)
  secretOf(v)
  return v
}
function secretOf(r) {
  if (!r.raw(23).length) return null
  let s
  try { s = scan(r.raw(23), true, { 1: 'n', 2: 'n', 3: 'b', 4: 'b', 5: 'b' }) } catch (e) { malformed(`sealed: ${e.message}`) }
  if (!s.number(1) || s.number(2) > MAX_MS) malformed(`sealed: order ${s.number(1)}, until ${s.number(2)}`)
  return s
}
function scanOrders(raw, agreement) {
  const v = scan(raw, false, { 1: 't', 2: 'B' })
  if (v.text(1) !== agreement) malformed('it is of another agreement')
  const list = v.all(2).map((b, i) => {
    const o = scan(b, false, { 1: 'n', 7: 'n', 8: 'n', 9: 'n', 13: 'n', 14: 'n' })
    if (o.number(1) !== i + 1 || [7, 8, 9, 14].some((f) => o.number(f) > MAX_MS)) malformed(`order ${i + 1}`)
    return { n: i + 1, from: o.number(7), end: o.number(8), unseal: o.number(9), extends: o.number(13), lifted: o.number(14) }
  })
  for (const o of list) {
    const lifted = lastOrder(list, o.n).lifted
    if (lifted && lifted < o.end) o.end = lifted
  }
  return list
}
const lastOrder = (list, n) => list.slice(n).reduce((o, next) => next.extends === o.n ? next : o, list[n - 1])
function scanLogKeys(raw, account) {
  const v = scan(raw, false, { 1: 't', 11: 'm' })
  if (v.text(1) !== account) malformed('it is not that account')
  const p = scan(v.raw(11), false, { 3: 't', 4: 'b', 6: 'B' })
  const keys = p.all(6).map((b) => scan(b, false, { 1: 'b', 2: 'n', 3: 'n' })).map((k) => ({ key: k.raw(1), from: k.number(2), until: k.number(3) }))
  if (!keys.length) keys.push({ key: p.raw(4), from: 0, until: 0 })
  if (!p.text(3) || keys.some((k) => k.key.length !== 32)) malformed('it is not that account, or has no log')
  return { origin: p.text(3), keys }
}
function scanPact(raw) {
  const v = scan(raw, false, { 1: 't', 6: 'm', 8: 'n', 9: 'n', 10: 'n', 11: 't', 12: 'T', 22: 'n' }), t = scan(v.raw(6), false, { 1: 'B', 2: 't', 16: 'B' }), parts = new Map()
  if (v.number(8) > MAX_MS || v.number(9) > MAX_MS) malformed(`it is from ${v.number(8)} to ${v.number(9)}`)
  for (const b of t.all(1)) {
    const x = scan(b, false, { 1: 't', 2: 'T' })
    parts.set(x.text(1), [...(parts.get(x.text(1)) ?? []), ...x.all(2)])
  }
  const predicates = t.all(16).map((b) => scan(b, false, { 1: 't', 2: 't' }))
  return { id: v.text(1), parts, predicates, purpose: t.text(2), starts: v.number(8), ends: v.number(9), stale: v.number(10), asker: v.text(11), gateways: v.all(12), amended: v.number(22) > 0 }
}
function scanHead(raw) {
  const v = scan(raw, false, { 1: 't', 2: 'n', 3: 'b' })
  if (v.raw(3).length !== 32) malformed(`a root of ${v.raw(3).length} bytes`)
  return { gateway: v.text(1), size: v.number(2), root: v.raw(3) }
}
const clock = (ms) => new Date(ms).toISOString()

// ---- trees (RFC 6962, ICS 23) ----

const inner = (l, r) => sha256(concat(Uint8Array.of(1), l, r))
const leafHash = (b) => sha256(concat(Uint8Array.of(0), b))

// rootOf climbs from a leaf of a log; malformed if the path does not fit.
function rootOf(leaf, index, size, path) {
  if (index >= size) malformed(`leaf ${index} of ${size} with a path of ${path.length}`)
  let h = leaf, i = BigInt(index), n = BigInt(size) - 1n, at = 0
  while (n > 0n) {
    if (i & 1n || i === n) {
      if (i & 1n) {
        if (at === path.length) malformed('the path is too short')
        h = inner(path[at++], h)
      }
    } else {
      if (at === path.length) malformed('the path is too short')
      h = inner(h, path[at++])
    }
    i >>= 1n; n >>= 1n
  }
  if (at !== path.length) malformed('the path is too long')
  return h
}

// consistent tells whether a path leads from the root of the first `old` leaves to that of
// `size` (RFC 9162 section 2.1.4.2); malformed if it does not fit.
function consistent(first, old, second, size, path) {
  if (old < 1 || size < old) malformed(`from ${old} to ${size}`)
  if (old === size) return path.length ? malformed('the path is too long') : equal(first, second)
  let list = path, fn = BigInt(old) - 1n, sn = BigInt(size) - 1n, at = 1
  if ((BigInt(old) & BigInt(old) - 1n) === 0n) list = [first, ...path]
  if (!list.length) malformed('the path is too short')
  while (fn & 1n) { fn >>= 1n; sn >>= 1n }
  let fr = list[0], sr = list[0]
  for (; at < list.length; at++) {
    if (sn === 0n) malformed('the path is too long')
    const c = list[at]
    if (fn & 1n || fn === sn) {
      fr = inner(c, fr); sr = inner(c, sr)
      while (!(fn & 1n) && fn !== 0n) { fn >>= 1n; sn >>= 1n }
    } else sr = inner(sr, c)
    fn >>= 1n; sn >>= 1n
  }
  return sn === 0n && equal(fr, first) && equal(sr, second)
}

function merkle(leaves) {
  if (!leaves.length) return sha256(new Uint8Array(0))
  if (leaves.length === 1) return leafHash(leaves[0])
  let k = 1
  while (2 * k < leaves.length) k *= 2
  return inner(merkle(leaves.slice(0, k)), merkle(leaves.slice(k)))
}

// ---- what the engine hashes and signs (section 4.1) ----

function uvarint(n) {
  const out = []
  let x = BigInt(n)
  for (; x > 127n; x >>= 7n) out.push(Number(x & 127n) | 128)
  out.push(Number(x))
  return Uint8Array.from(out)
}
const none = new Uint8Array(0)
const numberField = (f, n) => n ? concat(uvarint(f << 3), uvarint(n)) : none
const messageField = (f, b) => concat(uvarint(f << 3 | 2), uvarint(b.length), b)
const bytesField = (f, b) => b.length ? messageField(f, b) : none
const fixedField = (f, n) => n ? concat(uvarint(f << 3 | 1), bigEndian(n).reverse()) : none
const timeBytes = (t) => concat(numberField(1, t.seconds), numberField(2, t.nanos))
const blockIDBytes = (hash, parts, partsHash) => concat(bytesField(1, hash), messageField(2, concat(numberField(1, parts), bytesField(2, partsHash))))

function headerHash(b, chain) {
  return merkle([
    concat(numberField(1, b.blockVersion), numberField(2, b.appVersion)), bytesField(1, utf8(chain)), numberField(1, b.height), timeBytes(b.time),
    blockIDBytes(b.lastHash, b.lastParts, b.lastPartsHash), bytesField(1, b.lastCommit), bytesField(1, b.dataHash), bytesField(1, b.validatorsHash),
    bytesField(1, b.nextHash), bytesField(1, b.consensusHash), bytesField(1, b.appHash), bytesField(1, b.resultsHash), bytesField(1, b.evidenceHash), bytesField(1, b.proposer),
  ])
}
const setHash = (voters) => merkle(voters.map((v) => concat(messageField(1, bytesField(1, v.key)), numberField(2, v.power))))
function voteBytes(b, chain, at) {
  const vote = concat(numberField(1, 2), fixedField(2, b.height), fixedField(3, b.round), messageField(4, blockIDBytes(b.hash, b.parts, b.partsHash)),
    messageField(5, timeBytes(at)), bytesField(6, utf8(chain)))
  return concat(uvarint(vote.length), vote)
}
// frame is internal/canon.Frame: a domain and parts, each with its length.
const frame = (domain, ...parts) => concat(...[utf8(domain), ...parts].flatMap((p) => [bigEndian(p.length), p]))

// unbatch returns what a receipt's signature is over, and the signature (section 4.2).
function unbatch(record, sig, at) {
  if (sig.length <= 72 || sig[0] !== 0x4d || sig[1] !== 0x42 || sig[2] !== 1) return { message: concat(utf8('mulian-receipt-v1\0'), record), sig }
  const index = Number(big(sig.subarray(3, 7))), size = Number(big(sig.subarray(7, 11)))
  if (size < 2 || size > MAX_BATCH || index >= size) refuse('signature', at, `leaf ${index} of a batch of ${size}`)
  let n = 0
  for (let i = index, left = size; left > 1; i >>= 1, left = left + 1 >> 1) if ((i ^ 1) < left) n++
  if (sig.length <= 11 + 32 * n) refuse('signature', at, 'the path of the batch is cut')
  const path = Array.from({ length: n }, (_, i) => sig.subarray(11 + 32 * i, 43 + 32 * i))
  let root
  try { root = rootOf(leafHash(record), index, size, path) } catch (e) { refuse('signature', at, e.message) }
  return { message: concat(utf8('mulian-receipts-v1\0'), bigEndian(size), root), sig: sig.subarray(11 + 32 * n) }
}

// ---- the rules of findings (section 4.4) ----

const decides = (r) => r.number(4) === 1 || r.number(4) === 2
const released = (r) => r.number(4) === 1 || r.number(4) === 3
const STOPS = { suspended: false, rectifying: false, ended: true, disposing: true, disposed: true }

function twoStates(g) {
  if (g.states.length === 1 && g.head) g.states.push(g.head)
  else if (g.head || g.states.length !== 2) refuse('finding', 'finding', 'expected two states of the log')
  const [a, b] = g.states
  return a.size > b.size ? [b, a] : [a, b]
}

const rule = (records, checkpoints, events, consistency, check) => ({ records, checkpoints, events, consistency, check })
const RULES = {
  contradicted: rule([2, 2], [0, 0], [0, 0], false, (v, g, { records: [a, b] }) => {
    const place = g.records[0].number(20)
    if (a.in === 'receipt' && b.in === 'head' && place === b.leaf + 1 && !equal(a.record, b.record)) g.breach.push(`the log has something else at place ${place}`)
  }),
  misplaced: rule([1, 1], [0, 0], [0, 0], false, (v, g, { records: [a] }) => {
    const place = g.records[0].number(20)
    if (a.in === 'head' && place && place !== a.leaf + 1) g.breach.push(`at place ${a.leaf + 1} it names ${place}`)
  }),
  twice: rule([2, 2], [0, 0], [0, 0], false, (v, g, { records: [a, b] }) => {
    const [x, y] = g.records
    if (a.in === 'head' && b.in === 'head' && a.leaf < b.leaf && decides(x) && decides(y) && x.text(2) && x.text(2) === y.text(2) && x.number(3) === y.number(3)) {
      g.breach.push(`number ${x.number(3)} of agreement ${x.text(2)} is there twice`)
    }
  }),
  gap: rule([1, 2], [0, 0], [0, 0], false, (v, g, { records: [a, b] }) => {
    const [x, y] = g.records, seq = x.number(3), previous = x.number(21)
    if (a.in !== 'head' || !decides(x) || !x.text(2) || x.number(20) !== a.leaf + 1) return
    if (!b) {
      if (!previous && seq !== 1 || previous >= x.number(20)) g.breach.push(`number ${seq} of agreement ${x.text(2)} names no decision before it`)
    } else if (b.in === 'head' && previous === b.leaf + 1 && (!decides(y) || y.text(2) !== x.text(2) || y.number(3) + 1 !== seq)) {
      g.breach.push(`number ${seq} of agreement ${x.text(2)} follows no number ${seq - 1}`)
    }
  }),
  unanchored: rule([1, 1], [0, 0], [0, 1], false, (v, g, { records: [a] }) => {
    const x = g.records[0], place = a.in === 'head' ? a.leaf + 1 : x.number(20)
    let size, ms
    if (v.acts.length) {
      const e = v.acts[0]
      if (e.verb !== 'trace/anchor_head' || e.actor !== g.gateway || !/^(0|[1-9][0-9]{0,15})$/.test(e.note) || Number(e.note) > MAX_NUMBER) refuse('finding', 'events[0]', `it is no anchor of ${g.gateway}`)
      size = Number(e.note); ms = e.ms
    } else if (g.head && a.in === 'receipt') {
      size = g.head.size; ms = v.last.time.seconds * 1000 + Math.floor(v.last.time.nanos / 1e6)
    } else return
    if (place > size && ms > x.number(16) + RECEIPT_SLACK_MS) g.breach.push(`place ${place}, of ${clock(x.number(16))}, was not in the log of ${size} records at ${clock(ms)}`)
  }),
  outside: rule([1, 1], [0, 0], [0, 0], false, (v, g) => {
    const x = g.records[0], say = (s) => g.breach.push(s)
    if (!released(x)) return
    if (!x.text(2)) return say('no agreement')
    const p = v.pact(x), ms = x.number(16)
    if (x.text(7) !== p.asker) say(`asker ${x.text(7)}`)
    if (p.starts > ms + RECEIPT_SLACK_MS) say(`before ${clock(p.starts)}`)
    if (p.amended) return
    if (!p.gateways.includes(x.text(1))) say(`gateway ${x.text(1)}`)
    if (p.ends && ms >= p.ends + RECEIPT_SLACK_MS) say(`after ${clock(p.ends)}`)
    if (x.raw(23).length) return
    if (x.text(11) !== p.purpose) say('purpose')
    const asked = x.text(22)
    if (!asked && p.predicates.length) say('rows')
    if (asked && !p.predicates.some((q) => q.text(1) === asked && q.text(2) === x.text(8))) say(`predicate ${asked}`)
    const agreed = p.parts.get(x.text(8))
    if (!agreed) return say(`entry ${x.text(8)}`)
    for (const it of x.all(10)) if (!agreed.includes(it)) say(`item ${it}`)
  }),
  revoked: rule([1, 1], [0, 0], [1, 1], false, (v, g) => {
    const x = g.records[0], e = v.acts[0]
    if (!Object.hasOwn(STOPS, e.note) || !e.verb.startsWith('share/') || !e.objects.includes('share/agreement/' + x.text(2))) refuse('finding', 'events[0]', `it does not stop the agreement ${JSON.stringify(x.text(2))}`)
    const p = v.pact(x), final = STOPS[e.note]
    if (!released(x) || x.number(4) === 3 && x.number(18)) return
    const stale = p.stale ? p.stale * 1000 : 3600000, old = x.number(17) < e.height, late = x.number(16) > e.ms + stale + RECEIPT_SLACK_MS
    if (final && !old) g.breach.push(`on the state of height ${x.number(17)}, and it was ${e.note} at ${e.height}`)
    else if ((final || old) && late) g.breach.push(`at ${clock(x.number(16))} on the state of height ${x.number(17)}, and it was ${e.note} at ${e.height}, ${clock(e.ms)}`)
  }),
  counts: rule([1, 1], [0, 0], [0, 0], false, (v, g) => {
    const x = g.records[0], key = `share/delivery/${x.text(2)}/${String(x.number(18)).padStart(10, '0')}`, raw = v.object(key)
    if (!raw) refuse('finding', 'finding', `the file has no proof of ${key}`)
    let d = null
    try { d = scan(raw, false, { 1: 't', 2: 'n', 5: 'n', 6: 'n', 9: 't' }) } catch { /* told below */ }
    if (!d || d.text(1) !== x.text(2) || d.number(2) !== x.number(18)) refuse('finding', 'finding', `${key} is no delivery`)
    if ([2, 3].includes(d.number(5)) && x.number(4) === 3 && d.text(9) === x.text(1) && d.number(6) !== x.number(12)) g.breach.push(`${x.number(12)} rows, the ledger has ${d.number(6)}`)
  }),
  secrecy: rule([1, 1], [0, 0], [0, 0], false, (v, g, { records: [a] }) => {
    const x = g.records[0], at = x.number(16), who = x.text(2), say = (s) => g.breach.push(s)
    if (a.in !== 'head') return
    const { known, list } = v.orders(x), sealed = secretOf(x)
    if (x.number(4) === 5 || !who) return
    const span = (o) => `order ${o.n} of agreement ${who}`
    if (!sealed) {
      for (const o of list) if (decides(x) && at > o.from + RECEIPT_SLACK_MS && at + RECEIPT_SLACK_MS < o.end) say(`in the clear at ${clock(at)}, ${span(o)} holds from ${clock(o.from)} to ${clock(o.end)}`)
    } else if (sealed.number(1) > known) say(`sealed by order ${sealed.number(1)}, agreement ${who} has ${known}`)
    else if (sealed.number(1) <= list.length) {
      const o = list[sealed.number(1) - 1], until = lastOrder(list, o.n).unseal
      if (decides(x) && (at + RECEIPT_SLACK_MS < o.from || at >= o.end + RECEIPT_SLACK_MS)) say(`sealed at ${clock(at)}, ${span(o)} is from ${clock(o.from)} to ${clock(o.end)}`)
      if (sealed.number(2) > until) say(`sealed until ${clock(sealed.number(2))}, ${span(o)} says ${clock(until)}`)
    }
  }),
  unopened: rule([1, 1], [0, 0], [0, 0], false, (v, g, { records: [a] }) => {
    const x = g.records[0], sealed = secretOf(x), who = x.text(2)
    if (a.in !== 'head' || !sealed || x.number(4) === 5) return
    const { list } = v.orders(x), key = `trace/sequence/${who}/${g.gateway}`, raw = v.object(key), n = sealed.number(1)
    if (!raw) refuse('finding', 'finding', `the file has no proof of ${key}`)
    let s = null
    try { s = scan(raw, false, { 1: 't', 2: 't', 7: 'B' }) } catch { /* told below */ }
    if (!s || s.text(1) !== who || s.text(2) !== g.gateway) refuse('finding', 'finding', `${key} is no sequence`)
    if (n > list.length) return
    const o = lastOrder(list, n), due = o.lifted || o.unseal, now = v.last.time.seconds * 1000 + Math.floor(v.last.time.nanos / 1e6)
    for (const b of s.all(7)) {
      let k
      try { k = scan(b, false, { 2: 'n', 3: 'n', 4: 'n' }) } catch (e) { refuse('finding', 'finding', `${key}: ${e.message}`) }
      if (k.number(2) === n && k.number(4) < k.number(3) && now > due + RECEIPT_SLACK_MS) g.breach.push(`${k.number(4)} of ${k.number(3)} records of order ${n} of agreement ${who} are open at ${clock(now)}, all had to be at ${clock(due)}`)
    }
  }),
  'without-use': rule([1, 1], [0, 0], [0, 0], false, (v, g, { records: [a] }) => {
    const x = g.records[0], id = x.text(2), n = x.number(24), say = (s) => g.breach.push(s)
    if (!released(x) || !/^[0-9a-f]{32}$/.test(id)) return
    const read = (key, fields, is, what) => {
      const raw = v.object(key)
      if (!raw) refuse('finding', 'finding', `the file has no proof of ${key}`)
      let d = null
      try { d = scan(raw, false, fields) } catch { /* told below */ }
      if (!d || !is(d)) refuse('finding', 'finding', `${key} is no ${what}`)
      return d
    }
    const counted = read(`grant/grant/${id}`, { 1: 't', 41: 'n' }, (d) => d.text(1) === id, 'grant').number(41)
    if (n === 0) return say(`released under grant ${id} without a use`)
    if (n > counted) {
      const now = v.last.time.seconds * 1000 + Math.floor(v.last.time.nanos / 1e6)
      if (a.in === 'head' || now > x.number(16) + RECEIPT_SLACK_MS) say(`released as use ${n} of grant ${id}, the ledger has counted ${counted}`)
      return
    }
    const u = read(`grant/use/${id}/${String(n).padStart(10, '0')}`, { 1: 't', 2: 'n', 3: 't', 8: 'b', 9: 'n' }, (d) => d.text(1) === id && d.number(2) === n, 'use')
    if (u.text(3) !== g.gateway || !equal(u.raw(8), x.raw(14))) say(`released as use ${n} of grant ${id}, which was counted for another request`)
    else if (u.number(9) === 3 || u.number(9) === 4) say(`released as use ${n} of grant ${id}, which was given back`)
  }),
  forked: rule([0, 0], [1, 2], [0, 0], false, (v, g) => {
    const [a, b] = twoStates(g)
    if (a.size === b.size && !equal(a.root, b.root)) g.breach.push(`two roots of ${a.size} records`)
  }),
  rewritten: rule([0, 0], [1, 2], [0, 0], true, (v, g, f) => {
    const [older, newer] = twoStates(g)
    let holds = false
    try { holds = consistent(f.root[0], older.size, newer.root, newer.size, f.path) } catch (e) { refuse('finding', 'finding.path', e.message) }
    if (!holds) refuse('finding', 'finding.path', 'the path does not lead from that root to the newer state')
    if (older.size < newer.size && !equal(f.root[0], older.root)) g.breach.push(`the first ${older.size} of ${newer.size} records have another root`)
  }),
}

// ---- the steps (section 4) ----

class Verifier {
  constructor() { this.checks = []; this.signers = []; this.acts = [] }
  says(step, says) { this.checks.push({ step, says }) }
  said(name) { const i = this.c.statement.fields.indexOf(name); return i < 0 ? '' : this.c.statement.list[i].text ?? '' }

  run(file, wanted) {
    if (file.length > MAX_FILE) refuse('form', 'the file', `${file.length} bytes, at most ${MAX_FILE}`, TOO_LONG)
    let split = false
    try {
      const tree = new Parser(file).file()
      split = !!tree.fields && tree.fields.length > 0 && tree.list[0].text === 'mulian-split-v1'
      this.c = split ? readSplit(tree) : readContent(tree)
    } catch (e) {
      if (e instanceof RangeError || e instanceof TypeError) throw e // our own mistake
      const named = split || String.fromCharCode(...file.subarray(0, 100)).includes('mulian-proof-v1')
      refuse('form', 'the file', (split ? null : copied(file)) ?? (named ? e.message : `this is no proof file: its first lines do not name mulian-proof-v1 (${e.message})`), MALFORMED)
    }
    this.says('form', `${file.length} bytes in their one form`)
    this.checkGenesis(wanted)
    if (split) return this.runSplit()
    this.checkFrom()
    this.checkBlocks()
    this.checkState()
    this.checkObjects()
    this.checkEvents()
    this.checkTransactions()
    this.checkAccess()
    this.checkFinding()
    this.checkAbsence()
    this.checkUse()
    this.checkStatement()
  }

  // runSplit takes the steps of the evidence of a split view (section 9).
  runSplit() {
    const c = this.c, refused = (at, text) => refuse('finding', at, text)
    if (this.from && !c.blocks.length) refuse('trust', 'blocks', `expected the block ${this.from.height} of the checkpoint`)
    if (c.blocks.length) { this.checkFrom(); this.checkBlocks() }
    const keys = [...(this.from ? [] : this.g.validators), ...c.blocks.flatMap((b) => b.voters)].map((v) => v.key)
    this.origin = `mulian/${this.g.chain}/${this.genesis.slice(0, 16)}`
    this.states = c.notes.map((note, i) => this.attested(note, keys, `checkpoints[${i}]`))
    const [a, b] = this.states
    let breach = ''
    if (a.size > b.size || a.size === b.size && hex(a.root) > hex(b.root)) refused('checkpoints', 'the older one stands first, of one size the one with the lower root')
    if (a.size === b.size) {
      if (c.root.length || c.path.length) refused('path', 'checkpoints of one size need no path')
      if (!equal(a.root, b.root)) breach = `two roots of ${a.size} events`
    } else {
      let holds = false
      try { holds = c.root.length > 0 && consistent(c.root[0], a.size, b.root, b.size, c.path) } catch { /* told below */ }
      if (!holds) refused('path', 'the path does not lead from that root to the newer state')
      if (!equal(c.root[0], a.root)) breach = `the first ${a.size} of ${b.size} events have another root`
    }
    if (!breach) refused('checkpoints', 'both can be of one log')
    this.says('finding', breach)
    const want = object('kind', 'split', 'subject', this.origin, 'chain', this.g.chain, 'genesis', this.genesis, 'breach', breach,
      'states', items(this.states.map((s) => object('size', s.size, 'root', hex(s.root), 'validator', hex(s.by)))))
    const d = differ(want, c.statement, 'statement')
    if (d) refuse('statement', d.path, `expected ${d.want}, the file says ${d.got}`)
    this.split = true
  }

  attested(note, keys, at) {
    let lines = []
    try { lines = textOf(note).split('\n') } catch { /* told below */ }
    if (lines.length !== 6 || lines[3] !== '' || lines[5] !== '') refuse('finding', at, 'it is no checkpoint of three lines with one signature')
    const begin = `— ${this.origin} `
    let size, root, sig
    try {
      size = asNumber(text(lines[1]), at, 1, MAX_NUMBER)
      root = asBase(text(lines[2]), at)
      sig = asBase(text(lines[4].startsWith(begin) ? lines[4].slice(begin.length) : ''), at)
    } catch { root = sig = new Uint8Array(0) }
    if (lines[0] !== this.origin || root.length !== 32 || sig.length !== 68) refuse('finding', at, `it is no checkpoint of ${JSON.stringify(this.origin)} by its key`)
    const key = keys.find((k) => equal(sha256(concat(utf8(this.origin + '\n\x01'), k)).subarray(0, 4), sig.subarray(0, 4)))
    if (!key) refuse('key', at, 'it is signed by no validator that the file shows', NOT_WHITELISTED)
    if (!VOTES.verify(key, utf8(lines.slice(0, 3).join('\n') + '\n'), sig.subarray(4))) refuse('signature', at, `the signature is not that of validator ${hex(key)}`, BAD_AUTHORISATION)
    this.says('signature', `${size} events, root ${hex(root)}, by validator ${hex(key)}`)
    return { size, root, by: key }
  }

  checkGenesis(wanted) {
    const got = hex(sha256(this.c.genesis))
    if (got !== wanted) refuse('genesis', 'genesis', `expected the genesis ${wanted}, the file has ${got}`, WRONG_CHAIN)
    try { this.g = scanGenesis(this.c.genesis) } catch (e) { refuse('genesis', 'genesis', e.message) }
    this.genesis = got
    this.says('genesis', `${got}, chain ${this.g.chain}, ${this.g.validators.length} validators`)
  }

  checkFrom() {
    const from = this.from, b = this.c.blocks[0]
    if (!from) return
    if (from.chain !== this.g.chain) refuse('genesis', 'genesis', `expected the chain ${JSON.stringify(from.chain)} of the checkpoint, the genesis is that of ${JSON.stringify(this.g.chain)}`, WRONG_CHAIN)
    if (b.height !== from.height || hex(b.hash) !== from.hash) refuse('trust', 'blocks[0]', `expected the block ${from.height} of the checkpoint, ${from.hash}; this is block ${b.height}, ${hex(b.hash)}`)
    this.says('trust', `checkpoint: block ${from.height}, ${from.hash}`)
  }

  checkBlocks() {
    const trust = { height: 0, set: this.g.validators, next: null, kept: this.from ?? null }
    this.c.blocks.forEach((b, i) => {
      const at = `blocks[${i}]`
      if (i && b.height <= this.c.blocks[i - 1].height) refuse('header', at + '.height', `blocks ascend, and ${b.height} follows ${this.c.blocks[i - 1].height}`)
      const before = i ? this.c.blocks[i - 1].time : null
      if (before && (b.time.seconds - before.seconds || b.time.nanos - before.nanos) <= 0) refuse('header', at + '.time', `blocks ascend in time, and ${b.time.text} follows ${before.text}`)
      this.checkBlock(trust, b, at)
    })
    this.last = this.c.blocks[this.c.blocks.length - 1]
    if (this.last.appHash.length !== 32) refuse('header', `blocks[${this.c.blocks.length - 1}].app_hash`, 'the block carries no state')
    this.checkSM2()
  }

  checkBlock(trust, b, at) {
    const hash = headerHash(b, this.g.chain)
    if (!equal(hash, b.hash)) refuse('header', at + '.hash', `expected ${hex(hash)}, the hash of these fields on the chain ${this.g.chain}, the file says ${hex(b.hash)}`)
    const set = setHash(b.voters)
    if (!equal(set, b.validatorsHash)) refuse('validators', at + '.validators', `expected the set ${hex(b.validatorsHash)} that the header names, this is ${hex(set)}`)
    const keys = new Set()
    b.voters.forEach((v, i) => {
      if (!v.sig.length) return
      if (!VOTES.verify(v.key, voteBytes(b, this.g.chain, v.at), v.sig)) refuse('commit', at + '.validators', `header refused: the signature of validator ${hex(sha256(v.key).subarray(0, 20))} does not hold`)
      if (keys.has(hex(v.key))) refuse('commit', at + '.validators', `header refused: validator ${i} stands twice in the set`)
      keys.add(hex(v.key))
    })
    const total = (list, has) => list.reduce((n, v) => has(v) ? n + BigInt(v.power) : n, 0n), signed = (v) => keys.has(hex(v.key))
    const own = total(b.voters, signed), all = total(b.voters, () => true)
    if (own * 3n <= all * 2n) refuse('commit', at + '.validators', `header refused: signed by ${own} of ${all} voting power, more than 2/3 are needed`)
    if (trust.kept) {
      if (b.height !== trust.kept.height || hex(b.validatorsHash) !== trust.kept.validators) refuse('trust', at, `header refused: it is not the block ${trust.kept.height} of the checkpoint`)
    } else if (trust.height > 0 && b.height === trust.height + 1) {
      if (!equal(b.validatorsHash, trust.next)) refuse('trust', at, 'header refused: its validators are not those that the header before names')
    } else {
      const old = total(trust.set, signed), whole = total(trust.set, () => true)
      if (old * 3n <= whole) refuse('trust', at, `header refused: signed by ${old} of ${whole} voting power of the validators trusted so far, more than 1/3 are needed`)
    }
    trust.height = b.height; trust.set = b.voters; trust.next = b.nextHash; trust.kept = null
    this.power = `${total(b.voters, (v) => v.sig.length)} of ${all}`
    this.says('commit', `block ${b.height}, ${hex(b.hash)}, signed by ${this.power} of the voting power`)
  }

  checkSM2() {
    this.sm2 = 'none'
    let some = 0n, all = 0n
    this.c.blocks.forEach((b, i) => b.voters.forEach((v, j) => {
      if (b === this.last) all += BigInt(v.power)
      if (!v.sm2.length) return
      const at = `blocks[${i}].validators[${j}].sm2`, pin = this.g.validators.find((x) => equal(x.key, v.key))?.sm2
      if (b !== this.last || !pin?.length) refuse('sm2', at, 'the genesis pins no key for it, or the block is not the last one')
      if (!ALGORITHMS[1].verify(pin, frame('mulian/vote/v1', utf8(this.g.chain), bigEndian(b.height), b.hash), v.sm2)) refuse('sm2', at, 'the signature is not that of the key that the genesis pins')
      some += BigInt(v.power)
    }))
    if (!some) return
    this.sm2 = `${some} of ${all}`
    if (some * 3n <= all * 2n) refuse('sm2', `blocks[${this.c.blocks.length - 1}].validators`, `signed with SM2 by ${this.sm2} voting power, more than 2/3 are needed`)
    this.says('sm2', `block ${this.last.height}, signed with SM2 by ${this.sm2} of the voting power`)
  }

  checkState() {
    const c = this.c, hash = sha256(concat(utf8('mulian-state-v1'), c.treeRoot, c.logRoot, bigEndian(c.logSize)))
    if (!equal(hash, this.last.appHash)) refuse('state', 'state', `expected the app hash ${hex(this.last.appHash)} of block ${this.last.height}, the roots give ${hex(hash)}`)
    this.says('state', `tree ${hex(c.treeRoot)}, log of ${c.logSize} events`)
  }

  checkObjects() {
    this.state = new Map()
    this.used = new Set()
    this.c.objects.forEach((o, i) => {
      const at = `objects[${i}]`
      if (this.state.has(o.key)) refuse('object', at + '.key', `${o.key} is there twice`)
      this.state.set(o.key, i)
      try { this.climb(o) } catch (e) { refuse('object', at, `${o.key}: ${e.message}`) }
      this.says('object', `${o.key}, ${o.value.length} bytes, ${o.depth} levels down`)
    })
  }
  climb(o) {
    const key = sha256(utf8(o.key))
    this.climbFrom(o, key, sha256(concat(Uint8Array.of(0), key, sha256(o.value))))
  }
  climbFrom(o, key, h) {
    let left = o.siblings.length
    if (o.bitmap.length !== Math.ceil(o.depth / 8)) malformed(`proof refused: bitmap of ${o.bitmap.length} bytes for depth ${o.depth}`)
    for (let d = 8 * o.bitmap.length - 1; d >= 0; d--) {
      const set = o.bitmap[d >> 3] & 0x80 >> d % 8
      if (d >= o.depth) {
        if (set) malformed('proof refused: the bitmap goes deeper than the proof')
        continue
      }
      let sibling = new Uint8Array(32)
      if (set) {
        if (--left < 0) malformed('proof refused: siblings are missing')
        sibling = o.siblings[left]
        if (sibling.every((b) => !b)) malformed('proof refused: an empty sibling is written out')
      }
      h = key[d >> 3] >> 7 - d % 8 & 1 ? inner(sibling, h) : inner(h, sibling)
    }
    if (left) malformed(`proof refused: ${left} siblings too many`)
    if (!equal(h, this.c.treeRoot)) malformed('proof refused: the siblings lead to another tree root')
  }

  checkAbsence() {
    const a = this.c.absence
    if (!a) return
    try {
      const key = sha256(utf8(a.key))
      let start = new Uint8Array(32)
      if (a.other.length) {
        if (equal(a.other, key)) malformed("proof refused: the other leaf is the key's own")
        let common = 0
        while ((a.other[common >> 3] >> 7 - common % 8 & 1) === (key[common >> 3] >> 7 - common % 8 & 1)) common++
        if (common < a.depth) malformed("proof refused: the other leaf does not stand in the key's place")
        start = sha256(concat(Uint8Array.of(0), a.other, a.value))
      }
      this.climbFrom(a, key, start)
    } catch (e) { refuse('object', 'absence', `${a.key}: ${e.message}`) }
    this.says('object', `${a.key} is not there, ${a.depth} levels down`)
  }

  checkEvents() {
    this.c.events.forEach((e, i) => {
      const at = `events[${i}]`
      if (i && e.seq <= this.c.events[i - 1].seq) refuse('event', at + '.seq', `events ascend, and ${e.seq} follows ${this.c.events[i - 1].seq}`)
      try {
        if (!equal(rootOf(leafHash(e.event), e.seq, this.c.logSize, e.path), this.c.logRoot)) malformed('proof refused: it belongs to another log root')
      } catch (x) { refuse('event', at, `event ${e.seq}: ${x.message}`) }
      let act
      try { act = scanEvent(e.event) } catch (x) { refuse('event', at + '.event', x.message) }
      if (act.height >= this.last.height) refuse('event', at + '.event', `it is of height ${act.height}, the state of ${this.last.height - 1}`)
      this.acts.push(act)
      this.says('event', `${e.seq}: ${act.verb} by ${act.actor} at height ${act.height}`)
    })
  }

  object(key) {
    const i = this.state.get(key)
    if (i === undefined) return null
    this.used.add(i)
    return this.c.objects[i].value
  }

  registered(account, id, at) {
    const dropped = `identity/retired_key/${account}/${id}`, raw = this.object(dropped)
    if (raw) {
      let k = null
      try { k = scanKey(raw) } catch { /* told below */ }
      return k?.id === id ? k : refuse('key', at, `${dropped} is not the key ${id}`)
    }
    const name = 'identity/account/' + account, value = this.object(name)
    if (!value) refuse('key', at, `the file has no proof of ${name}`, NOT_WHITELISTED)
    let a = null
    try { a = scanAccount(value) } catch { /* told below */ }
    if (a?.id !== account) refuse('key', at, `${name} is not that account`)
    return a.keys.find((k) => k.id === id) ?? refuse('key', at, `${account} has no key ${JSON.stringify(id)}`, NOT_WHITELISTED)
  }

  checkSigned({ account, key, as, message, sig, tx = null, ms, slack = 0, at }) { // tx: id, null for a receipt
    const k = this.registered(account, key, at)
    if (ms + slack < k.added || k.revoked && ms > k.revoked + slack || k.ends && ms >= k.ends + slack) {
      refuse('key', at, `key ${k.id} of ${account} was not valid at ${clock(ms)}`, KEY_REVOKED)
    }
    const device = k.algorithm === 4 && tx ? PASSKEY : null
    const alg = device ?? (Object.hasOwn(ALGORITHMS, k.algorithm) ? ALGORITHMS[k.algorithm] : null) ?? refuse('key', at, `key ${k.id} of ${account} has the algorithm ${k.algorithm}`)
    const known = device && deviceOf(k.passkey)
    if (device && !known || !alg.usable(k.public) || hex(alg.hash(concat(Uint8Array.of(k.algorithm), k.public)).subarray(0, 8)) !== k.id) refuse('key', at, `key ${k.id} of ${account} is no public key`)
    if (!(device ? asserted(k.public, known, tx, sig) : alg.verify(k.public, message, sig))) refuse('signature', at, `the signature is not that of key ${k.id} of ${account} over these bytes`, BAD_AUTHORISATION)
    if (k.revoked > MAX_MS) refuse('key', at, `key ${k.id} of ${account} was revoked at no time`)
    this.signers.push({ account, as, key: k.id, algorithm: alg.name, state: k.revoked ? 'revoked ' + clock(k.revoked) : 'active' })
    this.says('signature', `${account}, as ${as}, with ${alg.name} key ${k.id}`)
  }

  checkTransactions() {
    let before = -1
    this.c.sealed.forEach((x, i) => {
      const at = `transactions[${i}]`, b = this.bodyOf(x, at)
      let first = -1
      this.acts.forEach((e, j) => {
        if (!equal(e.tx, x.id)) return
        if (first < 0) first = j
        const by = this.acts[first].actor, seq = this.c.events[j].seq
        if (e.actor !== by) refuse('transaction', at, `event ${seq} is by ${e.actor}, event ${this.c.events[first].seq} of the same transaction by ${by}`)
        if (b && (e.actor !== b.account || e.message >= b.messages)) refuse('transaction', at, `event ${seq} is of message ${e.message} by ${e.actor}, the transaction has ${b.messages} by ${b.account}`)
      })
      if (first <= before) refuse('transaction', at, `no event before the next transaction's has the id ${hex(x.id)}`)
      before = first
      this.says('transaction', b ? `${hex(x.id)}, ${x.body.length} bytes` : `${hex(x.id)}, its body is not in the file`)
      const { actor, verb, ms } = this.acts[first]
      this.checkSigned({ account: actor, key: x.key, as: verb, message: concat(utf8('mulian-tx-sign-v1\0'), x.id), sig: x.sig, tx: x.id, ms, at })
    })
  }

  bodyOf(x, at) { // null: left out
    if (!x.body.length) return null
    let b
    try { b = scanBody(x.body) } catch (e) { refuse('transaction', at + '.body', e.message) }
    if (b.chain !== this.g.chain) refuse('transaction', at + '.body', `made for the chain ${JSON.stringify(b.chain)}, not ${JSON.stringify(this.g.chain)}`, WRONG_CHAIN)
    const id = sha256(concat(utf8('mulian-tx-v1\0'), x.body))
    if (!equal(id, x.id)) refuse('transaction', at + '.body', `expected the body of ${hex(x.id)}, this is that of ${hex(id)}`)
    return b
  }

  checkAccess() {
    const a = this.c.access
    if (!a) return
    try { this.record = scanRecord(a.record) } catch (e) { refuse('record', 'access.record', e.message) }
    const r = this.record, gateway = r.text(1), asker = r.text(7)
    this.says('record', `${OUTCOMES[r.number(4)]} of ${r.text(8)} by ${asker}`)
    const raw = this.object('trace/head/' + gateway)
    if (!raw) refuse('log', 'access.record', `the file has no proof of trace/head/${gateway}`)
    let head = null
    try { head = scanHead(raw) } catch { /* told below */ }
    if (head?.gateway !== gateway) refuse('log', 'access.record', `trace/head/${gateway} is no head of a log`)
    let got
    try { got = rootOf(leafHash(a.record), a.leaf, head.size, a.path) } catch (e) { refuse('log', 'access.path', e.message) }
    if (!equal(got, head.root)) refuse('log', 'access.path', `expected the root ${hex(head.root)} of ${head.size} records that the ledger has, the path leads to ${hex(got)}`)
    this.leaves = head.size
    this.says('log', `record ${a.leaf} of ${head.size}, root ${hex(head.root)}`)
    this.checkReceipt(a, r, 'access')
  }

  checkReceipt(a, r, at) {
    for (const [as, account] of [['provider', r.text(1)], ['consumer', r.text(7)]]) {
      const { key, sig } = a[as], place = `${at}.${as}_signature`
      if (key === '' && !sig.length) continue
      this.checkSigned({ account, key, as, ...unbatch(a.record, sig, place), ms: r.number(16), slack: RECEIPT_SLACK_MS, at: place })
    }
  }

  checkFinding() {
    const f = this.c.finding
    if (!f) return
    const s = Object.hasOwn(RULES, f.rule) ? RULES[f.rule] : refuse('finding', 'finding.rule', `this verifier does not know the rule ${JSON.stringify(f.rule)}`)
    const fits = (n, [least, most]) => n >= least && n <= most
    if (!fits(f.records.length, s.records) || !fits(f.checkpoints.length, s.checkpoints) || !fits(this.acts.length, s.events) || this.c.sealed.length ||
      s.consistency !== f.root.length > 0 || !s.consistency && f.path.length) refuse('finding', 'finding', `the parts are not those of the rule ${f.rule}`)
    const g = this.charge = { gateway: this.said('subject'), records: [], states: [], head: null, breach: [] }
    this.leaves = 0
    if (f.records.length) try { g.gateway = scanRecord(f.records[0].record).text(1) } catch (e) { refuse('record', 'finding.records[0].record', e.message) }
    const raw = this.object('trace/head/' + g.gateway)
    if (raw) {
      let head = null
      try { head = scanHead(raw) } catch { /* told below */ }
      if (head?.gateway !== g.gateway) refuse('log', 'finding', `trace/head/${g.gateway} is no head of a log`)
      g.head = { by: 'ledger', size: head.size, root: head.root }
      this.leaves = head.size
    }
    f.records.forEach((c, i) => this.checkClaimed(g, c, `finding.records[${i}]`))
    f.checkpoints.forEach((b, i) => g.states.push(this.checkNote(g.gateway, b, `finding.checkpoints[${i}]`)))
    s.check(this, g, f)
    if (!g.breach.length) refuse('finding', 'finding', `what the file shows is no breach of the rule ${f.rule}`)
    this.says('finding', `${f.rule}: ${g.breach.join(', ')}`)
  }

  checkClaimed(g, c, at) {
    let r
    try { r = scanRecord(c.record) } catch (e) { refuse('record', at + '.record', e.message) }
    g.records.push(r)
    this.says('record', `${OUTCOMES[r.number(4)]} of ${r.text(8)} by ${r.text(7)}`)
    if (c.in === 'receipt') {
      if (c.provider.key === '' || c.leaf || c.path.length || r.text(1) !== g.gateway) refuse('record', at, `a receipt is signed by the gateway ${g.gateway}, and has no place but the one that it names`)
    } else {
      if (!g.head) refuse('log', at, `the file has no proof of trace/head/${g.gateway}`)
      let got
      try { got = rootOf(leafHash(c.record), c.leaf, g.head.size, c.path) } catch (e) { refuse('log', at + '.path', e.message) }
      if (!equal(got, g.head.root)) refuse('log', at + '.path', `expected the root ${hex(g.head.root)} of ${g.head.size} records that the ledger has, the path leads to ${hex(got)}`)
      this.says('log', `record ${c.leaf} of ${g.head.size}, root ${hex(g.head.root)}`)
    }
    this.checkReceipt(c, r, at)
  }

  checkNote(gateway, note, at) {
    const name = 'identity/account/' + gateway, raw = this.object(name)
    if (!raw) refuse('key', at, `the file has no proof of ${name}`, NOT_WHITELISTED)
    let log
    try { log = scanLogKeys(raw, gateway) } catch (e) { refuse('key', at, `${name} has no key of a log: ${e.message}`) }
    let lines = []
    try { lines = textOf(note).split('\n') } catch { /* told below */ }
    if (lines.length !== 6 || lines[3] !== '' || lines[5] !== '') refuse('finding', at, 'it is no checkpoint of three lines with one signature')
    const bad = () => refuse('finding', at, `it is no checkpoint of ${JSON.stringify(log.origin)} by its key`), begin = `— ${log.origin} `
    let size, root, sig
    try {
      size = asNumber(text(lines[1]), at, 0, MAX_NUMBER)
      root = asBase(text(lines[2]), at)
      sig = lines[4].startsWith(begin) ? asBase(text(lines[4].slice(begin.length)), at) : new Uint8Array(0)
    } catch { bad() }
    const hashOf = (k) => sha256(concat(utf8(log.origin + '\n\x01'), k))
    const key = log.keys.findLast((k) => sig.length === 68 && equal(sig.subarray(0, 4), hashOf(k.key).subarray(0, 4)) && k.from <= size && (!k.until || size < k.until))?.key ?? log.keys[0].key
    if (!ALGORITHMS[3].usable(key)) refuse('key', at, `${name} has no key of a log`)
    const hash = hashOf(key)
    if (lines[0] !== log.origin || log.origin.includes(' ') || root.length !== 32 || sig.length !== 68 || !equal(sig.subarray(0, 4), hash.subarray(0, 4))) bad()
    if (!verifyEd25519(key, utf8(lines.slice(0, 3).join('\n') + '\n'), sig.subarray(4))) refuse('signature', at, "the signature is not that of the log's key", BAD_AUTHORISATION)
    this.says('log', `checkpoint of ${log.origin}: ${size} records, root ${hex(root)}`)
    return { by: 'checkpoint', size, root }
  }

  pact(x) {
    const key = 'share/agreement/' + x.text(2), raw = this.object(key)
    if (!raw) refuse('finding', 'finding', `the file has no proof of ${key}`)
    let p = null
    try { p = scanPact(raw) } catch { /* told below */ }
    return p?.id === x.text(2) ? p : refuse('finding', 'finding', `${key} is no agreement`)
  }

  orders(x) {
    const key = 'share/agreement/' + x.text(2), raw = this.object(key), name = 'trace/secrecy/' + x.text(2)
    if (!raw) refuse('finding', 'finding', `the file has no proof of ${key}`)
    let p = null
    try { p = scan(raw, false, { 1: 't', 33: 'n' }) } catch { /* told below */ }
    if (p?.text(1) !== x.text(2)) refuse('finding', 'finding', `${key} is no agreement`)
    if (!p.number(33)) return { known: 0, list: [] }
    const orders = this.object(name)
    if (!orders) refuse('finding', 'finding', `the file has no proof of ${name}`)
    try { return { known: p.number(33), list: scanOrders(orders, x.text(2)) } } catch (e) { refuse('finding', 'finding', `${name} has no orders: ${e.message}`) }
  }

  checkUse() {
    this.c.objects.forEach((o, i) => {
      if (!this.used.has(i) && (i || this.said('kind') !== 'object')) refuse('object', `objects[${i}]`, `nothing rests on ${o.key}`)
    })
  }

  checkStatement() {
    this.checkSubject()
    const d = differ(this.derive(), this.c.statement, 'statement')
    if (d) refuse('statement', d.path, `expected ${d.want}, the file says ${d.got}`)
    this.says('statement', `${lines(this.c.statement)} lines follow from what is proved`)
  }

  checkSubject() {
    const c = this.c, kind = this.said('kind'), subject = this.said('subject')
    if (kind === 'access' !== !!c.access) refuse('statement', 'statement.kind', `${JSON.stringify(kind)}, and the file has an access: ${!!c.access}`)
    if (kind === 'finding' !== !!c.finding) refuse('statement', 'statement.kind', `${JSON.stringify(kind)}, and the file has a finding: ${!!c.finding}`)
    if (kind === 'absence' !== !!c.absence) refuse('statement', 'statement.kind', `${JSON.stringify(kind)}, and the file has an absence: ${!!c.absence}`)
    if (kind === 'absence') {
      if (this.acts.length || c.sealed.length) refuse('statement', 'events', 'what is not there has no acts')
      if (subject !== c.absence.key) refuse('statement', 'statement.subject', `expected ${JSON.stringify(c.absence.key)}, the file says ${JSON.stringify(subject)}`)
    } else if (kind === 'finding') {
      if (subject !== this.charge.gateway) refuse('statement', 'statement.subject', `expected ${JSON.stringify(this.charge.gateway)}, the file says ${JSON.stringify(subject)}`)
    } else if (kind === 'object' || kind === 'access') {
      if (!c.objects.length || kind === 'access' && c.objects[0].key !== 'trace/head/' + this.record.text(1)) refuse('statement', 'statement.subject', 'the first object is not its own')
      const own = kind === 'access' ? `${this.record.text(1)}:${c.access.leaf}` : c.objects[0].key
      if (subject !== own) refuse('statement', 'statement.subject', `expected ${JSON.stringify(own)}, the file says ${JSON.stringify(subject)}`)
      this.acts.forEach((x, i) => { if (!x.objects.includes(c.objects[0].key)) refuse('statement', `events[${i}]`, `it does not touch ${c.objects[0].key}`) })
    } else if (kind === 'event') {
      if (c.events.length !== 1 || String(c.events[0].seq) !== subject) refuse('statement', 'statement.subject', `expected the number of the one event, the file says ${JSON.stringify(subject)}`)
    } else if (kind === 'transaction') {
      this.acts.forEach((x, i) => { if (hex(x.tx) !== subject) refuse('statement', `events[${i}]`, `it is not of the transaction ${JSON.stringify(subject)}`) })
      if (!this.acts.length || c.sealed.length !== 1 || utf8(subject).length !== 64) refuse('statement', 'statement.subject', 'expected one transaction and its events')
    } else refuse('statement', 'statement.kind', `expected object, absence, event, transaction, access or finding, the file says ${JSON.stringify(kind)}`)
  }

  derive() {
    const b = this.last
    const pairs = ['kind', this.said('kind'), 'subject', this.said('subject'), 'chain', this.g.chain, 'genesis', this.genesis, 'height', b.height - 1,
      'time', b.time.text, 'block', hex(b.hash), 'power', this.power, 'sm2', this.sm2]
    if (this.record) pairs.push('record', recordNode(this.record), 'log_size', this.leaves)
    const g = this.charge
    if (g) {
      pairs.push('rule', this.c.finding.rule, 'breach', items(g.breach.map(text)), 'records', items(g.records.map(recordNode)),
        'states', items(g.states.map((s) => object('by', s.by, 'size', s.size, 'root', hex(s.root)))), 'log_size', this.leaves)
    }
    return object(...pairs,
      'acts', items(this.acts.map((e) => object('verb', e.verb, 'actor', e.actor, 'height', e.height, 'time', clock(e.ms), 'transaction', hex(e.tx),
        'message', e.message, 'objects', items(e.objects.map(text)), 'note', e.note))),
      'signers', items(this.signers.map((s) => object('account', s.account, 'as', s.as, 'key', s.key, 'algorithm', s.algorithm, 'state', s.state))))
  }

  report() {
    if (this.split) {
      return {
        ok: true, code: 0, reason: '', milliseconds: 0, kind: 'split', object: this.origin, chain: this.g.chain, genesis: this.genesis,
        ...(this.from ? { checkpoint: this.from.height } : {}), checks: this.checks, statement: plain(this.c.statement),
      }
    }
    const b = this.last
    const r = {
      ok: true, code: 0, reason: '', milliseconds: 0, kind: this.said('kind'), object: this.said('subject'), chain: this.g.chain, genesis: this.genesis,
      height: b.height - 1, time: b.time.text, power: this.power, sm2: this.sm2, signers: this.signers, ...(this.from ? { checkpoint: this.from.height } : {}), checks: this.checks, statement: plain(this.c.statement),
    }
    for (const name of ['chain', 'height']) if (!r[name]) delete r[name]
    if (!r.signers.length) delete r.signers
    // For programs beside this one, not in its JSON: the proved value, and who voted.
    if (r.kind === 'object') Object.defineProperty(r, 'value', { value: this.c.objects[0].value })
    Object.defineProperty(r, 'validators', { value: b.voters.map((v) => ({ key: hex(v.key), power: v.power, signed: v.sig.length > 0, sm2: v.sm2.length > 0 })) })
    return r
  }
}

function recordNode(r) {
  const places = r.number(20) ? ['place', r.number(20), 'previous', r.number(21)] : []
  if (r.text(22)) places.push('predicate', r.text(22))
  if (r.number(24)) places.push('use', r.number(24))
  const s = secretOf(r)
  if (s) places.push('sealed', object('order', s.number(1), 'until', clock(s.number(2)), 'bytes', hex(r.raw(23))))
  return object('gateway', r.text(1), 'agreement', r.text(2), 'seq', r.number(3), 'outcome', OUTCOMES[r.number(4)], 'code', r.number(5),
    'request_id', r.text(6), 'asker', r.text(7), 'entry', r.text(8), 'entry_version', r.number(9), 'items', items(r.all(10).map(text)),
    'purpose', r.text(11), 'rows', r.number(12), 'bytes', r.number(13), 'request_hash', hex(r.raw(14)), 'response_hash', hex(r.raw(15)), 'at', clock(r.number(16)),
    'view_height', r.number(17), 'delivery', r.number(18), 'pseudonym', hex(r.raw(19)), ...places)
}

const kindOf = (n) => n.fields ? 'an object' : n.list ? 'a list' : 'a text'

// copied tells how a program that copied or saved the file has changed it, null if it has not.
function copied(file) {
  const begins = (...b) => b.every((x, i) => file[i] === x), ends = (...b) => b.every((x, i) => file[file.length - b.length + i] === x)
  if (begins(0xef, 0xbb, 0xbf)) return 'an editor or a copy has put a byte order mark before it: get the original, and copy it as it is'
  if (begins(0xff, 0xfe) || begins(0xfe, 0xff)) return 'an editor or a copy has turned it into UTF-16: get the original, and copy it as it is'
  if (begins(123, 13, 10)) return 'an editor or a copy has turned its line feeds into those of Windows (CR LF): get the original, and copy it as it is'
  if (begins(123, 10) && !ends(125, 10) && !ends(125, 10, 10) && !ends(10, 125)) return 'it ends in the middle: it was not copied to its end'
  if (ends(125, 10, 10) || ends(10, 125)) return 'an editor or a copy has added or taken away a line feed at its end: get the original, and copy it as it is'
  return null
}

// differ returns the first place where two trees differ, null if there is none.
function differ(want, got, path) {
  if (kindOf(want) !== kindOf(got)) return { path, want: kindOf(want), got: kindOf(got) }
  if (want.text !== got.text) return { path, want: JSON.stringify(want.text), got: JSON.stringify(got.text) }
  for (let i = 0; i < (want.list ?? []).length; i++) {
    let at = `${path}[${i}]`
    if (want.fields) {
      at = `${path}.${want.fields[i]}`
      if (got.fields[i] !== want.fields[i]) return { path: at, want: 'the field', got: 'something else' }
    }
    if (i >= got.list.length) return { path: at, want: kindOf(want.list[i]), got: 'nothing' }
    const d = differ(want.list[i], got.list[i], at)
    if (d) return d
  }
  if ((want.list ?? []).length < (got.list ?? []).length) return { path, want: `${want.list.length} values`, got: `${got.list.length}` }
  return null
}

// lines counts the lines that a tree takes in the file's form.
function lines(n) {
  if (!n.list) return 1
  return n.list.length ? n.list.reduce((sum, v) => sum + lines(v), 2) : 1
}

// plain turns a tree into values for programs. Its names are ours: the tree was
// compared with one that we made.
function plain(n) {
  if (n.fields) return Object.fromEntries(n.fields.map((f, i) => [f, plain(n.list[i])]))
  return n.list ? n.list.map(plain) : n.text
}

// verify checks a file (Uint8Array) with the hash of the genesis that the caller
// trusts (64 lower-case hex digits), and returns the report.
export function verify(file, genesisHash) {
  if (!/^[0-9a-f]{64}$/.test(genesisHash)) throw new TypeError('the genesis hash has 64 lower-case hexadecimal digits')
  return judge(file, genesisHash, null)
}

// verifyFrom checks a file that begins at a checkpoint which the caller trusts: its text.
export function verifyFrom(file, text) {
  const from = checkpointOf(text)
  return judge(file, from.genesis, from)
}

// checkpointOf reads the six lines of a checkpoint (section 4.5).
export function checkpointOf(text) {
  const m = /^mulian-checkpoint-v1\nchain ([^\n]+)\ngenesis ([0-9a-f]{64})\nheight ([1-9][0-9]{0,15})\nblock ([0-9a-f]{64})\nvalidators ([0-9a-f]{64})\n$/.exec(text)
  if (!m || utf8(text).length > MAX_CHECKPOINT || Number(m[3]) > MAX_NUMBER) throw new TypeError('this is no checkpoint: it has six lines, and the first one is mulian-checkpoint-v1')
  return { chain: m[1], genesis: m[2], height: Number(m[3]), hash: m[4], validators: m[5] }
}

function judge(file, genesisHash, from) {
  const began = performance.now(), v = new Verifier()
  v.from = from
  let report
  try {
    v.run(file, genesisHash)
    report = v.report()
  } catch (e) {
    if (!(e instanceof Refusal)) throw e
    report = { ok: false, code: e.code, reason: e.message, step: e.step, field: e.field, milliseconds: 0 }
    if (v.checks.length) report.checks = v.checks
  }
  report.milliseconds = Math.round((performance.now() - began) * 1000) / 1000
  return report
}

// remember makes the checking of many files quick that have blocks and signers in common:
// what a signature came to is kept, by key, message and signature, of the latest ten thousand.
export function remember() {
  const known = new Map()
  for (const alg of Object.values(ALGORITHMS)) {
    const plainly = alg.verify
    alg.verify = (...args) => {
      const key = alg.name + args.map(String).join('|')
      if (known.size > 10000) known.clear()
      if (!known.has(key)) known.set(key, plainly(...args))
      return known.get(key)
    }
  }
}

// genesisHash returns the hash of a genesis file after checking that each founder
// has signed it with a ROOT key that it names. Whether it is the right one, the reader
// has to know.
export function genesisHash(file) {
  const f = scan(file, true, { 1: 'b', 2: 'B' }), raw = f.raw(1), message = concat(utf8('mulian-genesis-v1\0'), raw)
  const signatures = f.all(2).map((s) => scan(s, true, { 1: 't', 2: 't', 3: 'b' }))
  const founders = scan(raw, false, { 3: 'B' }).all(3)
  if (!founders.length) throw new Error('a genesis has at least one founder')
  for (const b of founders) {
    const founder = scan(b, false, { 1: 't', 3: 'B' })
    const keys = founder.all(3).map((k) => ({ ...scanKey(k), level: scan(k, false, { 4: 'n' }).number(4) }))
    const holds = signatures.some((s) => s.text(1) === founder.text(1) && keys.some((k) => {
      const alg = Object.hasOwn(ALGORITHMS, k.algorithm) ? ALGORITHMS[k.algorithm] : null
      return alg && k.level === 3 && k.id === s.text(2) && alg.usable(k.public) && alg.verify(k.public, message, s.raw(3))
    }))
    if (!holds) throw new Error(`the genesis is not signed by its founder ${founder.text(1)}`)
  }
  return hex(sha256(raw))
}

// ---- the command line ----

async function main(args) {
  const fs = await import('node:fs')
  const usage = 'usage: node mulian-verify.mjs FILE --genesis GENESIS | --genesis-hash HEX | --checkpoint CHECKPOINT'
  if (args[0] === '--batch') return batch()
  args = args.filter((a) => a !== '--json') // it prints nothing else
  const flag = (name) => { const i = args.indexOf(name); return i < 0 ? undefined : args.splice(i, 2)[1] }
  const genesis = flag('--genesis'), checkpoint = flag('--checkpoint')
  let hash = flag('--genesis-hash')
  if (args.length !== 1 || [genesis, hash, checkpoint].filter((x) => x).length !== 1 || hash && !/^[0-9a-fA-F]{64}$/.test(hash)) {
    console.error(usage)
    return 2
  }
  let file, from
  try {
    if (checkpoint) checkpointOf(from = textOf(new Uint8Array(fs.readFileSync(checkpoint))))
    else hash = hash ? hash.toLowerCase() : genesisHash(new Uint8Array(fs.readFileSync(genesis)))
    file = new Uint8Array(fs.readFileSync(args[0]))
  } catch (e) {
    console.error(`mulian-verify: ${e.message}`)
    return 1
  }
  const report = from ? verifyFrom(file, from) : verify(file, hash)
  console.log(JSON.stringify(report))
  return report.ok ? 0 : 7
}

// batch answers lines of questions, for the tests that hold this verifier to others:
// a file, a signature, a hash, an inclusion (RFC 6962), or one step of the chain of trust.
async function batch() {
  const { createInterface } = await import('node:readline')
  const b = (s) => unhex(s) ?? malformed('no hexadecimal')
  remember()
  const checks = { sm2: verifySM2, p256: verifyP256, ed25519: verifyEd25519 }, hashes = { sha256, sha512, sm3 }
  const answers = {
    verify: (q) => q.checkpoint ? verifyFrom(unbase(q.file), q.checkpoint) : verify(unbase(q.file), q.genesis_hash),
    check: (q) => checks[q.algorithm](b(q.key), b(q.message), b(q.signature), q.user),
    hash: (q) => hex(hashes[q.name](b(q.message))),
    inclusion: (q) => {
      try { return equal(rootOf(b(q.leaf), q.index, q.size, q.path.map(b)), b(q.root)) } catch { return false }
    },
    block: (q) => {
      const v = new Verifier(), trust = { height: q.height, set: q.set.map((x) => ({ key: b(x.key), power: x.power })), next: b(q.next) }
      v.g = { chain: q.chain }
      try { v.checkBlock(trust, readBlock(new Parser(unbase(q.block)).file(), 'block'), 'block') } catch (e) { return e.step ?? 'form' }
      return ''
    },
  }
  for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const q = JSON.parse(line)
    console.log(JSON.stringify(answers[q.ask](q)))
  }
  return 0
}

if (typeof process !== 'undefined' && process.argv?.[1] && import.meta.url.startsWith('file:')) {
  const { pathToFileURL } = await import('node:url')
  if (import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = await main(process.argv.slice(2))
}
