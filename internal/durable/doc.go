// Package durable writes files so that they are there after a power failure, whole
// or not at all.
//
// It is no database and no log format: what is in a file, and how a torn tail of a
// log is recognised, is the business of its owner.
//
//	write temp ──▶ fsync temp ──▶ rename (or link) ──▶ fsync directory ──▶ nil
//	     │              │                 │                    │
//	  old file       old file        old or new file       new file      (power fails here: what is found)
//
// # Invariants
//
//  1. When a function returns nil, its effect survives a power failure.
//  2. When it fails, the file at the path is the old one or the new one, never a
//     mixture; a temporary file "NAME.tmp-*" may be left and is harmless. Only of
//     [PutTellable] a power failure may leave a part.
//  3. A directory has at most one holder of its lock on one machine.
//
// Sources: rename(2), fsync(2), link(2), flock(2); Pillai et al., "All File Systems
// Are Not Created Equal", OSDI 2014, for the fsync of the directory.
package durable
