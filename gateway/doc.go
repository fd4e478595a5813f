// Package gateway is a department's only door: it puts together the databases
// (connect), their watching (drift), the view of the ledger (view), the access log
// (receipt) and what is spoken with other gateways (deliver) into one process
// beside the department's data, under the department's key.
//
// It is not a node and not a server of the chain: it needs a server's URL, and the
// genesis, by which it checks what that server says. It never imports rules, ledger,
// node or server.
//
//	             other gateways            anyone
//	                   │                      │
//	   ┌───────────────▼──────────────────────▼─────────┐
//	   │ HTTP   GatewayService    /log/ tiles   /metrics │
//	   │            │                 ▲                  │
//	   │        deliver ── record ─▶ receipt ── anchor ──┼──▶ ledger
//	   │        │     └─ may it? ─▶ view ◀── proofs ─────┼─── server
//	   │     connect ◀── look ── drift ── ReportDrift ───┼──▶ ledger
//	   └────────┼────────────────────────────────────────┘
//	            ▼
//	   the department's databases            own database (sink)
//
//	Open ─▶ Run (until ctx ends) ─▶ Close          kill -9 at any moment ─▶ Open goes on
//
// # Invariants
//
//  1. One process at a time works in a home folder.
//  2. Nothing is released while the ledger does not accept the log, while the log
//     cannot be written, or while the view is older than the agreement allows.
//  3. The keys in use are those that the ledger has for the account: Open refuses
//     others.
//  4. No secret is in the configuration: database URLs have none, keys are files.
//
// Sources: DESIGN sections 1, 5 and 6; spec sharing 4.5-4.7.
package gateway
