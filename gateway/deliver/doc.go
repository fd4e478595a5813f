// Package deliver is what two gateways do with each other: [Provider] answers for
// one department's databases, [Asker] asks and loads into its own.
//
// It is not an authority: a provider releases what the ledger says was agreed, and
// nothing else; it decides by itself, on state that it has proved (gateway/view).
// It speaks no SQL (gateway/connect) and keeps no records (gateway/receipt).
//
//	asker                                      provider
//	SignedRequest ───────────────────────────▶ admit:  who, for us, in time, once
//	                                           decide: agreement, days and hours, purpose, items, drift, age, quota
//	                                             │ no ──▶ REFUSED, logged, durable ──▶ fault
//	                                             ▼
//	                                           read the agreed columns of the agreed rows, mask, seal to the asker;
//	                                           or only whether a predicate holds (predicate.go)
//	                                           GRANTED and COMPLETED, logged with one write, durable
//	open, verify ◀────── Answer{sealed, Receipt} ─┘
//	counter-sign ── Acknowledge ─────────────▶ kept beside the log
//
// A batch is the same in four steps, each of which can be repeated:
//
//	OpenDelivery   StartDelivery on the ledger, GRANTED, snapshot into a spool of sealed pages
//	Pull           pages from any number on, then PageEnd: COMPLETED, CompleteDelivery on the ledger
//	load           one transaction of the asker's database, under the delivery's id
//	confirm        ConfirmDelivery on the ledger, Acknowledge; the provider drops the spool
//
// What changed after that comes in pages (subscriptions.go, follow.go); docs/decisions/0015
// says why a page is what rows are, and not what was done to them:
//
//	source's feed ──keys──▶ book (durable, with the feed's position) ──▶ page: decide, read, seal, log
//	Notify ─────────────────▶ asker asks for the page after the last one that its database has applied
//	apply                    one transaction of the asker's database, with the page's number
//
// Files are delivered as a batch, too: a folder of them is a table of their pieces
// (gateway/connect/documents, docs/decisions/0022).
//
// Under an owner's grant (bygrant.go, docs/decisions/0036) one row leaves for each use that
// the ledger has counted, and has proved, before:
//
//	open the row key ─▶ read ─▶ the owner's own? ─▶ seal ─▶ note ─▶ RecordGrantUse ─▶ log ─▶ answer
//
// # Where the power may fail
//
//	provider, before the spool is whole   the next Pull gets pages of a new snapshot under a new
//	                                      seal header; the asker sees it and begins again
//	provider, before, and the entry has   the delivery fails; the next one has the columns of now
//	  changed when it is back
//	provider, after                       the same bytes again
//	provider, around a page that leaves   it is noted before (given.go): it counts, if nothing completes
//	ledger has a start, nobody knows it   the next opening takes that delivery up (open.go)
//	asker, before its commit              nothing is in the table; it begins at page 0, with files at its checkpoint
//	asker, after                          the database knows the delivery's id: only confirm is left
//	provider, after it took from a feed   keys and position are one transaction: told again, or not
//	provider, after it gave a page        the number is used; the same page has the same keys, or fewer
//	asker, around a page of changes       the database knows the page's number: applied, or asked for again
//
// # Invariants
//
//  1. No byte of data leaves before a GRANTED record of it is durable.
//
//  2. What is released are columns of items that the agreement names and the
//     catalogue has not frozen, read by name.
//
//  3. A refusal rests on state that was read anew, at most a second before.
//
//  4. The spool holds only what is sealed to the asker; this process keeps no key
//     with which it could be opened.
//
//  5. The asker's table holds the whole delivery or nothing of it, once.
//
//  6. Memory does not grow with the number of rows: at most one batch and some pages
//     on either side.
//
//  7. A row outside of the agreed scope, and what a mask takes from a value, is not in
//     what is sealed; whatever a database makes of the conditions that it was given.
//
//  8. The answer of a predicate is yes, no or unknown, in a box of one length. Nothing
//     else depends on the row.
//
//  9. Rows and bytes are counted before they are sealed, and never beyond what is agreed.
//     What has left counts, whether its delivery ended well or not; what is refused for them
//     uses up no call.
//
//  10. Between a decision and what leaves because of it is a last look (again.go).
//
//  11. A table that is followed was equal at the moment that its following names: what its
//     provider does not notice is no sign that nothing changed (sight.go).
//
//  12. Under a grant nothing leaves before this gateway has checked a proof that the ledger
//     has counted the use, and no use is counted twice for one fetch.
//
//  13. Under a grant only a row leaves that is the owner's own, as he was identified.
//
// Sources: order 809 art. 22, 26, 29; spec sharing 4.5, 4.6; DESIGN section 5.
package deliver
