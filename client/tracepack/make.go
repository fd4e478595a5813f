package tracepack

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	"mulian/client/prooffile"
	"mulian/console/verify"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// Order is what is wanted.
type Order struct {
	Object  string // state key or any id, as TraceService takes it
	Direct  bool   // only what touches the object itself
	Program string // who makes it: "mulian v0.3.0"
}

// Pack is one that was made.
type Pack struct {
	Zip      []byte
	Name     string // under which it is saved
	Steps    int
	Complete bool // false: there are more steps than [MaxSteps]
}

// atOnce bounds the proofs that are made at one time.
const atOnce = 4

// Make packs the trace of an object: what the server tells of it, each step proved. NotFound
// if nothing has the id; TooLong above [MaxZip]; else as [prooffile.Maker.Event].
func Make(ctx context.Context, c *client.Client, m *prooffile.Maker, o Order) (*Pack, error) {
	steps, complete, err := tell(ctx, c, o)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{VerifierFile: []byte(verify.Source)}
	if err := prove(ctx, m, steps, files); err != nil {
		return nil, err
	}
	if strings.Count(o.Object, "/") >= 2 { // a state key: also what stands there now
		file, err := m.Object(ctx, o.Object)
		if err == nil {
			files[ObjectFile] = file
		} else if !fault.Is(err, fault.NotFound) && !fault.Is(err, fault.Forbidden) { // taken off the state, or for its parties alone
			return nil, err
		}
	}
	genesis, err := c.Ledger.GetGenesis(ctx, connect.NewRequest(&ledgerv1.GetGenesisRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	files[GenesisFile] = genesis.Msg.GetSignedGenesis()
	hash := m.GenesisHash()
	man := &Manifest{Format: Format, Object: o.Object, Genesis: hex.EncodeToString(hash[:]), Steps: len(steps), Complete: complete, Program: o.Program}
	return seal(man, steps, files, hash)
}

// tell asks the server for the steps, in both languages.
func tell(ctx context.Context, c *client.Client, o Order) (steps []Step, complete bool, err error) {
	for _, lang := range []string{"zh-CN", "en-US"} {
		req := connect.NewRequest(&tracev1.TraceRequest{Object: o.Object, Direct: o.Direct, Limit: MaxSteps})
		req.Header().Set("Accept-Language", lang)
		res, err := c.Trace.Trace(ctx, req)
		if err != nil {
			return nil, false, wire.Fault(err)
		}
		complete = res.Msg.GetNext() == ""
		for i, s := range res.Msg.GetSteps() {
			if lang == "zh-CN" {
				seq := strconv.FormatInt(s.GetSeq(), 10)
				steps = append(steps, Step{Seq: seq, Zh: s.GetTitle(), Proof: proofFolder + seq + proofEnd})
			} else if i < len(steps) && steps[i].Seq == strconv.FormatInt(s.GetSeq(), 10) {
				steps[i].En = s.GetTitle()
			}
		}
	}
	if len(steps) == 0 {
		return nil, false, fault.Newf(fault.NotFound, "nothing has happened to %.100q", o.Object)
	}
	return steps[:min(len(steps), MaxSteps)], complete, nil
}

// prove makes the proof file of each step.
func prove(ctx context.Context, m *prooffile.Maker, steps []Step, files map[string][]byte) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex // guards files and first
	var first error
	var wait sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i := range steps {
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			seq, err := strconv.ParseInt(steps[i].Seq, 10, 64)
			var file []byte
			if err == nil {
				file, err = m.Event(ctx, seq)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				first = cmpErr(first, fmt.Errorf("step %s: %w", steps[i].Seq, err))
				cancel()
				return
			}
			files[steps[i].Proof] = file
		})
	}
	wait.Wait()
	return first
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// seal derives what the proofs say, zips everything, and checks it as a stranger would.
func seal(man *Manifest, steps []Step, files map[string][]byte, hash [32]byte) (*Pack, error) {
	v := &checker{files: files, hash: hash, m: man}
	if err := v.checkProofs(steps); err != nil {
		return nil, err
	}
	for i := range steps {
		steps[i].Act = v.all[i].said.Acts[0]
	}
	name := "trace-" + strings.Trim(plainName.ReplaceAllString(man.Object, "-"), "-")
	name = name[:min(len(name), 80)] + ".zip"
	man.Chain = v.all[0].report.Chain
	for at, x := range map[string]any{TraceFile: trail{man.Object, steps}, HeadersFile: headers(v.all), CertificatesFile: certificates(v.all)} {
		raw, err := marshal(x)
		if err != nil {
			return nil, err
		}
		files[at] = raw
	}
	files[ReadMeFile] = readMe(man, name)
	for _, at := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[at])
		man.Files = append(man.Files, File{at, len(files[at]), sum[:]})
	}
	var err error
	if files[ManifestFile], err = marshal(man); err != nil {
		return nil, err
	}
	raw, err := zipped(files, lastTime(v.all))
	if err != nil {
		return nil, err
	}
	if len(raw) > MaxZip {
		return nil, fault.Newf(fault.TooLong, "a trace pack of %d bytes, at most %d: ask for the object alone", len(raw), MaxZip)
	}
	if r := Check(raw, hash); !r.OK {
		return nil, fault.Newf(fault.VerificationFailed, "what the server answered proves nothing: %s, %s: %s", r.Step, r.Field, r.Reason)
	}
	return &Pack{raw, name, len(steps), man.Complete}, nil
}

var plainName = regexp.MustCompile(`[^0-9A-Za-z]+`)

// lastTime is when the latest block was made: two packs of one moment are the same bytes.
func lastTime(all []*proved) time.Time {
	var out time.Time
	for _, p := range all {
		if t, err := time.Parse(time.RFC3339Nano, p.report.Time); err == nil && t.After(out) {
			out = t
		}
	}
	return out
}

func zipped(files map[string][]byte, at time.Time) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: at.UTC()})
		if err == nil {
			_, err = w.Write(files[name])
		}
		if err != nil {
			return nil, fmt.Errorf("trace pack: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("trace pack: %w", err)
	}
	return b.Bytes(), nil
}
