package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/lacking"
	"mulian/gateway/connect/internal/statement"
)

// keepBytes is what the printed statements let a slot keep of the log: an hour of 3 MiB
// a second. Our own choice; the department's administrator knows the disk.
const keepBytes = "10GB"

// plan is what a Follow needs to know, and what it found missing.
type plan struct {
	feed      feedName
	version   int // as 150018
	role      string
	database  string
	databaseN uint32
	tables    []*followed
	ending    time.Duration // of a connection that does not answer, by the server's settings

	published bool // the publication is there
	missing   []connect.TableName
	slot      slotState

	mayPublish bool // the account may change the publication, or make it

	lacking.List
}

type slotState struct {
	there, lost bool
	confirmed   lsn
}

// feedName makes the names of what a feed leaves on the server.
type feedName string

func (f feedName) publication() string { return "mulian_" + string(f) }

// slot is unique in a server, not in a database.
func (p *plan) slotName() string { return fmt.Sprintf("mulian_%s_%d", p.feed, p.databaseN) }

// survey finds out what the server has and lacks for a feed of the tables.
func (s *source) survey(ctx context.Context, tables []connect.TableName) (*plan, error) {
	p := &plan{feed: s.feed.name}
	return p, s.read(ctx, func(conn *pgconn.PgConn) error {
		if err := p.server(ctx, conn); err != nil {
			return err
		}
		for _, name := range tables {
			if err := p.table(ctx, conn, named(name)); err != nil {
				return err
			}
		}
		if err := p.publication(ctx, conn); err != nil {
			return err
		}
		p.unpublished()
		return p.slotOf(ctx, conn)
	})
}

const serverSQL = `
SELECT current_setting('server_version_num'), current_user, current_database(), (SELECT oid FROM pg_database WHERE datname = current_database()),
       current_setting('wal_level'), (SELECT rolreplication OR rolsuper FROM pg_roles WHERE rolname = current_user), pg_is_in_recovery(),
       coalesce((SELECT setting FROM pg_settings WHERE name = 'max_slot_wal_keep_size'), 'none'),
       coalesce((SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'), '0')`

// server looks at the settings and the account.
func (p *plan) server(ctx context.Context, conn *pgconn.PgConn) error {
	return query(ctx, conn, serverSQL, nil, func(_ []pgconn.FieldDescription, v [][]byte) error {
		version, err1 := strconv.Atoi(string(v[0]))
		number, err2 := strconv.ParseUint(string(v[3]), 10, 32)
		millis, err3 := strconv.Atoi(string(v[8]))
		if err1 != nil || err2 != nil || err3 != nil {
			return fmt.Errorf("postgres: settings of the server do not read")
		}
		p.version, p.role, p.database, p.databaseN = version, string(v[1]), string(v[2]), uint32(number)
		p.ending = time.Duration(millis) * time.Millisecond
		if p.version < 140000 {
			p.Source(fmt.Sprintf("the server has version %d, the feed needs 14 or later", p.version/10000))
		}
		if isTrue(v[6]) {
			p.Source("this server is a standby; the feed is read from the primary")
			return nil
		}
		if string(v[4]) != "logical" {
			p.Source("wal_level is "+string(v[4]), "ALTER SYSTEM SET wal_level = 'logical';", "-- and restart the server")
		}
		if string(v[7]) == "-1" {
			// A receiver that is away must not fill the department's disk.
			p.Source("nothing bounds what a slot keeps of the log", "ALTER SYSTEM SET max_slot_wal_keep_size = '"+keepBytes+"';", "SELECT pg_reload_conf();")
		}
		if !isTrue(v[5]) {
			p.Source("the account may not read the log", "ALTER ROLE "+statement.Quote(p.role)+" REPLICATION;",
				"-- and in pg_hba.conf, before other lines, so that it can copy no whole server: host replication "+statement.Quote(p.role)+" all reject")
		}
		return nil
	})
}

const identitySQL = `
SELECT c.relkind, c.relpersistence, c.relreplident, coalesce(i.indimmediate, true), pg_has_role(c.relowner, 'USAGE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE n.nspname = $1::text AND c.relname = $2::text`

// table looks whether the server tells the primary key of each change of a table. One
// that cannot be told is never published: then its UPDATEs would fail.
func (p *plan) table(ctx context.Context, conn *pgconn.PgConn, n connect.TableName) error {
	t, _, err := one(ctx, conn, n)
	if errors.Is(err, connect.ErrNoTable) {
		p.Table(n, "is not there, or the account may not read it")
		return nil
	}
	if err != nil {
		return err
	}
	if len(t.PrimaryKey) == 0 {
		p.Table(n, "has no primary key")
		return nil
	}
	f := &followed{name: n, key: t.PrimaryKey}
	for _, name := range t.PrimaryKey {
		col, _ := t.Column(name)
		f.kind = append(f.kind, col.Kind)
	}
	return query(ctx, conn, identitySQL, [][]byte{[]byte(n.Schema), []byte(n.Name)}, func(_ []pgconn.FieldDescription, v [][]byte) error {
		kind, persistence, identity := string(v[0]), string(v[1]), string(v[2])
		f.owned = isTrue(v[4])
		switch {
		case kind != "r" && kind != "p":
			p.Table(n, "is no table")
			return nil
		case !isTrue(v[3]):
			p.Table(n, "its primary key is deferrable")
			return nil
		case persistence != "p":
			p.Table(n, "is not in the log (unlogged)", "ALTER TABLE "+statement.Table(n)+" SET LOGGED;")
		case identity == "f" && p.version >= 150000:
			// A publication of key columns alone would make every UPDATE of the table fail.
			p.Table(n, "logs whole rows (REPLICA IDENTITY FULL)", "ALTER TABLE "+statement.Table(n)+" REPLICA IDENTITY DEFAULT;")
		case identity != "d" && identity != "f":
			p.Table(n, "does not log its primary key", "ALTER TABLE "+statement.Table(n)+" REPLICA IDENTITY DEFAULT;")
		}
		p.tables = append(p.tables, f) // with what is printed it will do
		return nil
	})
}

