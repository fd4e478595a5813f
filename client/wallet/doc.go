// Package wallet speaks for the owner of a safe box with issuers and verifiers of the whole
// world: it accepts an offer (OpenID4VCI 1.0) and answers a request (OpenID4VP 1.0).
//
// It keeps nothing: keys are given to it and credentials are given back. It does not decide
// for the person: between Resolve and Answer stands what he was shown and what he said.
//
//	offer link ──Accept(transaction code, keys)──▶ credentials ──Tell──▶ issuer
//	request link ──Resolve(trust)──▶ Request ──Choose(held)──▶ Choices ──person──▶ Answer | Decline
//
// # Invariants
//
//  1. It asks only https places, or this machine; it follows no redirect, and reads no
//     answer over its bound.
//  2. A request counts only signed by the certificate that client_id names, and only if
//     Trust knows that certificate: a request in a link itself is refused.
//  3. It shows the fields that Choose found and no other, and binds them to the verifier,
//     its nonce and its transaction data.
//  4. Decline is the same message whether nothing fits or the person does not want to, and
//     a program calls it after the same screen.
//
// Sources: OpenID4VCI 1.0, OpenID4VP 1.0 (sections 5, 7, 8, 14), RFC 9101;
// spec/safebox.md 3.3 to 3.5, 4.8.
package wallet
