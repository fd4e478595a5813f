package deliver

import "mulian/internal/sm"

// sealKeys are all keys with which this asker opens, the one of now first.
func (a *Asker) sealKeys() []sm.PrivateKey {
	return append([]sm.PrivateKey{a.cfg.SealKey}, a.cfg.MoreSealKeys...)
}

// Waiting counts the fetches that have not ended: their pages may be sealed to the key
// that this gateway had when they began.
func (a *Asker) Waiting() (int, error) {
	all, err := a.interrupted()
	return len(all), err
}
