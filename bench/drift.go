package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/jackc/pgx/v5"

	"mulian/gateway"
	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

const (
	// driftTables and driftColumns are how much a gateway has to look at: a department's
	// database of usual size.
	driftTables, driftColumns = 200, 20
	driftRows                 = 10_000
	// driftBatch is how many rows one measured transaction changes.
	driftBatch = 10
	// driftGlance is how often the bench looks whether it has arrived; it is part of the times.
	driftGlance = 2 * time.Millisecond
)

// Drift measures how soon what happens in a department's PostgreSQL is known: a change of
// a table's structure on the ledger (event trigger, look, report, block), and changed rows
// in the receiver's database (feed, sealed page, receipts of both sides, load), by the clock of this
// process from the commit on. Both gateways run in processes of their own.
//
// Usage, SourceUnreachable (no database), Cancelled.
func Drift(ctx context.Context, o Options) (Result, error) {
	if o.Rows == 0 {
		o.Rows = driftRows
	}
	if o.Seconds == 0 {
		o.Seconds = 30
	}
	o.SQLite = false
	return onStage(ctx, o, "drift", func(ctx context.Context, p pair) error {
		o.Say("making %d tables of %d columns, one with %d rows", driftTables, driftColumns, o.Rows)
		return p.(*postgresPair).watched(ctx, o.Rows)
	}, func(ctx context.Context, s *stage) error {
		return s.between(ctx, cataloguev1.Method_METHOD_BATCH, func(door, tap *part, agreement string) error {
			return measureDrift(ctx, s, door, tap, agreement)
		})
	}, "wal_level=logical", "max_slot_wal_keep_size=4GB")
}

func measureDrift(ctx context.Context, s *stage, door, tap *part, agreement string) error {
	p := s.pair.(*postgresPair)
	source, err := pgx.Connect(ctx, p.from)
	if err != nil {
		return err
	}
	defer source.Close(context.WithoutCancel(ctx))
	phase := time.Duration(s.o.Seconds) * time.Second
	if err := s.ddlToLedger(ctx, s.o, p, source, door, phase, s.r); err != nil {
		return err
	}
	if err := s.rowsToReceiver(ctx, s.o, p, source, tap, agreement, phase, s.r); err != nil {
		return err
	}
	s.peaks(door, tap)
	s.r.Note("%d tables of %d columns are looked at; %s, the provider's with wal_level=logical", driftTables, driftColumns, p.what())
	s.r.Note("an event trigger tells DDL, a logical slot tells rows; the poll of 60 s finds nothing first; SM2 and SM4-GCM; ledger of one validator in this process; each gateway in a process of its own")
	return nil
}

// watched makes the tables and grants what events need.
func (p *postgresPair) watched(ctx context.Context, rows int) error {
	var statements []string
	for i := range driftTables - 1 {
		var columns []string
		for c := range driftColumns {
			columns = append(columns, fmt.Sprintf("c%d varchar(%d)", c, 10+c))
		}
		statements = append(statements, fmt.Sprintf("CREATE TABLE IF NOT EXISTS mulian_bench_other_%d (id bigint PRIMARY KEY, %s)", i, strings.Join(columns, ", ")))
	}
	if err := errors.Join(postgresDo(ctx, p.from, strings.Join(statements, ";")), p.fill(ctx, rows)); err != nil {
		return err
	}
	source, err := connect.Open(ctx, p.from)
	if err != nil {
		return err
	}
	defer source.Close()
	keeper, ok := source.(connect.FeedKeeper)
	if !ok {
		return fault.Newf(fault.Usage, "this database tells no changes")
	}
	granted, err := keeper.FeedSQL(ctx, []connect.TableName{{Name: rowsTable}})
	if err != nil {
		return err
	}
	for _, s := range granted {
		if strings.HasPrefix(s, "--") {
			continue
		}
		if err := postgresDo(ctx, p.from, s); err != nil {
			return err
		}
	}
	return nil
}

