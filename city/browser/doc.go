// Package browser holds the tests that use the pages as people do: a real Chromium, the
// demo city with its real chain, and clicks that are counted.
//
// It has no code of its own. Each area of the console has one file of stories here.
//
//	city.Open, Tell, FileWaiting ──▶ http://localhost ◀── Chromium with an authenticator
//	                                                         └─ story: click, see, look (axe, screenshots)
//
// # Invariants
//
//  1. A page that writes an error to its console or breaks its Content Security Policy
//     fails its story.
//  2. Each page that is looked at has no violation of axe-core, light and dark.
//  3. The clicks of frequent tasks are those of the specification: more fails.
//
// Sources: docs/decisions/0046, 0047; WCAG 2.2 AA by axe-core's rules.
package browser
