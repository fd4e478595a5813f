package audit

import "time"

const (
	// DefaultBound is how soon a record has to be on the ledger (spec sharing 4.6: roots
	// each <= 60 s).
	DefaultBound = time.Minute
	// maxFindings bounds what one run keeps; the count goes on.
	maxFindings = 1000
	// maxAgreements bounds the agreements that are remembered of one gateway.
	maxAgreements = 1 << 20
	// maxSecrets bounds the sealed records of one gateway that are not open yet.
	maxSecrets = 1 << 20
	// maxMemory bounds the file in which one gateway is remembered: some 100 bytes for
	// each agreement.
	maxMemory = 256 << 20
	// maxStops bounds the events of one agreement that are looked through.
	maxStops = 20_000
	// settleWait is how long a served log may be behind the ledger's head before that is
	// a finding: tiles come a moment after records.
	settleWait = 5 * time.Second
)
