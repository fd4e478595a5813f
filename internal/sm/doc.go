// Package sm holds the keys of Mulian: one type for SM2, P-256 and Ed25519, the
// hashes SM3 and SHA-256, and the cipher SM4-GCM. No other package imports a
// library of national cryptography.
//
// It is not a key store (a key file is read once, by path), not a certificate
// library, and not the place where it is decided who may sign what: that is
// rules/identity.
//
//	Generate ──▶ PrivateKey ──SavePrivate──▶ file 0600 ──LoadPrivate──▶ PrivateKey
//	                 │ Public                                              │ Sign
//	                 ▼                                                     ▼
//	             PublicKey ──Bytes──▶ chain state ──ParsePublic──▶ PublicKey.Verify
//
// # Invariants
//
//  1. [PublicKey.Verify] is a pure function of (algorithm, key bytes, message,
//     signature): no clock, no randomness, no machine. Validators rely on it.
//  2. A signature has one byte form. DER is accepted only as [Sign] would write
//     it (minimal lengths, minimal integers, nothing behind), and from the two
//     P-256 signatures (r, s) and (r, n-s) only the one with s ≤ n/2. An SM2
//     signature has no such twin, for s enters the check a second time as r+s.
//     Ed25519 refuses s ≥ L. So nobody but the holder of the key can make a
//     second valid signature out of the first.
//  3. A public key has one byte form: the 65-byte uncompressed point (SM2,
//     P-256), on the curve, or 32 bytes (Ed25519) of reduced y and not of small
//     order: under a key of small order one signature is valid for many messages.
//  4. No text form of a private key exists: String, GoString, Format and LogValue
//     print its id.
//  5. The answer does not depend on the cache of parsed keys: it holds only what
//     parsing the same bytes gave before. Nor does it depend on whether an SM2 key
//     has come often enough to be checked by its multiples: they only say yes, every
//     no is the library's (docs/decisions/0012), and tests compare both ways.
//
// Sources: GB/T 32918.2-2016 and GB/T 35276-2017 (SM2 signature, ASN.1 form,
// default user id), GB/T 32905-2016 (SM3), GB/T 32907-2016 (SM4), FIPS 186-5
// (P-256, Ed25519), RFC 8032, RFC 5958 (key files).
package sm

// Sizes of keys and signatures. A signature that is longer is refused before it
// is parsed.
const (
	PointSize        = 65 // bytes of an uncompressed point: 04 || x || y
	Ed25519Size      = 32 // bytes of an Ed25519 public key
	MaxSignatureSize = 72 // SEQUENCE of two INTEGERs of at most 33 bytes: 2 + 2*(2+33)
	MaxKeyFileSize   = 4 << 10
	MaxWrapSize      = 1 << 10 // bytes that EncryptSM2 takes: keys, not content
	parsedKeys       = 1 << 14 // keys in one generation of the cache: ~600 B each, so at most ~20 MB; our own choice

	manyChecks        = 64  // signatures after which a key gets its multiples: twice what making them costs
	keysWithMultiples = 256 // at 88 KB: at most 22 MB; our own choice
)

// DefaultUserID is the user id that enters the hash of an SM2 signature when the
// two sides have agreed on no other (GB/T 35276-2017, section 10).
const DefaultUserID = "1234567812345678"
