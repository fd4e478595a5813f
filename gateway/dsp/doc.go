// Package dsp lets connectors of other data spaces speak the Dataspace Protocol
// 2025-1 with a gateway: its provider side (catalogue, negotiation, transfer by
// HttpData-PULL) as another face of our own agreements.
//
// It is not an authority and has no contracts of its own. A foreign connector acts as
// a participant: an organisation that is on our ledger, with a gateway account whose
// keys are entrusted to this process. What the connector asks for is a share request
// of that organisation, what it verifies is its signature under the agreement, and
// each row that it gets has gone the ordinary way: asked by that gateway account,
// decided, logged and counted by the provider's gateway, receipted by both.
//
//	connector                     facade                          ledger
//	ContractRequestMessage ─────▶ REQUESTED ── FileRequest ─────▶ RECEIVED
//	                                                              │ Answer, or the standing order
//	◀── ContractOfferMessage      OFFERED   ◀──────────────────── OFFERED, on narrower terms
//	EventMessage ACCEPTED ──────▶ ACCEPTED                        │
//	◀── ContractAgreementMessage  AGREED    ◀──────────────────── OFFERED
//	…VerificationMessage ───────▶ VERIFIED  ── ConfirmAgreement ▶ │
//	◀── EventMessage FINALIZED    FINALIZED ◀──────────────────── ACTIVE
//	◀── TerminationMessage ─────▶ TERMINATED  WithdrawRequest, EndAgreement | REFUSED
//
//	transfer: REQUESTED ─▶ STARTED ⇄ SUSPENDED ─▶ TERMINATED ; STARTED ─▶ COMPLETED
//	          an agreement that is suspended, resumed or over moves its transfers
//
// A provider that answers with narrower terms than were asked for has made an offer;
// a connector that answers an offer with another one has declined it, and its
// negotiation ends. A message that does not fit the state is answered with 400.
//
// # Where the power may fail
//
//	before the journal has the request   the connector has no answer and asks again
//	before the ledger has it             the same signed transaction is sent again, until it ends
//	before a message was delivered       it is sent again; the connector may get it twice
//
// # Invariants
//
//  1. The state of a negotiation is read from the ledger, with proof; the journal has
//     only which pids belong to which request, what the connector said, and what it
//     was told.
//  2. No contract is made that the participant's organisation did not sign, and none
//     whose offer differs from the one in the catalogue.
//  3. Messages go only to addresses below the participant's configured one, over
//     https (http: loopback), and never follow a redirect.
//  4. No token that is shown to us is kept: journal and memory have its SHA-256.
//  5. A participant sees its own negotiations and transfers; those of others are not
//     there for it. It takes at most its share of the calls that are answered at once.
//  6. The journal grows with what is kept, not with what was said.
//
// Sources: Dataspace Protocol 2025-1 (Eclipse), its JSON schemas and HTTPS binding; the
// provider cases of its test kit (package gateway, TestTCKNegotiations, TestTCKTransfers);
// spec sharing, "Standards we speak" and 4.4; docs/decisions/0019.
package dsp
