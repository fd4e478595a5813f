// Package openid is the door through which wallets and verifiers of the whole world speak
// with a department's gateway: OpenID4VCI 1.0 (an Issuer that hands credentials out) and
// OpenID4VP 1.0 (a Verifier that asks for presentations).
//
// It decides nothing of substance: what a credential says and who may have it is the
// Issue function's affair, what may be asked was registered on the ledger, whether a
// presentation holds is decided by internal/sdjwt. It keeps offers, tokens and requests in
// memory: they live for minutes, and after a restart a wallet begins anew, which is safe
// because what is not known is refused.
//
//	Issuer    Offer ──link──▶ wallet: /offer, metadata ──code (+ number)──▶ /token ──▶ /nonce
//	            ──proofs──▶ /credential ──Issue──▶ credentials ──▶ /notification ──Told──▶
//	Verifier  Ask ──link──▶ wallet: /request (signed, once) ──▶ /response ──Verify──▶ Result
//
// # Invariants
//
//  1. An offer gives one token, a nonce is good for one request, a request object is given
//     out once and answered once.
//  2. A transaction code that is wrong five times ends its offer.
//  3. A presentation counts only for the request whose nonce and transaction data its key
//     binding names, and only its asker's session sees the result.
//  4. "I have nothing that fits" and "I do not want to" reach the verifier as the same
//     access_denied with the same text.
//  5. No claim, name or key is logged; errors to the other side carry a code of the
//     protocol and one sentence, never what was in a credential.
//
// Sources: OpenID for Verifiable Credential Issuance 1.0; OpenID for Verifiable
// Presentations 1.0; RFC 9101 (request objects), RFC 6749 and 6750 (OAuth 2.0), RFC 8414
// (metadata); spec/safebox.md 3.3, 3.4, 4.8.
package openid
