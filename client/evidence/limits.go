package evidence

// Bounds of what we read and make.
const (
	// MaxBatch is the files of one transaction (mulian.evidence.v1).
	MaxBatch = 200
	// MaxFiles of one run. Our own choice: a list of them is a few MiB.
	MaxFiles = 100_000
	// MaxOpening bounds evidence.json: its texts are bounded, so that it never needs
	// more than a tenth of this.
	MaxOpening = 64 << 10
	// maxName and maxNote bound texts of the metadata, in characters; a file system
	// takes names of 255 bytes.
	maxName = 1024
	maxNote = 2000
	// maxState bounds what a clock daemon's answer is read to, in bytes.
	maxState = 16 << 10
	// pieceBytes is how much of a file is in memory at once.
	pieceBytes = 1 << 20
	// saltRetries is how often a commitment that somebody else has anchored gets a new
	// salt before we give up: once is an attack, more than that an outage.
	saltRetries = 3
)
