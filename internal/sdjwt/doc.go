// Package sdjwt makes, shows and checks credentials: SD-JWT (RFC 9901) with the
// claims of SD-JWT VC, outward with ES256 and SHA-256, inward with SM2 and SM3.
//
// It is not an issuer (gateway/issue is), not the list of issuers' keys (the
// caller resolves them), not OpenID, and it asks no clock, network or ledger of
// its own: time, keys and status come with the [Policy].
//
//	Object with Hidden ──Prepare──▶ Draft ──Sign(P-256 key)──▶ issued ES256 ─┐
//	                                  └─────Sign(SM2 key)────▶ issued twin   │
//	                                                                         ▼ Parse
//	 Verified ◀──Verify(Policy)── presentation ◀──Present(paths)+Bind── Token (bytes kept)
//
// # Invariants
//
//  1. What was signed is what came: a [Token] keeps the text of the issuer's part
//     and of each disclosure, and no function encodes it again.
//  2. One reading: JSON with a name twice in an object, text that is not UTF-8, a
//     lone surrogate, base64url with padding, line breaks or stray bits are refused.
//  3. Each digest occurs once, each disclosure is used once, no disclosure takes the
//     name of a claim that is there (RFC 9901, section 7.1, steps 3 to 5).
//  4. The claims that decide whether a credential holds (iss, vct, exp, nbf, cnf,
//     status, aud) are never in a disclosure: a holder must not be able to leave
//     them out (RFC 9901, section 9.7).
//  5. The algorithm is that of the key, never the header's choice; the hash of the
//     digests belongs to the algorithm: ES256 with sha-256, SM2-SM3 with sm3.
//  6. [Verify] says nothing of the content of a presentation that it refuses.
//
// The two private names "SM2-SM3" (RFC 7518 has no such algorithm: SM2 over SM3 with
// ZA and the default user id, 64 bytes r || s) and "sm3" are not registered with
// IANA. A foreign verifier refuses them; for him there is the ES256 twin. The twin has
// the same salts and values; the text of a disclosure differs only where it holds
// digests of further disclosures, which are of the twin's hash.
//
// Sources: RFC 9901 (SD-JWT), draft-ietf-oauth-sd-jwt-vc-13, RFC 7515 (JWS), RFC 7517
// and 7638 (JWK, thumbprint), RFC 8725 (JWT practice), RFC 7800 (cnf), OpenID4VP 1.0
// annex B.3 (transaction_data_hashes), GB/T 35276-2017 (SM2 signature).
package sdjwt

// Bounds. Whatever comes from outside is measured before it is read.
const (
	MaxText        = 256 << 10 // bytes of a whole token; a licence with a 100 KiB photograph fits
	MaxHeader      = 16 << 10  // bytes of a JWS header: x5c chains of three certificates
	MaxDisclosures = 512       // disclosures in one token; our own choice
	MaxDigests     = 2048      // digests in one token, decoys with them
	MaxDepth       = 24        // levels of JSON, and of disclosures within disclosures
	MaxMembers     = 8192      // values in one JSON text
	MaxTransaction = 16        // elements of transaction_data_hashes
	SaltSize       = 16        // bytes: 128 bits (RFC 9901, section 9.3)
)

// Types of the JOSE header.
const (
	TypeCredential = "dc+sd-jwt" // SD-JWT VC
	TypeBinding    = "kb+jwt"    // key binding JWT (RFC 9901, section 4.3)
)
