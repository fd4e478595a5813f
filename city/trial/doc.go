// Package trial is a consortium of several members on one machine, for trials and
// tests: each member is a process of its own with its own keys, store, index and
// server, and they speak to each other over real connections.
//
// It is not the way to a consortium in production: there the founder runs
// `mulian init`, and the others come on board with `mulian join`. Here all keys are in
// one place.
//
//	Found ─▶ homes, one genesis that all founders signed ─▶ Start ─▶ processes ─▶ Stop
//
// # Invariants
//
//  1. There is one genesis in a folder: it is written before it is installed anywhere,
//     and found again after whatever happened in between.
//  2. A member's home holds the keys of that member alone, and works with every command
//     as the home of a member elsewhere does.
//  3. No member's process outlives the one that started it (on Linux; elsewhere unless
//     that one was killed).
package trial
