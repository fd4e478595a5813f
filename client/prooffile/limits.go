package prooffile

// Bounds of a proof file. They are part of the format: two verifiers agree on
// what is too large. See docs/spec/proof.md, section 2.
const (
	MaxFile       = 1 << 20   // bytes: a transaction of 700 KiB with everything around it
	maxDepth      = 6         // levels of lists and objects; the format has 5
	maxNodes      = 1 << 15   // values in all: 1,000 validators in 5 blocks
	maxBlocks     = 64        // from the genesis on: each is a change of more than 2/3 of the power
	maxObjects    = 64        // the subject and the accounts that signed
	maxEvents     = 64        // of one transaction, or that touched one object
	maxNumber     = 1<<53 - 1 // what every program can hold exactly; RFC 8259, section 6
	maxKey        = 512       // bytes of a state key (mulian.ledger.v1)
	maxValidators = 1000      // client/light
	maxPower      = int64(1) << 60 / maxValidators
	maxKeys       = 64   // keys of one account that are looked at; the ledger keeps 16
	maxFields     = 5000 // fields of one message at its top level
	maxMs         = 253402300799999
)
