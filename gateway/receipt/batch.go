package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/internal/fault"
	"mulian/internal/sm"
)

// One signature for the records that become ready together: the signature of a record is
// then in its batch form,
//
//	"MB" 01 || index (4 bytes, big endian) || size (4) || path (32 each) || signature
//
// where the signature is over BatchDomain || size (8 bytes) || root, root is the RFC 6962
// root of a tree of size records, and path leads from leaf index to it. It proves as much
// as a signature of the record alone: whoever could show another record under it has a
// collision of SHA-256. The plain form is a DER sequence (30 ...) or 64 bytes, so the two
// are never taken for each other.

// BatchDomain stands before size and root in what is signed for several records.
const BatchDomain = "mulian-receipts-v1\x00"

const (
	batchMagic = "MB\x01"
	batchHead  = len(batchMagic) + 8
	// MaxBatch is how many records share one signature.
	MaxBatch = 256
	// MaxSignature bounds a record's signature in either form: a path of 8 hashes.
	MaxSignature = batchHead + 8*sha256.Size + sm.MaxSignatureSize
	// maxRoots is how many batches a Verifier remembers.
	maxRoots = 1024
)

// SignBatch signs several records at once and returns the signature of each: in plain
// form if there is one record, else in batch form. At most MaxBatch records.
func SignBatch(key sm.PrivateKey, records ...[]byte) ([][]byte, error) {
	if len(records) == 1 {
		sig, err := Sign(key, records[0])
		return [][]byte{sig}, err
	}
	if len(records) == 0 || len(records) > MaxBatch {
		return nil, fault.Newf(fault.OutOfRange, "%d records to sign at once, at most %d", len(records), MaxBatch)
	}
	levels := [][][]byte{make([][]byte, len(records))}
	for i, r := range records {
		levels[0][i] = rfc6962.DefaultHasher.HashLeaf(r)
	}
	for last := levels[0]; len(last) > 1; last = levels[len(levels)-1] {
		next := make([][]byte, 0, (len(last)+1)/2)
		for i := 0; i+1 < len(last); i += 2 {
			next = append(next, rfc6962.DefaultHasher.HashChildren(last[i], last[i+1]))
		}
		if len(last)%2 == 1 { // a lone node is its own parent
			next = append(next, last[len(last)-1])
		}
		levels = append(levels, next)
	}
	sig, err := key.Sign(batchMessage(uint64(len(records)), levels[len(levels)-1][0]))
	if err != nil {
		return nil, fmt.Errorf("sign receipts: %w", err)
	}
	out := make([][]byte, len(records))
	for i := range records {
		b := make([]byte, 0, MaxSignature)
		b = append(b, batchMagic...)
		b = binary.BigEndian.AppendUint32(b, uint32(i))
		b = binary.BigEndian.AppendUint32(b, uint32(len(records)))
		at := i
		for _, level := range levels[:len(levels)-1] {
			if sibling := at ^ 1; sibling < len(level) {
				b = append(b, level[sibling]...)
			}
			at /= 2
		}
		out[i] = append(b, sig...)
	}
	return out, nil
}

func batchMessage(size uint64, root []byte) []byte {
	b := append([]byte(BatchDomain), make([]byte, 8, 8+len(root))...)
	binary.BigEndian.PutUint64(b[len(BatchDomain):], size)
	return append(b, root...)
}

// Unbatch returns what was signed, and the signature over it: of a signature in plain
// form Domain || record, of one in batch form BatchDomain, size and the root to which its
// path leads. VerificationFailed if the form is neither.
func Unbatch(record, sig []byte) (message, plain []byte, err error) {
	if !bytes.HasPrefix(sig, []byte(batchMagic)) || len(sig) <= sm.MaxSignatureSize {
		return append([]byte(Domain), record...), sig, nil
	}
	bad := fault.Newf(fault.VerificationFailed, "the receipt's signature is in no form that there is")
	if len(sig) > MaxSignature {
		return nil, nil, bad
	}
	index, size := uint64(binary.BigEndian.Uint32(sig[3:])), uint64(binary.BigEndian.Uint32(sig[7:]))
	if size < 2 || size > MaxBatch || index >= size {
		return nil, nil, bad
	}
	n := hashes(index, size)
	if len(sig) <= batchHead+n*sha256.Size {
		return nil, nil, bad
	}
	path := make([][]byte, n)
	for i := range path {
		path[i] = sig[batchHead+i*sha256.Size : batchHead+(i+1)*sha256.Size]
	}
	root, err := proof.RootFromInclusionProof(rfc6962.DefaultHasher, index, size, rfc6962.DefaultHasher.HashLeaf(record), path)
	if err != nil {
		return nil, nil, bad
	}
	return batchMessage(size, root), sig[batchHead+n*sha256.Size:], nil
}

