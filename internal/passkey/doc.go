// Package passkey checks what passkeys sign (WebAuthn, ES256), so that every validator
// comes to the same answer: the limited verification algorithm of WebAuthn Level 3, by
// bytes. It also reads what a device says when a passkey is made, for the page's server.
//
// It is no WebAuthn server: it keeps no challenges and judges no attestation. It does not
// check the signature itself where somebody else remembers verdicts: [Expect.Check] says
// over which bytes it has to hold.
//
//	challenge of a transaction ─▶ device: fingerprint, face ─▶ Assertion
//	                                                              │ Expect.Check
//	 size ─▶ client data ─▶ origin ─▶ rp id ─▶ user ─▶ backup ─▶ signature in its one form ─▶ Signed
//
// # Invariants
//
//  1. Check, Verify and Challenge are functions of their arguments alone: no clock, no
//     chance, no map order.
//  2. client data is never parsed as JSON. It begins with exactly the bytes that the
//     standard's serialisation gives for type, challenge, origin and crossOrigin, and
//     what follows is a further member or the end. A reader that takes names in any case
//     and the last of two would take "Type":"webauthn.get" behind "webauthn.create".
//  3. What Check returns as signature is DER with s ≤ n/2, whatever the device wrote; the
//     twin of a signature therefore is the same. No bytes of a signature name anything.
//  4. No bytes make a function of this package panic, and none takes more memory than the
//     bytes themselves, within the limits of limits.go.
//
// Sources: W3C Web Authentication Level 3, sections 5.8.1.2 (limited verification
// algorithm), 6.1 (authenticator data), 6.5.1.1 (COSE key of ES256), 7.2 (verification);
// RFC 9052 and 9053 (COSE), RFC 8949 section 4.2 (CBOR); FIPS 186-5. Test vectors:
// section 16 of the same standard.
package passkey
