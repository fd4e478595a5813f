package node

import (
	"sync"

	"mulian/ledger"
	"mulian/state"
)

// past keeps the view of one earlier height open. The index asks for the objects of one
// block after the other, some hundred of each: opening a view of the past for every
// one of them was a fifth of the processor time of an import of 100,000 entries.
//
// An open view keeps what it can see from being cleared away. It is one, it is
// replaced when another height is asked for, and whoever is behind asks soon.
type past struct {
	mu     sync.Mutex
	view   *state.Snapshot // nil = none
	height int64
}

// get reads an object as it was after a height. Another caller at the same time has
// a view of his own.
func (p *past) get(l *ledger.Ledger, key string, height int64) (value []byte, ok bool, at int64, err error) {
	if !p.mu.TryLock() {
		v, err := l.At(height)
		if err != nil {
			return nil, false, 0, err
		}
		defer v.Close()
		value, ok = v.Get([]byte(key))
		return value, ok, v.Height(), nil
	}
	defer p.mu.Unlock()
	if p.view == nil || p.height != height {
		v, err := l.At(height)
		if err != nil {
			return nil, false, 0, err
		}
		if p.view != nil {
			p.view.Close()
		}
		p.view, p.height = v, height
	}
	value, ok = p.view.Get([]byte(key))
	return value, ok, p.view.Height(), nil
}

// close has to come before the ledger's.
func (p *past) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.view != nil {
		p.view.Close()
		p.view = nil
	}
}
