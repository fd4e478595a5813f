// Package paper sets papers as PDF: pages of A4 in Chinese and English with headed tables,
// paragraphs and a QR code, for certificates of evidence and annotated copies.
//
// It knows nothing of what it sets, and reads nothing.
//
//	New ──▶ Band, Text, Table, Heading, Paragraph, Code: from top to bottom, pages turn by themselves ──▶ WriteTo
//
// # Invariants
//
//  1. The same calls give the same bytes, on every machine.
//  2. No character is dropped: what no font shows is written as its code point,
//     〔U+2CE93〕; so are the marks that turn the direction of text.
//  3. All fonts are embedded, in the part that is used; the text can be searched.
//
// Sources: PDF 1.7 (ISO 32000-1).
package paper
