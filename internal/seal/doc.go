// Package seal closes content to one receiver's key: whoever carries or stores it
// sees lengths and nothing else.
//
// It does not say who sealed: whoever knows the public key can seal. The sender
// signs the receipt, outside. It keeps no keys: a [Sealer] that is lost cannot go
// on, and its pages are sealed again under a new header.
//
//	NewSealer(pub, aad) ──▶ header
//	      │ Seal(page, last)                  NewOpener(priv, header, aad)
//	      ▼                                         │ Open(0, box), Open(1, box), …
//	box 0, box 1, … box n (last) ──────────────────▶ pages ──▶ Complete
//
// Two suites, chosen by the receiver's key:
//
//	1  SM2 key    16 random bytes in SM2 ASN.1 ciphertext are the key of SM4-GCM
//	2  P-256 key  HPKE (DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM), info =
//	              canon.Digest("mulian/seal/v1", 02, aad); the page key is the
//	              exporter's 32-byte secret "mulian/seal/v1/key"
//
// and the same two for many single pages to one key, with the public-key work done once
// a minute ([SharedSealer]; suites 3 and 4, shared.go).
//
// Header: "MS" || version 1 || suite || length of what follows (2 bytes, big endian)
// || encapsulated key. Box i: AEAD(key, nonce, page, binding) with
// nonce = 7 zero bytes || i (4 bytes, big endian) || 1 if last else 0 and
// binding = canon.Digest("mulian/seal/v1", header, aad).
// The nonces are those of STREAM; each session, and each page of a SharedSealer, has
// its own key, so none comes twice.
//
// # Invariants
//
//  1. Open(i, box) gives a page only if it was the i-th of this session, sealed with
//     this aad, for this key.
//  2. An Opener takes the pages 0, 1, 2, … each once; nothing after the last.
//  3. [Opener.Complete] is nil only if the last page was opened: a cut stream shows.
//  4. What is taken from a SharedSealer's memory opens the pages of one minute, and
//     nothing that another sealed.
//  5. No function returns a part of a page, or a page that failed its check.
//
// Sources: RFC 9180 (HPKE); GB/T 32918.4-2016 and GB/T 35276-2017 (SM2 encryption);
// GB/T 32907-2016 (SM4); RFC 8998 (SM4-GCM); Hoang, Reyhanitabar, Rogaway, Vizár,
// "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", CRYPTO
// 2015 (STREAM).
package seal

// Bounds. Our own choice: a page is what both sides hold in memory at once.
const (
	MaxPage   = 16 << 20 // bytes of one page before sealing
	MaxPages  = 1 << 24  // pages of one session; the nonce could count to 2^32
	MaxAAD    = 64 << 10 // bytes of associated data
	MaxHeader = 256      // bytes of a header; suite 1 has at most 6+131, suite 2 6+65, suite 3 6+16+147
	Overhead  = 16       // bytes by which a box is longer than its page
)
