// Package content is what the demo city knows before anybody does anything: 53
// departments, what each must do, and what it therefore has in its catalogue.
//
// It is not a catalogue in force: nothing here is on a ledger before a department
// has signed it. It is written by us from public facts: the names of Beijing's
// municipal departments, their duties and the laws behind them. Codes, names of
// systems and the entries' wording are made for the demo; the codes say so (their
// body begins with MULN) and pass the check digits.
//
//	departments/*.txt ──Departments──▶ []Department: duties, system, entries as drafts
//
// The files have one line for each thing, fields between " | ":
//
//	= short name | full name | English name | category | system
//	d power title | law | article or -
//	e name | duties | share | cycle, grade, form | items | abstract
//	t table column column ...        (where the entry above lies, item by item)
//
// share is 无 (unconditional), "条 who may ask" or "禁 《law》article text". The fourth
// field is 实日周月季半年不 and 1-4, then nothing (a table), 文 (a file) or 接 (an
// interface). Items are split by 、; those with * are the key, else the first is.
//
// # Invariants
//
//  1. There are exactly 53 departments; every entry rests on duties of its own.
//  2. The same program gives the same content, byte for byte, and the same ids.
//  3. Nobody in it exists: no person is named, and no code is that of anybody.
//
// Sources: 北京市人民政府机构设置 (names); laws and regulations as each duty names them;
// order 809 art. 13, 14; 政务信息资源目录编制指南 for the fields.
package content
