package deliver

import (
	"os"
	"strings"

	"mulian/internal/sm"
)

// sealKeys are all keys with which this asker opens, the one of now first.
func (a *Asker) sealKeys() []sm.PrivateKey {
	return append([]sm.PrivateKey{a.cfg.SealKey}, a.cfg.MoreSealKeys...)
}

// Waiting counts the fetches that have not ended, the wholes of followings among them:
// their pages may be sealed to the key that this gateway had when they began.
func (a *Asker) Waiting() (int, error) {
	all, err := a.interrupted()
	if err != nil {
		return 0, err
	}
	files, err := os.ReadDir(a.cfg.Dir)
	n := len(all)
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".follow.whole") { // Followings.taking
			n++
		}
	}
	return n, err
}
