// Package export writes the catalogue in the forms that others read: our own, the
// form 填报模板 as a workbook or csv, DCAT-AP 3, ODCS 3.1 and data.json.
//
// It is no client of a node: it takes the entries one after the other from whoever
// has them, and writes them to whoever keeps the file. It decides nothing about who
// may see what.
//
//	Source (entries, duties, systems, tables; each read once) ──Write──▶ io.Writer
//	                                                                        │
//	                              intake.MakePlan reads every one of them ◀─┘
//
// What holds:
//
//  1. Memory is that of one entry; a workbook spills to temporary files.
//  2. The same source gives the same bytes, but for the workbook, which the library
//     stamps with the time.
//  3. What a format can hold comes back: an import of the export is the entry again,
//     but for what [Format.Lacks] names.
//  4. No spreadsheet program computes a cell, or turns a code into a number: in the
//     workbook every cell is a text, in csv an apostrophe stands before such texts,
//     and the import takes it away.
//  5. What is about the public comes from the open type, never from the share type:
//     what departments share freely is not therefore public.
//
// Sources: 政务信息资源目录编制指南 (发改高技〔2017〕1272号) for the form; DCAT-AP 3.0.0 of
// SEMIC with its SHACL shapes, the authority tables of the EU's Publications Office,
// CSV on the Web (W3C, 2015) for items; Open Data Contract Standard 3.1.0 of Bitol;
// Project Open Data Metadata Schema v1.1.
package export