// ddlToLedger adds a column again and again, and waits each time until the ledger's table
// has it.
func (w *town) ddlToLedger(ctx context.Context, o Options, p pair, source *pgx.Conn, door *part, phase time.Duration, r *Result) error {
	table := "catalogue/table/" + w.door + ":main." + p.table()
	one := func(i int) (time.Duration, error) {
		column := fmt.Sprintf("extra_%d", i)
		if _, err := source.Exec(ctx, "ALTER TABLE "+rowsTable+" ADD COLUMN "+column+" text"); err != nil {
			return 0, err
		}
		began := time.Now()
		err := glance(ctx, "the ledger knows column "+column, func() (bool, error) {
			t := &cataloguev1.Table{}
			if _, err := w.chain.Get(ctx, table, t); err != nil {
				return false, err
			}
			columns := t.GetColumns()
			return columns[len(columns)-1].GetName() == column, nil
		})
		return time.Since(began), err
	}
	o.Say("columns come; warming up")
	if _, err := one(0); err != nil { // also waits until the gateway listens
		return err
	}
	took, cpu := &Times{}, door.cpu()
	for end, i := time.Now().Add(phase), 1; time.Now().Before(end) && i < 1000; i++ {
		d, err := one(i)
		if err != nil {
			return err
		}
		took.Add(d)
		pause(ctx, 50*time.Millisecond)
	}
	r.Add(Figure{Name: "ddl_to_ledger_p50_ms", Value: took.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "ddl_to_ledger_p95_ms", Value: took.Ms(95), Unit: "ms", Goal: "< 1,000", Note: fmt.Sprintf("of %d statements, from their commit until the block is committed", took.Len())})
	r.Add(Figure{Name: "ddl_cpu_ms", Value: float64((door.cpu() - cpu).Milliseconds()) / float64(max(took.Len(), 1)), Unit: "ms", Note: "of the provider's gateway, for each statement"})
	return nil
}

// rowsToReceiver has the asker's gateway follow the table, changes rows again and again,
// and waits each time until the receiver's own database has them.
func (w *town) rowsToReceiver(ctx context.Context, o Options, p *postgresPair, source *pgx.Conn, tap *part, agreement string, phase time.Duration, r *Result) error {
	o.Say("following the table")
	if err := tap.follow(ctx, agreement, w.entry, rowsLoaded); err != nil {
		return err
	}
	receiver, err := pgx.Connect(ctx, p.to)
	if err != nil {
		return err
	}
	defer receiver.Close(context.WithoutCancel(ctx))
	one := func(i int) (time.Duration, error) {
		mark, first := fmt.Sprintf("建设单位 %d", i), rand.IntN(max(o.Rows-driftBatch, 1))
		tag, err := source.Exec(ctx, "UPDATE "+rowsTable+" SET applicant = $1 WHERE id > $2 AND id <= $3", mark, first, first+driftBatch)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		err = glance(ctx, "the receiver has the rows of change "+fmt.Sprint(i), func() (bool, error) {
			n := int64(0)
			err := receiver.QueryRow(ctx, "SELECT count(*) FROM "+rowsLoaded+" WHERE id > $1 AND id <= $2 AND applicant = $3", first, first+driftBatch, mark).Scan(&n)
			return n == tag.RowsAffected(), err
		})
		took := time.Since(began)
		if err != nil && ctx.Err() == nil {
			err = errors.Join(err, tap.followed(ctx))
		}
		return took, err
	}
	o.Say("rows change; warming up")
	if _, err := one(0); err != nil {
		return err
	}
	took := &Times{}
	for end, i := time.Now().Add(phase), 1; time.Now().Before(end); i++ {
		d, err := one(i)
		if err != nil {
			return err
		}
		took.Add(d)
		pause(ctx, 50*time.Millisecond)
	}
	r.Add(Figure{Name: "rows_to_receiver_p50_ms", Value: took.Ms(50), Unit: "ms"})
	r.Add(Figure{Name: "rows_to_receiver_p95_ms", Value: took.Ms(95), Unit: "ms", Goal: "< 2,000", Note: fmt.Sprintf("of %d transactions of %d rows, from their commit until the receiver's commit", took.Len(), driftBatch)})
	return nil
}

// follow has the gateway keep a table of its own database equal, and waits until it is.
func (p *part) follow(ctx context.Context, agreement, entry, into string) error {
	stream, err := gateway.Control(p.cfg.Home).Follow(ctx, rpc.NewRequest(&gatewayv1.FollowRequest{Agreement: agreement, Entry: entry, Into: into}))
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		if stream.Msg().GetFollowing().GetState() == "following" {
			return nil
		}
	}
	return errors.Join(stream.Err(), fault.Newf(fault.Unreachable, "the gateway does not follow the table"))
}

// followed says as an error how it stands with what the gateway follows.
func (p *part) followed(ctx context.Context) error {
	res, err := gateway.Control(p.cfg.Home).State(ctx, rpc.NewRequest(&gatewayv1.StateRequest{}))
	if err != nil {
		return err
	}
	return fmt.Errorf("the gateway follows %v", res.Msg.GetFollowing())
}

// glance waits for what happens by itself, looking often.
func glance(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	for {
		yes, err := ok()
		if yes && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fault.Newf(fault.Timeout, "%s: not within %s", what, settled), err)
		case <-time.After(driftGlance):
		}
	}
}

// pause lets a random while pass, twice mean at most, so that changes do not fall into
// step with blocks and looks.
func pause(ctx context.Context, mean time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(2 * mean)):
	}
}
