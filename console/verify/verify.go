// Package verify carries the verifier of proof files in JavaScript, mulian-verify.mjs, so
// that a program can hand it to strangers: in an evidence folder, or on a page.
//
// It is not run here: the verifier in Go is package client/prooffile.
//
//	mulian-verify.mjs ──embedded──▶ Source ──▶ verify.html of an evidence folder
//
// Sources: docs/spec/proof.md.
package verify

import _ "embed" // the file below

// Source is mulian-verify.mjs: one module, without dependencies, for a browser or Node.
//
//go:embed mulian-verify.mjs
var Source string
