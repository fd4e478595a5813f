// Package canon gives Mulian's messages one byte form, so that two machines that
// hash a message hash the same bytes, and gives every hash a domain, so that what
// was signed as one thing never counts as another.
//
// It does not encode again what a person signed: signed bytes are the bytes that
// came over the wire; [Check] only refuses them if encoding again would differ. It
// knows no noun, and does not look into bytes fields or google.protobuf.Any.
//
//	wire bytes ──Check──▶ message        (size, depth, elements, unknown fields, one form)
//	message ──Marshal──▶ wire bytes      Check(Marshal(m)) holds
//	parts ──Frame──▶ bytes to sign       ──Digest──▶ 32 bytes
//
// # Invariants
//
//  1. For any raw, if Check(raw, m) is nil then Marshal(m) is raw.
//  2. Check depends on nothing but raw and the type of m; of several breaches it
//     names the first in the order of the errors below, on every machine.
//  3. Frame is injective: two different (domain, parts) never give the same bytes.
//
// Invariant 1 rests on the deterministic mode of google.golang.org/protobuf, which
// promises one form within one version of the library. The version is therefore
// part of the chain's rules: it is pinned in go.mod, and TestGolden holds the bytes.
//
// Sources: Protocol Buffers encoding (protobuf.dev/programming-guides/encoding and
// serialization-not-canonical).
package canon
