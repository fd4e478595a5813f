// Package safebox is the cryptography of a person's or firm's own store 保险箱: how an item
// is encrypted, how its key is closed to a vault or to who was granted it, and by what a
// vault is opened. Whoever stores the results sees handles, lengths and times.
//
// It stores nothing (mulian/safebox/store), speaks to nobody (mulian/server/boxdoor) and decides no right (mulian/rules/safebox).
//
//	seed (32 random bytes) ──HKDF──▶ private keys of the suites ──▶ public keys, on the ledger
//	  │  closed once by each unlocker
//	  └──▶ VaultFile: passkey PRF · recovery code · 2 of 3 shares · custody · passphrase
//
//	item key (random) ──wrap──▶ KeyWrap, to the owner's vault   (again after a change of keys)
//	  │                └──────▶ to a grantee, bound to grant, item and receiver
//	  ├──▶ card: what it is, with the salt of its commitment
//	  └──▶ body: 64 KiB chunks, each bound to item, version, account, schema and place
//
// Forms. A frame is mulian/internal/canon.Frame: it keeps the parts apart.
//
//	item key      16 bytes (SM), 32 bytes (P256, HYBRID)
//	chunk i       AEAD(key, nonce, chunk, frame "mulian/box/item/v1": item, version, account, schema, i)
//	nonce         1 (body) or 2 (card) || 6 zero bytes || i (4 bytes, big endian) || 1 if last else 0
//	wrap          P256, HYBRID: HPKE base mode, HKDF-SHA256, AES-256-GCM, one message:
//	              encapsulated key || ciphertext, aad empty,
//	              info = frame "mulian/box/wrap/v1": purpose, item, version, account, grant, receiver
//	              SM: mulian/internal/seal, with that frame as its aad
//	private keys  HKDF-SHA256(seed, "mulian/vault/v1", suite's name): ikm of DeriveKeyPair (RFC
//	              9180, 7.1.3) for the HPKE suites; for SM the scalar, 40 bytes mod n-1, plus 1
//	commitment    SHA-256 of frame "mulian/box/commitment/v1": ItemCard
//	terms         SHA-256 of frame "mulian/box/terms/v1": salt of the card, CopyNote
//
// # Invariants
//
//  1. No function returns content that failed its check, or a part of a chunk.
//  2. A body opens only as that item and version, in that account's box, whole and in order;
//     a wrap only for the purpose, grant and receiver for which it was made.
//  3. A key encrypts one version of one item: no nonce comes twice.
//  4. A vault that opens in fewer than two kinds of ways takes nothing that its owner
//     could not get again ([Vault.MayKeepOwn]; the ledger refuses it as well).
//  5. Secrets show in no log and no error: [Seed] prints as its account's handle.
//
// # What it does not do
//
// Memory is not wiped: Go may have copied it. A store that keeps old backups keeps old
// wraps; what ends those is a change of the vault's keys and the destruction of the old
// unlockers (docs/decisions/0037).
//
// Sources: spec/safebox.md "Safe-box encryption"; RFC 9180 (HPKE), its hybrid KEMs as
// crypto/hpke has them (draft-ietf-hpke-pq); FIPS 203 (ML-KEM); GB/T 32918, 32907 (SM2, SM4);
// RFC 5869 (HKDF); WebAuthn L3 10.1.4 (prf); Shamir, How to share a secret, CACM 1979;
// Feldman, FOCS 1987 (a share can be checked).
package safebox

// Bounds. Our own choice, unless said otherwise.
const (
	// ChunkBytes of content are encrypted at once (spec/safebox.md).
	ChunkBytes = 64 << 10
	// Overhead is what a chunk grows by: the tag of GCM.
	Overhead = 16
	// MaxBytes of content of one item: a scanned folder. Below 2^32 chunks by far.
	MaxBytes = 1 << 30
	// MaxCard bounds an item's card before it is encrypted.
	MaxCard = 64 << 10
	// MaxWraps of one item's key, from the schema.
	MaxWraps = 8
	// MaxUnlockers of a vault, from the schema.
	MaxUnlockers = 20
	// MaxPast seeds that a vault file keeps, from the schema.
	MaxPast = 16
	// MaxFile bounds a vault file, and MaxHead the head of an item.
	MaxFile = 128 << 10
	MaxHead = 128 << 10
)