// publication looks what is published, by the rows of pg_publication_tables.
func (p *plan) publication(ctx context.Context, conn *pgconn.PgConn) error {
	name := [][]byte{[]byte(p.feed.publication())}
	const mine = `SELECT has_database_privilege(current_database(), 'CREATE')`
	err := query(ctx, conn, mine, nil, func(_ []pgconn.FieldDescription, v [][]byte) error { p.mayPublish = isTrue(v[0]); return nil })
	if err != nil {
		return err
	}
	err = query(ctx, conn, `SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AND pubviaroot, pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = $1::text`, name,
		func(_ []pgconn.FieldDescription, v [][]byte) error {
			p.published, p.mayPublish = true, isTrue(v[1])
			if !isTrue(v[0]) {
				p.Source("the publication leaves changes out", p.dropPublication(), p.createPublication())
			}
			return nil
		})
	if err != nil {
		return err
	}
	columns, filter := "NULL", "NULL"
	if p.version >= 150000 {
		columns, filter = "to_json(attnames)::text", "rowfilter"
	}
	have := map[connect.TableName]bool{}
	sql := `SELECT schemaname, tablename, ` + columns + `, ` + filter + ` FROM pg_publication_tables WHERE pubname = $1::text`
	err = query(ctx, conn, sql, name, func(_ []pgconn.FieldDescription, v [][]byte) error {
		n := connect.TableName{Schema: string(v[0]), Name: string(v[1])}
		i := slices.IndexFunc(p.tables, func(f *followed) bool { return f.name == n })
		if i < 0 {
			return nil
		}
		have[n] = true
		var names []string
		if v[2] != nil {
			if err := json.Unmarshal(v[2], &names); err != nil {
				return fmt.Errorf("postgres: columns of a publication: %w", err)
			}
		}
		for _, k := range p.tables[i].key {
			if v[2] != nil && !slices.Contains(names, k) {
				p.Table(n, fmt.Sprintf("the publication lacks column %q", k), p.republish(p.tables[i])...)
			}
		}
		if v[3] != nil {
			p.Table(n, "the publication leaves rows out", p.republish(p.tables[i])...)
		}
		return nil
	})
	for _, f := range p.tables {
		if !have[f.name] {
			p.missing = append(p.missing, f.name)
		}
	}
	return err
}

// unpublished notes the tables that are not published and that the account may not publish: it
// owns neither them nor the publication.
func (p *plan) unpublished() {
	for _, f := range p.tables {
		if !p.mayPublish || !f.owned {
			if slices.Contains(p.missing, f.name) {
				p.Table(f.name, "is not published, and the account may not do it", p.publish())
			}
		}
	}
}

// republish is what publishes a table anew, and leaves the others as they are.
func (p *plan) republish(f *followed) []string {
	alter := "ALTER PUBLICATION " + statement.Quote(p.feed.publication())
	return []string{alter + " DROP TABLE " + statement.Table(f.name) + ";", alter + " ADD TABLE " + p.publishes(f) + ";"}
}

func (p *plan) dropPublication() string {
	return "DROP PUBLICATION " + statement.Quote(p.feed.publication()) + ";"
}

func (p *plan) createPublication() string {
	var tables []string
	for _, f := range p.tables {
		tables = append(tables, p.publishes(f))
	}
	return "CREATE PUBLICATION " + statement.Quote(p.feed.publication()) + " FOR TABLE " + strings.Join(tables, ", ") + " WITH (publish_via_partition_root = true);"
}

// publishes names a table and, where the server can, only the columns of its key: no other
// value leaves it.
func (p *plan) publishes(f *followed) string {
	if p.version < 150000 {
		return statement.Table(f.name)
	}
	return statement.Table(f.name) + " (" + quoteAll(f.key) + ")"
}

// publish is the statement that publishes what is missing; "" if nothing is.
func (p *plan) publish() string {
	if !p.published {
		return p.createPublication()
	}
	var tables []string
	for _, f := range p.tables {
		if slices.Contains(p.missing, f.name) {
			tables = append(tables, p.publishes(f))
		}
	}
	if len(tables) == 0 {
		return ""
	}
	return "ALTER PUBLICATION " + statement.Quote(p.feed.publication()) + " ADD TABLE " + strings.Join(tables, ", ") + ";"
}

const slotSQL = `
SELECT plugin = 'pgoutput' AND database = current_database(), coalesce(wal_status = 'lost', false), coalesce((confirmed_flush_lsn - '0/0'::pg_lsn)::text, '0')
FROM pg_replication_slots WHERE slot_name = $1::text`

func (p *plan) slotOf(ctx context.Context, conn *pgconn.PgConn) error {
	return query(ctx, conn, slotSQL, [][]byte{[]byte(p.slotName())}, func(_ []pgconn.FieldDescription, v [][]byte) error {
		if !isTrue(v[0]) {
			p.Source("somebody else's slot has the name "+p.slotName(), "SELECT pg_drop_replication_slot('"+p.slotName()+"');")
			return nil
		}
		at, err := strconv.ParseUint(string(v[2]), 10, 64)
		p.slot = slotState{there: true, lost: isTrue(v[1]), confirmed: lsn(at)}
		return err
	})
}
