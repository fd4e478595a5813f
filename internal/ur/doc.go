// Package ur shows bytes as a row of QR codes that a camera may miss some of: Uniform
// Resources of type "bytes" with rateless fountain parts (BCR-2020-005).
//
// It does not draw codes (package qr) and does not say whose the bytes are: what comes out
// of a Decoder is as true as a note that somebody held into the camera. A credential
// carries its own signature.
//
//	bytes ──▶ Encoder ──▶ Next, Next, Next, … (never ends) ──camera, in any order──▶ Decoder.Take ──▶ Bytes
//
// The message is the CBOR byte string of the bytes, cut into equal fragments. The first n
// parts are the n fragments; each later one is the XOR of some, chosen by its number, so
// that every new part helps whatever was missed. The Decoder solves the equations over
// GF(2) and is complete as soon as they have one solution, which is never later than the
// peeling of other implementations.
//
// # Invariants
//
//  1. What Bytes returns has the length and the CRC-32 that all its parts named.
//  2. A part of another message, or one that contradicts its own header, is refused and
//     leaves the decoder as it was.
//  3. A decoder holds at most MaxParts fragments of MaxMessage bytes in all, whoever sends
//     parts.
//  4. Reserved CBOR, long forms of small numbers and words outside the list are refused.
//
// Sources: Blockchain Commons BCR-2020-005 (UR), BCR-2020-012 (bytewords), MUR
// implementation guide (xoshiro256**, alias method, shuffle); RFC 8949 (CBOR); the
// message of the tests is theirs.
package ur
