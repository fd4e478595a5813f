package audit

import "mulian/client/prooffile"

// What is found, beside the rules of client/prooffile. These cannot be shown to a
// stranger in one file, but for the one of a grant: they are what this reader saw.
const (
	Rewound     = "rewound"     // the log is shorter than it was
	Withheld    = "withheld"    // the log that is served does not reach, or is not, the anchored one
	Unreachable = "unreachable" // the gateway does not answer
	Uncounted   = "uncounted"   // other numbers in the log than the ledger's sequence
	Unsigned    = "unsigned"    // a receipt without a valid signature of the gateway, or of us
	Unplaced    = "unplaced"    // a record that names no place, behind ones that do
	Unreadable  = "unreadable"  // a leaf that is no record
	WithoutUse  = prooffile.RuleWithoutUse
	Misopened   = "misopened" // a record that opens what is not sealed, or says other than what is
)

// Finding is one thing that does not fit.
type Finding struct {
	Rule      string `json:"rule"`
	Gateway   string `json:"gateway"`
	Agreement string `json:"agreement,omitempty"`
	Number    uint64 `json:"number,omitempty"`   // of the access under its agreement
	Place     uint64 `json:"place,omitempty"`    // in the gateway's log, from 1 on
	Says      string `json:"says"`               // what is shown, in the words of the format
	File      string `json:"file,omitempty"`     // evidence; empty: none
	Unproved  string `json:"unproved,omitempty"` // why there is no file
}

// Sequence is the numbers of one agreement at one gateway, as far as they are anchored.
type Sequence struct {
	Agreement string `json:"agreement"`
	Gateway   string `json:"gateway"`
	First     uint64 `json:"first"`
	Last      uint64 `json:"last"`
	Granted   uint64 `json:"granted"`
	Refused   uint64 `json:"refused"`
	Complete  bool   `json:"complete"` // each number is there once, and the ledger counts the same
}

// Log is what was seen of one gateway's log.
type Log struct {
	Gateway    string `json:"gateway"`
	Checkpoint uint64 `json:"checkpoint"` // records in its newest signed state
	Anchored   uint64 `json:"anchored"`   // on the ledger
	From       uint64 `json:"from"`       // first record that was read in this run
	To         uint64 `json:"to"`         // one behind the last
	AnchoredMs int64  `json:"anchored_ms"`
}

// Receipts is what became of an asker's receipts.
type Receipts struct {
	Checked  int `json:"checked"`
	Matching int `json:"matching"` // the anchored log has the same bytes at that place
	Waiting  int `json:"waiting"`  // too young to be anchored
	Old      int `json:"old"`      // of before records named their place: not compared
}

// Report is what an audit came to. Its JSON keys are a contract.
type Report struct {
	OK        bool       `json:"ok"` // nothing was found
	Role      string     `json:"role"`
	Chain     string     `json:"chain"`   // its id
	Genesis   string     `json:"genesis"` // the hash of its signed genesis
	Logs      []Log      `json:"logs"`
	Sequences []Sequence `json:"sequences,omitempty"`
	Secrecy   []Secrecy  `json:"secrecy,omitempty"`
	Receipts  *Receipts  `json:"receipts,omitempty"`
	Findings  []Finding  `json:"findings"`
	More      int        `json:"more,omitempty"` // findings beyond those listed
	// Unread counts releases under grants that this reader is no party of: not looked at.
	Unread int   `json:"unread,omitempty"`
	Millis int64 `json:"milliseconds"`
}
