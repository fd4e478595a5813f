package e2e_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	_ "modernc.org/sqlite"

	"mulian/client"
	"mulian/gateway"
	database "mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Under these variables the test binary is the process that is killed.
const (
	liveDir = "MULIAN_E2E_LIVE" // folder in which it lives
	liveRun = "MULIAN_E2E_RUN"  // how often it was started before
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(liveDir); dir != "" {
		live(dir, os.Getenv(liveRun))
		return
	}
	if told := os.Getenv(killDeposit); told != "" {
		if err := depositAlone(told); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		return
	}
	if raw := os.Getenv(doorAlone); raw != "" {
		if err := runDoor(raw); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		return
	}
	if os.Getenv(importList) != "" {
		if err := importAlone(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
		return
	}
	os.Exit(m.Run())
}

// victim is a place that ends with an exit status.
type victim struct{}

func (victim) Helper()                          {}
func (victim) Logf(format string, args ...any)  { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (p victim) Errorf(format string, a ...any) { p.Fatalf(format, a...) }
func (p victim) Fatalf(format string, a ...any) { p.Logf(format, a...); os.Exit(3) }
func (victim) Cleanup(func())                   {} // it is killed
func (victim) Output() io.Writer                { return os.Stderr }

// act is one line of the file of acknowledgements: that something was begun, or that
// it was acknowledged. What was acknowledged has to be there for ever, once.
type act struct {
	Kind   string `json:"kind"`
	Name   string `json:"name"`             // of its own: run.number
	Done   bool   `json:"done"`             // acknowledged
	Tx     string `json:"tx,omitempty"`     // hex
	Height int64  `json:"height,omitempty"` // of the block
	ID     string `json:"id,omitempty"`     // that it made
	Number uint64 `json:"number,omitempty"` // of a delivery; leaf of a query's record
	Seq    uint64 `json:"seq,omitempty"`
	Rows   int64  `json:"rows,omitempty"`
	Gen    int64  `json:"gen,omitempty"` // generation of the source before a fetch
	Sum    string `json:"sum,omitempty"` // digest of a delivery, SHA-256 of a record
}

// acts appends to the file.
type acts struct {
	mu   sync.Mutex
	file *os.File
}

// write adds a line; an acknowledgement is on disk when it returns.
func (a *acts) write(x act) error {
	raw, err := json.Marshal(x)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.file.Write(append(raw, '\n')); err != nil || !x.Done {
		return err
	}
	return a.file.Sync()
}

// readActs reads the file. Its last line may be torn: it was never acknowledged.
func readActs(path string) ([]act, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []act
	for s := bufio.NewScanner(f); s.Scan(); {
		var x act
		if json.Unmarshal(s.Bytes(), &x) == nil {
			out = append(out, x)
		}
	}
	return out, nil
}

// Rows of the table, and of one imported batch of entries.
const (
	liveRows  = 10_000
	liveBatch = 40
)

// life is a member and two gateways in one process, always at work.
type life struct {
	*town
	run       string
	acts      *acts
	plan      *department // has the permits
	water     *department // asks for them
	source    *sql.DB
	door, tap *running
	permits   *cataloguev1.Entry
	standing  standing
}

// standing are the agreements under which the process delivers and asks.
type standing struct {
	Batch string `json:"batch"`
	Query string `json:"query"`
}

// newLife opens what is in dir, or makes it.
func newLife(p place, dir, run string) *life {
	p.Helper()
	l := &life{town: newTown(p, dir), run: run}
	f, err := os.OpenFile(l.path("acts"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	l.ok(err)
	l.acts = &acts{file: f}
	l.plan, l.water = l.department(3, "规划和自然资源委员会", sm.SM2), l.department(4, "水务局", sm.P256)
	l.makeSource()
	l.door = l.open(l.plan, "", gateway.Source{Name: "plan", URL: "sqlite:" + l.path("plan.db")})
	l.tap = l.open(l.water, "sqlite:"+l.path("own.db"))
	l.stand()
	return l
}

// makeSource makes the planning commission's database.
func (l *life) makeSource() {
	var err error
	l.source, err = sql.Open("sqlite", "file:"+l.path("plan.db")+"?_pragma=journal_mode(WAL)&_pragma=busy_timeout(10000)&_txlock=immediate")
	l.ok(err)
	_, err = l.source.Exec(fmt.Sprintf(`
		CREATE TABLE IF NOT EXISTS permit (no TEXT NOT NULL PRIMARY KEY, project TEXT, gen INTEGER NOT NULL);
		INSERT OR IGNORE INTO permit SELECT printf('P%%06d', value), '项目 ' || value, 0 FROM generate_series(1, %d)`, liveRows))
	if err != nil { // no generate_series in this build
		_, err = l.source.Exec(fmt.Sprintf(`
			WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
			INSERT OR IGNORE INTO permit SELECT printf('P%%06d', i), '项目 ' || i, 0 FROM n`, liveRows))
	}
	l.ok(err)
}

// stand makes the standing entry and its agreements at the first start.
func (l *life) stand() {
	raw, err := os.ReadFile(l.path("standing"))
	if err == nil {
		l.ok(json.Unmarshal(raw, &l.standing))
		l.permits = &cataloguev1.Entry{}
		l.get("catalogue/entry/"+l.plan.Account+":permit", l.permits)
		return
	}
	ids, err := l.door.RegisterTables(context.Background())
	l.ok(err)
	l.permits = l.entryOf(l.plan, "permit", "规划许可", ids[0], nil)
	l.as(l.plan.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{l.permits}})
	l.standing.Batch = l.agree(l.water, l.plan, terms(l.water, l.permits, byBatch))
	l.standing.Query = l.agree(l.water, l.plan, terms(l.water, l.permits, byQuery))
	_, err = l.tap.Fetch(context.Background(), l.whole()) // uses are of what was delivered
	l.ok(err)
	raw, err = json.Marshal(l.standing)
	l.ok(err)
	l.ok(os.WriteFile(l.path("standing"), raw, 0o600))
}

// live works until it is killed.
func live(dir, run string) {
	p := victim{}
	l := newLife(p, dir, run)
	again, err := unfinished(l.path("acts"))
	l.ok(err)
	fmt.Println(l.chain.URL())
	for _, work := range []func(n int){l.imports(again), l.requests, l.deliveries, l.queries, l.uses} {
		go func() {
			for n := 1; ; n++ {
				work(n)
			}
		}()
	}
	select {}
}

// unfinished names the imports that were begun and not acknowledged: who imports
// does it again.
func unfinished(path string) ([]string, error) {
	all, err := readActs(path)
	var out []string
	open := map[string]bool{}
	for _, x := range all {
		if x.Kind == "import" {
			open[x.Name] = !x.Done
		}
	}
	for _, x := range all {
		if open[x.Name] && x.Kind == "import" {
			out, open[x.Name] = append(out, x.Name), false
		}
	}
	return out, err
}

// whole is the fetch that is made again and again.
func (l *life) whole() deliver.Fetch {
	return deliver.Fetch{Agreement: l.standing.Batch, Entry: l.permits.Id, Into: database.TableName{Name: "permits"}}
}

func (l *life) name(n int) string { return l.run + "." + strconv.Itoa(n) }

// send carries out one act of the ledger: begun, sent, acknowledged.
func (l *life) send(kind, name string, s client.Signer, m proto.Message) *client.Receipt {
	l.ok(l.acts.write(act{Kind: kind, Name: name}))
	r := l.as(s, m)
	x := act{Kind: kind, Name: name, Done: true, Tx: hex.EncodeToString(r.TxID[:]), Height: r.Height}
	if len(r.IDs) > 0 {
		x.ID = r.IDs[0]
	}
	l.ok(l.acts.write(x))
	return r
}

// imports submits a batch of entries; those that a kill interrupted first.
func (l *life) imports(again []string) func(int) {
	return func(n int) {
		name := l.name(n)
		if n <= len(again) {
			name = again[n-1]
		}
		m := &cataloguev1.SubmitEntries{}
		for i := range liveBatch {
			m.Entries = append(m.Entries, &cataloguev1.Entry{
				Id: fmt.Sprintf("%s:%s.%d", l.plan.Account, name, i), Name: fmt.Sprintf("导入目录 %s 第 %d 条", name, i), Abstract: "批量导入", Provider: l.plan.Account,
				Duties: []string{l.plan.duty}, Category: "城乡建设/规划", Format: cataloguev1.Format_FORMAT_TABLE,
				ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
			})
		}
		l.send("import", name, l.plan.Signer, m)
	}
}

// requests takes one request to an active agreement.
func (l *life) requests(n int) {
	name := l.name(n)
	m := terms(l.water, l.permits, byQuery)
	m.Matter = "事项 " + name
	request := l.send("request", name, l.water.Signer, &sharev1.FileRequest{Terms: m, Gateway: l.water.gateway}).IDs[0]
	agreement := l.send("answer", name, l.plan.Signer, &sharev1.Answer{Request: request, Accept: true}).IDs[0]
	l.send("confirm", name, l.water.Signer, &sharev1.ConfirmAgreement{Agreement: agreement, Version: 1})
}

// deliveries makes a new generation of the source and takes it whole.
func (l *life) deliveries(n int) {
	run, err := strconv.ParseInt(l.run, 10, 64)
	l.ok(err)
	gen := run*1_000_000 + int64(n)
	_, err = l.source.Exec(`UPDATE permit SET gen = ?`, gen)
	l.ok(err)
	l.ok(l.acts.write(act{Kind: "deliver", Name: l.name(n), Gen: gen}))
	got, err := l.tap.Fetch(context.Background(), l.whole())
	for fault.Is(err, fault.Busy) { // the start still finishes what the kill interrupted
		time.Sleep(5 * time.Millisecond)
		got, err = l.tap.Fetch(context.Background(), l.whole())
	}
	l.ok(err)
	l.ok(l.acts.write(act{Kind: "deliver", Name: l.name(n), Done: true, Number: got.Delivery, Rows: got.Rows, Gen: gen, Sum: got.Digest}))
}

// queries asks for one permit by its number.
func (l *life) queries(n int) {
	l.ok(l.acts.write(act{Kind: "query", Name: l.name(n)}))
	key := fmt.Sprintf("P%06d", 1+n*37%liveRows)
	res, err := l.tap.Query(context.Background(), l.standing.Query, l.permits.Id, nil, 1, &gatewayv1.KeyValue{Item: "no", Value: key})
	l.ok(err)
	if len(res.Rows) != 1 || res.Rows[0][0].Text != key {
		l.Fatalf("asked for %s, got %v", key, res.Rows)
	}
	sum := sha256.Sum256(res.Receipt.GetRecord())
	l.ok(l.acts.write(act{Kind: "query", Name: l.name(n), Done: true, Number: res.Receipt.GetLeafIndex(), Seq: res.Record.GetSeq(), Sum: hex.EncodeToString(sum[:])}))
}

// uses accounts for a use of what was delivered.
func (l *life) uses(n int) {
	l.send("use", l.name(n), client.Signer{Account: l.water.Account, Key: l.water.Key}, &sharev1.RecordUse{
		Agreement: l.standing.Batch, Purpose: "核验" + l.permits.GetName(), MatterCase: "办件 " + l.name(n), Rows: 1, Effect: "免交证明",
	})
}
