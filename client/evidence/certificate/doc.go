// Package certificate sets a certificate of evidence 存证证书 as a PDF: one or two
// pages of A4 in Chinese and English that say what was anchored, by whom, when, how
// it came to be, and how a stranger checks it.
//
// The paper proves nothing. The proof file beside it does, and everything on the paper
// that is of the ledger comes from that file after it was verified. Nothing on it is
// of the day on which it was printed.
//
//	opening ─┐
//	         ├──▶ Certificate ──Write──▶ PDF
//	proof ───┘ verified
//
// # Invariants
//
//  1. The same certificate gives the same bytes, on every machine.
//  2. No character is dropped, and all fonts are embedded (package paper).
//
// Sources: 人民法院在线诉讼规则 art. 16-18; spec/safebox.md 3.8; PDF 1.7 (ISO 32000-1).
package certificate
