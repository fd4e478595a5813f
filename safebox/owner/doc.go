// Package owner is a person's or firm's own side of a safe box, as a program of theirs has
// it: make the vault and open it, put items in and read them, give copies, hand items over,
// take what is offered, erase, and wrap again after a change of keys.
//
// It asks nobody for a passphrase and draws no screen (cmd/mulian, the pages). It signs
// nothing by itself: Send does, after showing what is signed. What the door and the server
// say is held against the ledger: the vault's file by its hash, a card by its commitment,
// what was laid ready for us by the offer that its giver signed.
//
//	Box ──Make──▶ vault on the ledger, file at the door and on this device
//	 │
//	 ├── Put, Erase, Decline, Cancel          need no open vault
//	 └── Unlock(by something) ──▶ Opened ──▶ Items, Item, Content, Give, HandOver, Look, Accept,
//	                                         AddUnlocker, RemoveUnlocker, Rotate, Rewrap
//
//	Make, Rotate:  file on this device ──▶ ledger ──▶ file at the door ──▶ older files gone here
//	Put:           ciphertext at the door ──▶ ledger (refused: taken back)
//	Give:          offer on the ledger ──▶ ciphertext into the receiver's box (failed: cancelled)
//	Erase:         ledger ──▶ destroyed at the door
//
// # Invariants
//
//  1. When the ledger has the hash of a vault's file, that file is on this device or at the
//     door: stopped at any point, the next Unlock finds it and mends the rest.
//  2. Nothing that only its owner has goes into a box that opens in fewer than two kinds of ways.
//  3. Nothing offered is accepted whose content, note or giver differs from the signed offer.
//  4. Earlier keys are forgotten only after every item opens with the newest ones.
//  5. A copy of a credential never has the holder's key in it.
//
// Sources: spec/safebox.md 3.7, 4.7 and "Safe-box encryption"; docs/decisions/0037, 0042.
package owner

// Bounds. Our own choice.
const (
	// MaxNarrow bounds content of which only some fields are given: it is held in memory.
	MaxNarrow = 4 << 20
	// MaxFields of a copy, from the schema.
	MaxFields = 200
	maxTitle  = 200
	maxText   = 500
)
