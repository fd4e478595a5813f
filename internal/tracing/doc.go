// Package tracing follows one call through the parts that answer it: from the door of a
// member to the block and the index, or through a gateway from the decision to the
// sealed answer. The spans go by OTLP to the collector that the operator names, and to
// nobody else; without one there are none.
//
// It is not the trace of the law (package trace/v1: who accessed what, proven); nobody may
// rest a claim on a span. It is not a log and not a metric.
//
//	call ─ traceparent ─▶ Interceptor ─▶ Child, Child, Past ─▶ queue, bounded ─▶ OTLP
//	                          └─▶ answer, with its traceparent
//
// # Invariants
//
//  1. Off costs nothing: [Child] and [Past] without a span in the context allocate nothing
//     and read no clock. BenchmarkOff holds it.
//  2. A span carries names of procedures, codes, heights, ids of transactions and of
//     agreements; never a value, a key that was asked for, who asked, or an error's text. A
//     gateway's own account names the instance.
//  3. A collector that is slow or gone takes spans away, never time from a call: the queue
//     drops what it cannot hold.
//  4. Whoever calls may continue his own trace (W3C traceparent), but not have more traced
//     than the operator's ratio allows.
//
// Sources: W3C Trace Context (Recommendation, 23 November 2021); OpenTelemetry's semantic
// conventions for RPC; the OTLP exporter's environment variables (OpenTelemetry
// specification, "OpenTelemetry Protocol Exporter").
package tracing
