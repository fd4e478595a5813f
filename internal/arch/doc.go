// Package arch holds no code. Its tests are the fences of the house: they read
// the sources and fail when a rule that no compiler knows is broken.
//
// What it is not: a linter for taste. Each fence stands for a promise that is
// expensive to repair later, and says the promise when it fails.
//
//  1. Floors: a package imports what stands below it, never what stands above or
//     beside (floors_test.go, DESIGN section 2).
//  2. Determinism: what every validator runs alike has no other input than
//     state, message and Env (determinism_test.go).
//  3. Shape: every package says what it is, every exported name is documented,
//     no file outgrows its reader, no name says nothing (shape_test.go).
//  4. Dependencies: every module in the binary is listed with its version and
//     licence in docs/dependencies.txt (dependencies_test.go).
//  5. Words: a type in rules/ or proto/ is named by a word of docs/words.md, so
//     that one thing has one name (words_test.go).
//  6. Papers: README's commands stand, and nothing committed names the machine
//     that it was written on (papers_test.go).
//
// A fence that cannot fail is worse than none: testdata/bad is a small house
// that breaks each rule on lines marked "want", and TestFencesBite holds that
// exactly those lines are found.
//
// The fences read the files themselves and start no process: go test repeats a
// kept result while the files that the test itself opened are unchanged, so a
// fence that asked 'go list' would pass stale.
package arch
