package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
)

// Tables, partitioned tables, views, materialised views and foreign tables,
// with the columns that the account may read. $1 and $2 pick one table, or
// all where $1 is NULL. Partitions are parts of their table, not tables. The
// collations 950 and 951 are "C" and "POSIX"; what a database's default one or an
// ICU one does cannot be told from its name.
const columnsSQL = `
SELECT n.nspname, c.relname, c.relkind IN ('v', 'm'), coalesce(td.description, ''),
       a.attname, format_type(a.atttypid, a.atttypmod), coalesce(base.oid, a.atttypid), NOT a.attnotnull,
       a.atthasdef OR a.attidentity <> '', coalesce(cd.description, ''),
       a.attcollation NOT IN (0, 950, 951)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_description td ON td.classoid = 'pg_class'::regclass AND td.objoid = c.oid AND td.objsubid = 0
LEFT JOIN pg_description cd ON cd.classoid = 'pg_class'::regclass AND cd.objoid = c.oid AND cd.objsubid = a.attnum
LEFT JOIN pg_type base ON t.typtype = 'd' AND base.oid = t.typbasetype
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%' AND c.relname NOT IN ('` + connect.ControlTable + `', '` + connect.SubscriptionTable + `')
  AND has_schema_privilege(n.oid, 'USAGE') AND (has_table_privilege(c.oid, 'SELECT') OR has_column_privilege(c.oid, a.attnum, 'SELECT'))
  AND ($1::text IS NULL OR n.nspname = $1::text AND c.relname = $2::text)
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", a.attnum`

const indexesSQL = `
SELECT n.nspname, c.relname, ic.relname, i.indisprimary, i.indisunique, i.indpred IS NOT NULL,
       to_json(ARRAY(SELECT coalesce(a.attname::text, '(expression)')
             FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(num, place)
             LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num AND k.num <> 0
             WHERE k.place <= i.indnkeyatts ORDER BY k.place))
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_class ic ON ic.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition AND i.indislive
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%'
  AND has_schema_privilege(n.oid, 'USAGE')
  AND ($1::text IS NULL OR n.nspname = $1::text AND c.relname = $2::text)`

// A description is what we know of the tables, and of which columns the order
// depends on the server's locale.
type description struct {
	schema connect.Schema
	local  map[string]bool // quoted by localKey
}

func localKey(n connect.TableName, column string) string {
	return n.Schema + "\x00" + n.Name + "\x00" + column
}

// defaultSchema is what an empty TableName.Schema means.
const defaultSchema = "public"

// named fills in the default schema.
func named(n connect.TableName) connect.TableName {
	if n.Schema == "" {
		n.Schema = defaultSchema
	}
	return n
}

// describe reads the structure of all tables, or of one. It belongs in a transaction.
func describe(ctx context.Context, conn *pgconn.PgConn, only *connect.TableName) (*description, error) {
	args := [][]byte{nil, nil}
	if only != nil {
		n := named(*only)
		args = [][]byte{[]byte(n.Schema), []byte(n.Name)}
	}
	d := &description{local: map[string]bool{}}
	tables := &d.schema.Tables
	// Type names are printed without a schema if that is in the search path: the
	// document must not depend on the account's settings.
	if err := exec(ctx, conn, "SET LOCAL search_path = pg_catalog"); err != nil {
		return nil, err
	}
	err := query(ctx, conn, columnsSQL, args, func(_ []pgconn.FieldDescription, v [][]byte) error {
		n := connect.TableName{Schema: string(v[0]), Name: string(v[1])}
		if len(*tables) == 0 || (*tables)[len(*tables)-1].TableName != n {
			if len(*tables) == connect.MaxTables {
				return fmt.Errorf("%w: more than %d tables", connect.ErrTooLarge, connect.MaxTables)
			}
			*tables = append(*tables, connect.Table{TableName: n, View: isTrue(v[2]), Comment: string(v[3])})
		}
		t := &(*tables)[len(*tables)-1]
		oid, err := strconv.ParseUint(string(v[6]), 10, 32)
		if err != nil {
			return fmt.Errorf("postgres: type of %s.%s: %w", n, v[4], err)
		}
		t.Columns = append(t.Columns, connect.Column{
			Name: string(v[4]), Type: string(v[5]), Kind: kindOf(uint32(oid)), Nullable: isTrue(v[7]), HasDefault: isTrue(v[8]),
			Position: len(t.Columns) + 1, Comment: string(v[9]),
		})
		if isTrue(v[10]) {
			d.local[localKey(n, string(v[4]))] = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := d.indexes(ctx, conn, args); err != nil {
		return nil, err
	}
	if err := exec(ctx, conn, "SET LOCAL search_path TO DEFAULT"); err != nil {
		return nil, err
	}
	d.schema.Normalise()
	return d, d.schema.Check()
}

// indexes adds keys and indexes to the tables that are there. One with a column that the
// account may not read is left out: its columns are not part of the document.
func (d *description) indexes(ctx context.Context, conn *pgconn.PgConn, args [][]byte) error {
	at := map[connect.TableName]*connect.Table{}
	for i := range d.schema.Tables {
		at[d.schema.Tables[i].TableName] = &d.schema.Tables[i]
	}
	return query(ctx, conn, indexesSQL, args, func(_ []pgconn.FieldDescription, v [][]byte) error {
		t, ok := at[connect.TableName{Schema: string(v[0]), Name: string(v[1])}]
		if !ok {
			return nil
		}
		ix := connect.Index{Name: string(v[2]), Unique: isTrue(v[4]), Partial: isTrue(v[5])}
		if err := json.Unmarshal(v[6], &ix.Columns); err != nil {
			return fmt.Errorf("postgres: index %s: %w", ix.Name, err)
		}
		for _, name := range ix.Columns {
			if _, ok := t.Column(name); !ok && !strings.HasPrefix(name, "(") {
				return nil
			}
		}
		if isTrue(v[3]) {
			t.PrimaryKey = ix.Columns
		} else {
			t.Indexes = append(t.Indexes, ix)
		}
		return nil
	})
}

func isTrue(v []byte) bool { return string(v) == "t" }
