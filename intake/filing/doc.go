// Package filing brings the plans of package intake to a running ledger: it answers
// the questions of an import from the ledger's state, signs each department's part
// with that department's key, and sends.
//
// It reads no files and judges no records (that is intake), and it owns no key: what
// it signs with lies in the keyring that it is given.
//
//	Plan ──▶ what did this source bring before? ──▶ lack: nothing │ some │ a part of the list: held
//	              │ the ledger's index                   └─ withdrawn only if asked
//	              ▼
//	         owners that are not on board ──▶ held │ registered provisionally, if asked
//	              ▼
//	         intake.Apply ──▶ batches ──▶ signed by their department ──▶ ledger
//
// What holds:
//
//  1. A second import changes nothing and sends nothing. What an import brought is
//     known by the ledger alone: any machine with the keys can go on.
//  2. Nothing is withdrawn that nobody asked to withdraw, and nothing at all is sent
//     of a list that lacks much of what its source had, until a person confirms it.
//  3. Who is registered because a list names him can be told from who came on board
//     himself: by a code that begins with [ProvisionalPrefix], which no real
//     organisation has, and by the name.
//  4. An import that was killed at any moment goes on when it is run again: keys are
//     made and durable before their organisation is registered, and ids come from
//     names.
//
// Sources: order of the State Council No. 809, articles 13 and 17; GB 32100-2015 for
// the codes; the portals on whose lists intake counts, where 860 organisations are
// named and none has a code.
package filing
