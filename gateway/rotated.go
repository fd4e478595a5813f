package gateway

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"time"

	"mulian/internal/durable"
	"mulian/internal/fault"
)

// sightingsFile says since when the ledger has the keys that this gateway has there. The
// ledger does not date them, and the file of a key may be much older than its
// registration. Without the file the overlap begins once more.
const sightingsFile = "keys-seen.json"

// sightings is the time of the first block after which a key was seen in this gateway's
// account, by its public bytes in hex.
type sightings map[string]time.Time

func sightingOf(public []byte) string { return hex.EncodeToString(public) }

// sighted notes the keys that an account has at a block's time, and forgets all others: one
// that comes back is new.
func sighted(path string, at time.Time, keys ...[]byte) (sightings, error) {
	was, now := sightings{}, sightings{}
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	case json.Unmarshal(raw, &was) != nil:
		was = sightings{} // the overlap begins once more
	}
	for _, k := range keys {
		now[sightingOf(k)] = at
		if seen, ok := was[sightingOf(k)]; ok {
			now[sightingOf(k)] = seen
		}
	}
	if maps.EqualFunc(was, now, time.Time.Equal) {
		return now, nil
	}
	if raw, err = json.Marshal(now); err != nil {
		return nil, fault.Wrap(fault.Internal, err, "when keys were seen")
	}
	return now, durable.ReplaceFile(path, raw, 0o600)
}