// hashes is how long the path of a leaf is.
func hashes(index, size uint64) (n int) {
	for ; size > 1; index, size = index/2, (size+1)/2 {
		if index^1 < size {
			n++
		}
	}
	return n
}

// A Verifier is [Verify], and checks the one signature of a batch once. The zero value is
// ready; many goroutines may use it.
type Verifier struct {
	mu    sync.Mutex // guards roots
	roots map[[sha256.Size]byte]*verdict
}

// verdict is whether a batch's signature holds.
type verdict struct {
	once  sync.Once
	holds bool
}

// Verify tells whether sig is the signature of a record by the holder of pub, in either
// form: VerificationFailed if not.
func (v *Verifier) Verify(pub sm.PublicKey, record, sig []byte) error {
	message, plain, err := Unbatch(record, sig)
	if err != nil {
		return err
	}
	holds := false
	if len(plain) == len(sig) {
		holds = pub.Verify(message, plain)
	} else {
		d := v.verdict(pub, message, plain)
		d.once.Do(func() { d.holds = pub.Verify(message, plain) })
		holds = d.holds
	}
	if !holds {
		return fault.Newf(fault.VerificationFailed, "the receipt's signature by key %s does not hold", pub.ID())
	}
	return nil
}

func (v *Verifier) verdict(pub sm.PublicKey, message, sig []byte) *verdict {
	h := sha256.New()
	h.Write([]byte(pub.ID()))
	h.Write(pub.Bytes())
	h.Write(message)
	h.Write(sig)
	var name [sha256.Size]byte
	h.Sum(name[:0])
	v.mu.Lock()
	defer v.mu.Unlock()
	d := v.roots[name]
	if d == nil {
		if v.roots == nil || len(v.roots) >= maxRoots {
			v.roots = map[[sha256.Size]byte]*verdict{}
		}
		d = &verdict{}
		v.roots[name] = d
	}
	return d
}

// A Signer signs records for many goroutines: those that wait while it works share the
// next signature.
type Signer struct {
	key sm.PrivateKey

	mu      sync.Mutex // guards the two below
	waiting []*unsigned
	working bool
}

// unsigned is a record that waits for its signature.
type unsigned struct {
	record []byte
	sig    []byte
	err    error
	done   chan struct{}
}

// NewSigner signs with the key.
func NewSigner(key sm.PrivateKey) *Signer { return &Signer{key: key} }

// Sign returns the signature of a record, in plain form if it was alone.
func (s *Signer) Sign(record []byte) ([]byte, error) {
	u := &unsigned{record: record, done: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, u)
	first := !s.working
	s.working = true
	s.mu.Unlock()
	if first {
		go s.work()
	}
	<-u.done
	return u.sig, u.err
}

// work signs until nobody waits.
func (s *Signer) work() {
	for {
		runtime.Gosched() // who is about to come costs less than another signature
		s.mu.Lock()
		n := min(len(s.waiting), MaxBatch)
		batch := s.waiting[:n:n]
		s.waiting = s.waiting[n:]
		if n == 0 {
			s.waiting, s.working = nil, false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		records := make([][]byte, n)
		for i, u := range batch {
			records[i] = u.record
		}
		sigs, err := SignBatch(s.key, records...)
		for i, u := range batch {
			if u.err = err; err == nil {
				u.sig = sigs[i]
			}
			close(u.done)
		}
	}
}
