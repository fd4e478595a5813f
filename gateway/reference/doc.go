// Package reference keeps what a QR code names: one-time codes of a gateway that lead a
// person's device to a question, or a verifier to a licence that its owner shows.
//
// A code is 26 letters (package internal/qr) and says nothing. What it leads to lies here,
// for at most two minutes, in memory only: after a restart all codes are unknown, and what
// is unknown is refused, so that no code can be used again by killing a gateway. It signs
// nothing and decides nothing.
//
//	Open(session) ─code and match number─▶ screen ──photograph──▶ Resolve(bearer), once
//	    │                                                            │ Match(number), 3 tries
//	    ▼ State(session)                                             ▼ Done | NotMe (reported)
//
// # Invariants
//
//  1. A code is resolved once: of two devices that photographed it the first has it, and
//     the second is told that it was used.
//  2. What a request is about comes with the right match number only. That stands on the
//     asker's screen, and whoever was sent a photograph of a code does not know it. Three
//     wrong numbers close the code.
//  3. Only the session that opened a code learns what became of it, and only the bearer who
//     resolved it may match it or say "not me".
//  4. A code lives at most MaxLife; one to show a licence ShowLife.
//  5. No code, content or bearer is logged; a report holds the asker and the time.
//
// Sources: spec/safebox.md 3.5 (cross-device rules), 4.2 (match_code_wrong).
package reference
