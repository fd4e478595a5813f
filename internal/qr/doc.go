// Package qr draws and reads QR codes, and holds the closed list of texts that Mulian puts
// into them.
//
// A code carries a reference and never the datum: who photographs it has a name that is
// good once, for a minute or two, for one session (package gateway/reference). What may be
// shown to anybody, a credential whose holder chose so, goes as animated codes (package
// internal/ur). The package resolves nothing and asks nobody.
//
//	text ──Draw──▶ Code ──Terminal, PNG──▶ screen, paper ──camera, file──▶ Read ──▶ text ──Parse──▶ Payload
//
// # Invariants
//
//  1. Parse takes what Payload.String gives, and nothing else: one spelling per payload.
//  2. One mistyped or two swapped letters of a short code are always found, and so is the
//     code of another kind; the letters I, L, O and U are not used.
//  3. A link has at most MaxLink bytes and leads to https, or to this machine.
//  4. Read decodes no image of more than MaxPixels, whatever its header says.
//
// Sources: ISO/IEC 18004 (QR code); spec/safebox.md, section 3.5; Reed and Solomon,
// Polynomial Codes over Certain Finite Fields, 1960; Crockford's base 32 letters.
package qr
