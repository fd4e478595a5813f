package city

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mulian/city/content"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// deliverPermits takes both tables into the water bureau's own database.
func (s *story) deliverPermits(ctx context.Context) (int64, []string, error) {
	var lines []string
	height := int64(0)
	for _, e := range s.entries {
		into := connect.TableName{Name: planning.Entry(e.Name).Source}
		loaded, err := s.fetch(ctx, deliver.Fetch{
			Agreement: s.agreement.Id, Entry: e.Id, Into: into,
			Progress: func(rows, expected int64) {
				s.tell.doing("%s  %s / %s", s.tell.quoted(e.Name), thousands(rows), thousands(expected))
			},
		})
		if err != nil {
			return 0, nil, err
		}
		s.rows += loaded.Rows
		height = max(height, loaded.Height)
		lines = append(lines, fmt.Sprintf(s.tell.t("%s%s 行，压缩密封 %.1f MB，%.2f 秒", "%s: %s rows, %.1f MB sealed, %.2f s"),
			s.tell.quoted(e.Name), thousands(loaded.Rows), float64(loaded.Bytes)/1e6, loaded.Took.Seconds()))
	}
	return height, append(lines, fmt.Sprintf(s.tell.t("%s → %s；先落访问日志，后放行第一个字节", "%s → %s\nthe access log is on disk before the first byte leaves"),
		s.tell.named(gatewayOf(planning)), s.tell.named(gatewayOf(water)))), nil
}

// fetchWait bounds the waiting for an earlier fetch into the same table that a kill
// had interrupted and the gateway finishes by itself.
const fetchWait = 30 * time.Second

func (s *story) fetch(ctx context.Context, f deliver.Fetch) (*deliver.Loaded, error) {
	end := time.Now().Add(fetchWait)
	for {
		loaded, err := s.gateways[water.Short].Fetch(ctx, f)
		if !fault.Is(err, fault.Busy) || time.Now().After(end) {
			return loaded, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// comparePermits opens both databases, as neither department could, and compares
// every value. It also picks the permit whose builder is looked up next.
func (s *story) comparePermits(ctx context.Context) (int64, []string, error) {
	ours, err := s.open(ctx, water)
	if err != nil {
		return 0, nil, err
	}
	defer ours.Close()
	theirs, err := s.open(ctx, planning)
	if err != nil {
		return 0, nil, err
	}
	defer theirs.Close()
	var total int64
	for _, e := range s.entries {
		of := connect.Selection{Table: connect.TableName{Name: planning.Entry(e.Name).Source}, Columns: columnsOf(e), OrderBy: []string{"permit_no"}}
		var was *connect.Digest
		other := make(chan error, 1)
		go func() { // waited for in the next lines
			var err error
			was, _, err = sum(ctx, theirs, of)
			other <- err
		}()
		is, last, err := sum(ctx, ours, of)
		if err := errors.Join(err, <-other); err != nil {
			return 0, nil, err
		}
		if was.Sum() != is.Sum() || was.Rows() != is.Rows() {
			return 0, nil, fault.Newf(fault.VerificationFailed, "%s: %d rows were given, %d arrived, or they differ", e.Name, was.Rows(), is.Rows())
		}
		total += is.Rows()
		s.builder = last[slices.Index(of.Columns, "builder_code")].Text
	}
	if total != s.rows {
		return 0, nil, fault.Newf(fault.VerificationFailed, "%d rows are there, %d were delivered", total, s.rows)
	}
	height, err := s.height(ctx, nil)
	return height, []string{fmt.Sprintf(s.tell.t("%s 行，两库摘要相同", "%s rows; both databases give the same digest"), thousands(total))}, err
}

func (c *City) open(ctx context.Context, d *content.Department) (connect.Source, error) {
	i := slices.IndexFunc(databases, func(x database) bool { return x.owner == d.Short })
	return connect.Open(ctx, "sqlite:"+databases[i].path(c.path(databaseDir)))
}

func columnsOf(e *cataloguev1.Entry) (columns []string) {
	for _, it := range e.GetItems() {
		columns = append(columns, it.GetColumn())
	}
	return columns
}

// sum digests all rows of a selection, and returns the last one.
func sum(ctx context.Context, db connect.Source, of connect.Selection) (*connect.Digest, connect.Row, error) {
	d := connect.NewDigest()
	var last connect.Row
	err := db.Scan(ctx, of, func(b connect.Batch) error {
		d.Add(b.Rows...)
		last = b.Rows[len(b.Rows)-1]
		return nil
	})
	return d, last, err
}
