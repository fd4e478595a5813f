package city

// Report is the answer of a run for programs. Its JSON keys are a contract.
type Report struct {
	OK           bool    `json:"ok"`
	StartSeconds float64 `json:"start_seconds"` // from nothing, or from an older home, to the story's first word
	StorySeconds float64 `json:"story_seconds"`
	Steps        []Step  `json:"steps"`
	Rows         int64   `json:"rows"`        // that arrived in the receiver's own database
	Departments  int64   `json:"departments"` // organisations on the ledger
	Entries      int64   `json:"entries"`     // catalogue entries on the ledger
	Home         string  `json:"home"`
	Proof        string  `json:"proof"` // path of a proof file of the last delivery: mulian verify PATH --home HOME
}

// Step is one step of the story.
type Step struct {
	Name    string  `json:"name"` // import lock request answer confirm deliver compare use query trace verify
	Seconds float64 `json:"seconds"`
	Height  int64   `json:"height"` // block in which it stands; the latest one for a step that only reads
}
