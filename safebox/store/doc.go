// Package store keeps the ciphertext of boxes: heads, bodies in parts, vault files. It can
// be killed at any point: an item is there whole, or not at all, or erased.
//
// It does no cryptography and knows no signature (mulian/server/boxdoor asks who calls). It
// cannot read what it keeps.
//
//	Start ──▶ parts, each once, in any order, again after a crash ──▶ Finish ──▶ visible
//	                                                                   │
//	  head written last: until then nothing is listed                  │ Erase: head first,
//	                                                                   ▼ then the parts
//	                                                                  gone
//
// Places, under one prefix for each box:
//
//	<account>/vault                 VaultFile
//	<account>/i/<item>/head         ItemHead: without it the body is noise for ever
//	<account>/i/<item>/body/000000  parts of 1 MiB
//	<account>/i/<item>/plan         what an upload will be, by whom and since when; it stays
//	                                until the item is settled, and what is not is destroyed
//	                                after a time (mulian/server/boxdoor)
//	<account>/r/<grant>/<provider>  a row key of a grant of that account's, sealed to that gateway
//	<account>/s/<grant>/0000000001  the key of an item, wrapped to the data user of that grant
//
// # Invariants
//
//  1. What [Boxes.Finish] has returned nil for is listed and whole, after any crash.
//  2. What [Boxes.Erase] has returned nil for is gone from the store, head, plan and parts; a
//     crash in the middle leaves parts without a head, which the next Start, Erase or Sweep
//     of that item removes.
//  3. A box holds no more items and bytes than its quota, unfinished uploads included, and no
//     more unsettled ones of each account than that says.
//  4. Names are made of checked ids only: nobody leaves his prefix.
//
// # Erasure
//
// A file is overwritten with zeros and synced before its name is removed, so that a copy of
// the medium made after it has nothing. What a crash has left of a write is destroyed when
// the directory is opened. Flash and copy-on-write file systems may keep old
// blocks until they reuse them; object stores may keep versions: [Open] refuses a bucket that
// does. What then is left anywhere is ciphertext whose key was in the head.
// docs/decisions/0037 says what that means for older backups.
package store

// Bounds. Our own choice; the quotas are configuration.
const (
	// PartBytes is the size of each part of a body but the last.
	PartBytes = 1 << 20
	// MaxBody bounds one item: MaxBytes of content and the tags.
	MaxBody = 1<<30 + 1<<19
	// MaxHead and MaxVault bound the small files.
	MaxHead  = 128 << 10
	MaxVault = 128 << 10
	// MaxRowKey bounds a sealed row key (internal/rowkey.MaxSealed).
	MaxRowKey = 4 << 10
	// MaxList is the largest page of a list.
	MaxList = 500
)
