package receipt

import tracev1 "mulian/gen/mulian/trace/v1"

// said is what an anchor says of one record. The log remembers it of the last ones: an
// anchor is made every second while there is work, and would otherwise read thousands of
// records from the disk at once, beside which all queries waited (docs/performance.md).
type said struct {
	agreement string
	seq       uint64
	order     uint64 // of secrecy; 0: not sealed
	outcome   tracev1.Outcome
}

func saidOf(r *tracev1.AccessRecord) said {
	return said{agreement: r.GetAgreement(), seq: r.GetSeq(), order: r.GetSealed().GetOrder(), outcome: r.GetOutcome()}
}

// noteSaid remembers the record that offsets gets next. The caller holds mu.
func (l *Log) noteSaid(r *tracev1.AccessRecord) {
	if len(l.recent) >= 2*maxAnchorRecords {
		l.recent = append(make([]said, 0, 2*maxAnchorRecords), l.recent[maxAnchorRecords:]...)
	}
	l.recent = append(l.recent, saidOf(r))
}

// lately returns what is remembered of the records from to end, and which one is the
// first of them: end if none is.
func (l *Log) lately(from, end uint64) (what []said, first uint64) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	size := uint64(len(l.offsets))
	oldest := size - uint64(len(l.recent))
	if end = min(end, size); end <= oldest {
		return nil, end
	}
	first = min(max(from, oldest), end)
	// The slice only grows, or is replaced: this part of it stays as it is.
	return l.recent[first-oldest : end-oldest], first
}
