package postgres

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"

	"mulian/gateway/connect"
)

// excessSQL lists the rights that reading does not need. Of a superuser, who has all, it says
// that alone. TEMPORARY is left out: everybody has it, and it touches nobody's tables.
const excessSQL = `
WITH me AS (SELECT * FROM pg_roles WHERE rolname = current_user),
own AS (SELECT EXISTS (SELECT FROM pg_replication_slots WHERE database = current_database() AND slot_name LIKE 'mulian\_%') AS feed)
SELECT CASE WHEN me.rolsuper THEN 'superuser' END FROM me
UNION ALL SELECT right_ FROM me, own, LATERAL (
  SELECT unnest(ARRAY[
    CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolcreatedb THEN 'CREATEDB' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
    CASE WHEN rolreplication AND NOT own.feed THEN 'REPLICATION, and no feed needs it' END,
    CASE WHEN has_database_privilege(current_database(), 'CREATE') THEN 'CREATE on database ' || current_database() END]) AS right_
  UNION ALL SELECT 'member of ' || rolname FROM pg_roles WHERE pg_has_role(current_user, oid, 'MEMBER')
    AND rolname IN ('pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files', 'pg_signal_backend', 'pg_checkpoint', 'pg_create_subscription', 'pg_maintain')
  UNION ALL SELECT 'CREATE on schema ' || nspname FROM pg_namespace
    WHERE nspname NOT LIKE 'pg\_%' AND nspname <> 'information_schema' AND has_schema_privilege(oid, 'CREATE')
  UNION ALL SELECT concat_ws(', ',
      CASE WHEN pg_has_role(c.relowner, 'USAGE') THEN 'owner' END,
      CASE WHEN has_table_privilege(c.oid, 'INSERT') OR has_any_column_privilege(c.oid, 'INSERT') THEN 'INSERT' END,
      CASE WHEN has_table_privilege(c.oid, 'UPDATE') OR has_any_column_privilege(c.oid, 'UPDATE') THEN 'UPDATE' END,
      CASE WHEN has_table_privilege(c.oid, 'DELETE') THEN 'DELETE' END, CASE WHEN has_table_privilege(c.oid, 'TRUNCATE') THEN 'TRUNCATE' END,
      CASE WHEN has_table_privilege(c.oid, 'TRIGGER') THEN 'TRIGGER' END, CASE WHEN has_any_column_privilege(c.oid, 'REFERENCES') THEN 'REFERENCES' END)
      || ' on ' || CASE c.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || n.nspname || '.' || c.relname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND (pg_has_role(c.relowner, 'USAGE') OR CASE WHEN c.relkind = 'S' THEN has_table_privilege(c.oid, 'UPDATE')
        ELSE has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER') OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES') END)
  ) AS rights WHERE NOT rolsuper AND right_ IS NOT NULL
LIMIT $1::text::int`

// Excess is connect.Restricted's.
func (s *source) Excess(ctx context.Context) (out []string, err error) {
	err = s.read(ctx, func(conn *pgconn.PgConn) error {
		return query(ctx, conn, excessSQL, [][]byte{[]byte("21")}, func(_ []pgconn.FieldDescription, v [][]byte) error {
			if v[0] != nil && len(out) < connect.MaxExcess {
				out = append(out, string(v[0]))
			}
			return nil
		})
	})
	return out, err
}
