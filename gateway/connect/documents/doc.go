// Package documents connects a gateway to folders of files that are delivered as they are:
// pdf, zip, pictures, anything. documents:FOLDER is read; a folder is also what deliveries
// of files are written into.
//
// It is no table of their content (gateway/connect/files reads csv, xlsx and parquet), and no
// store of versions.
//
//	FOLDER/
//	  drawings/            the table drawings: each file below is rows of it, in its pieces
//	    2026/a-17.pdf      name "2026/a-17.pdf", piece 1, 2, …, size, modified, sha256 (of the
//	                       whole, in the row of the last piece), content
//
// A piece is at most [PieceBytes], so that a page of a delivery has one: everything that a
// batch does, sealing, spooling, resuming, counting, is done for files by the same code, and
// memory does not grow with a file.
//
//	Begin ─▶ pieces ─▶ .mulian/in/X/0, 1, …  each checked and synchronised at its end
//	      Commit ─▶ list of them as .mulian/done/X.json: THE COMMIT ─▶ files get their names
//
// # Invariants
//
//  1. Nothing outside the folder is read or written, by no name and no link (os.Root).
//  2. A file is rows of one state of it: one that changed after it was listed, and before it
//     was read to its end, is [connect.ErrChanged]. Files are listed once: one that comes
//     later belongs to the next delivery.
//  3. A file has its name only if all of its delivery is there and each digest holds. A
//     killed load leaves no part of one; a commit that was cut off, or found no room for
//     the names, is ended by a later call: until then it is [connect.ErrUnreachable].
//  4. A file that no delivery of the same agreement has written is never replaced.
//  5. Nothing is deleted: what is delivered no more stays, until the agreement's disposal.
//     Of our lists the newest stay, and the newest of each agreement; of the others the names.
//
// Sources: order 809, article 22 (files are one of three ways to share); spec sharing 4.5.
package documents
