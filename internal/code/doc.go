// Package code checks the standard codes of the field by their value alone, and
// holds the field's code lists: what 有条件共享, "2" and "conditional" have in common.
//
// It does not know which organisation or region exists: a code that passes is well
// formed, not real. It reads no personal codes (resident id numbers); the ledger
// never holds one.
//
//	text from a sheet ──Damage──▶ lost, ask for the original
//	        │ Clean
//	        ▼
//	      code ──CheckUSCC, CheckResource, CheckRegion──▶ nil or a *Problem
//	      word or code ──Table.Parse──▶ typed value ──Code, ZH, EN──▶ text
//
// # Invariants
//
//  1. Every function is pure, on every machine: no clock, no map is ranged over, no
//     floats. The rules of the ledger call them.
//  2. A list parses each of its codes, labels and synonyms back to its value, and no
//     text stands for two values.
//  3. Values are numbers of the chain: where proto/mulian has an enum for a list, its
//     numbers are these. One is added at the end and never reused.
//
// The Unicode tables of golang.org/x/text enter [Clean] and [Key]: its version is
// pinned in go.mod and part of the chain's rules.
//
// Sources: GB 32100-2015 (统一社会信用代码), GB 11714-1997 (organisation code),
// GB/T 17710-2008 = ISO 7064 (check characters), GB/T 2260 (regions), order of the
// State Council No. 809, 政务信息资源目录编制指南 (发改高技〔2017〕1272号), NDI-TR-2025-04
// and -06 (resource codes, code lists); docs/spec/sharing.md sections 4.2 and 4.8.
package code
