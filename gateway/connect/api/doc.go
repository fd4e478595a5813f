// Package api connects a gateway to an HTTP interface that answers with JSON and is
// described by an OpenAPI 3 document. URL: api:FILE, a mapping (type Mapping) or the document.
//
// It is no client for everything that OpenAPI can say: an operation with rows in its answer 200
// is a table, the rest is not seen. It only asks: GET, and POST where the mapping names it.
//
//	api:permits.yaml ─> Mapping ─┐
//	OpenAPI document (file, or on the interface's own host) ─> endpoint: columns, key, paging
//	Selection ─> order.Plan ─> calls (conditions become parameters) ─> pages to the end
//	          ─> one row at a time, checked against the schema ─> batches
//
// Invariants, beside those of connect:
//
//  1. One host is called, whatever an answer, a redirect, a next page or a name server says. No
//     proxy of the environment is used; TLS is verified; a credential is read from a file of
//     mode 0600 and sent with TLS only.
//  2. What the interface gives is checked: types, lengths and lists of its schema (a *ValueError with
//     the JSON pointer), and each condition again. It is never believed.
//  3. A scan ends at the end, never before: an empty page, no next page, the number of rows that
//     the interface names. An interface that ignores its paging parameter or leads in a circle is an error.
//  4. Each answer, row, depth, number of pages and waiting time has a bound.
//
// How consistent a scan is: as far as the interface allows. Pages are different moments. It is
// noticed (ErrChanged) when the number of rows changes or is not reached, when the first page has
// another ETag or Last-Modified at the end, and, with a key, when a row comes twice. Rows that move
// between pages of an interface that says nothing of this kind are not noticed: cursor paging
// over a stable key is what such an interface should offer. With a key no row is handed out
// before all pages were read; After and conditions without a parameter read all pages.
//
// Sources: OpenAPI 3.0.4 and 3.1.1, RFC 6901 (pointers), RFC 8288 (Link), RFC 9110 section 10.2.3
// (Retry-After), the OpenAPI format registry for decimal, date-time-local, byte.
package api
