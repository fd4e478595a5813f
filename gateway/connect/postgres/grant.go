package postgres

import (
	"fmt"
	"slices"
	"strings"

	"mulian/gateway/connect"
	"mulian/gateway/connect/internal/statement"
)

// grants gives the statements for an account that reads.
func grants(rawURL string, g connect.Grant) ([]string, error) {
	p, err := newPool(rawURL)
	if err != nil {
		return nil, err
	}
	role := statement.Quote(g.Role)
	out := []string{
		"-- read only: SELECT on the columns that are catalogued, and no other right",
		fmt.Sprintf("CREATE ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT %d;", role, 2*maxConns),
		"-- it has no password yet; in psql: \\password " + g.Role,
		fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s;", statement.Quote(p.config.Database), role),
	}
	var schemas, published []string
	for _, t := range g.Tables {
		t.TableName = named(t.TableName)
		if !slices.Contains(schemas, t.Schema) {
			schemas = append(schemas, t.Schema)
			out = append(out, fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s;", statement.Quote(t.Schema), role))
		}
		var columns []string
		for _, c := range t.Columns {
			columns = append(columns, c.Name)
		}
		out = append(out, fmt.Sprintf("GRANT SELECT (%s) ON TABLE %s TO %s;", quoteAll(columns), statement.Table(t.TableName), role))
		if len(t.PrimaryKey) > 0 && !t.View {
			published = append(published, statement.Table(t.TableName)+" ("+quoteAll(t.PrimaryKey)+")")
		}
	}
	if g.Feed && len(published) > 0 {
		out = append(out,
			"-- optional, to be told of changes as they happen instead of looking for them (version 15 or later; wal_level = logical",
			"-- and max_slot_wal_keep_size set): the keys of these tables leave the server by it, no other value",
			"ALTER ROLE "+role+" REPLICATION;",
			"-- in pg_hba.conf, before other lines, so that it can copy no whole server: host replication "+g.Role+" all reject",
			fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE %s WITH (publish_via_partition_root = true);", statement.Quote(p.name.publication()), strings.Join(published, ", ")),
			"-- optional too, by a superuser: changes of the structure are told at once")
		out = append(out, triggerSQL...)
	}
	return out, nil
}
