package share // want "has no comment", want "knows both rules and ledger"

import (
	"maps"
	"math"
	"math/rand" // want "not listed as pure"
	"os"        // want "not listed as pure"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"example.org/far"     // want "not listed as pure"
	"mulian/ledger"       // want "does not stand below"
	"mulian/rules/fine"   // a room may know its own
	"mulian/state"        // stands below
	"mulian/undiscovered" // want "does not stand below"
)

// Share is a listed word.
type Share struct {
	Ends  map[string]int64
	Ratio float64   // want "floating point"
	Wire  chan bool // want "uses a channel"
	Where uintptr   // want "an address"
}

// Gizmo is not a listed word.
type Gizmo struct{} // want "Gizmo is not a word"

type shareData struct{} // want "type shareData: the name says nothing"

var last int64

var table = []int64{1}

func init() { table[0] = 2 }

// Judge breaks what it can.
func (s *Share) Judge(m proto.Message) int64 {
	for range s.Ends { // want "ranges over a map"
	}
	for id := range s.Ends { // any order: only counts
		_ = id
	}
	for range fine.Ends() { // want "ranges over a map"
	}
	for range far.Ends() { // want "whose type this fence cannot see"
	}
	for range slices.Sorted(maps.Keys(s.Ends)) {
	}
	ids := slices.Collect(maps.Keys(s.Ends)) // want "walks a map"
	go s.Judge(m)                            // want "starts a goroutine"
	select {                                 // want "selects"
	case <-s.Wire:
	default:
	}
	s.Wire <- true             // want "uses a channel"
	for range make(chan int) { // want "uses a channel" and want "uses a channel"
	}
	last++                                                                               // want "writes the package variable last"
	table[0] = int64(len(ids))                                                           // want "writes the package variable table"
	half := int64(0.5 * 4)                                                               // want "floating point"
	half += int64(math.Sqrt(4))                                                          // want "math.Sqrt"
	half += math.MaxInt64                                                                // a constant
	now := time.Now()                                                                    // want "machine's clock"
	_ = now.Local()                                                                      // want "machine's zone"
	_ = time.UnixMilli(half)                                                             // want "machine's zone"
	_ = time.UnixMilli(half).UTC()                                                       // sound
	_ = time.Date(1, 1, 1, 1, 1, 1, 1, time.Local)                                       // want "machine's zone"
	b, _ := proto.Marshal(m)                                                             // want "encode through internal/canon"
	m.ProtoReflect().Range(func(protoreflect.FieldDescriptor, protoreflect.Value) bool { // want "no fixed order"
		return true
	})
	m.ProtoReflect().Range(nil) // any order: only counts
	os.Exit(len(b) + rand.Int())
	_ = ledger.Height + state.Height
	return half
}
