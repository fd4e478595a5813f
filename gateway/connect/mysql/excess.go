package mysql

import (
	"context"
	sqldriver "database/sql/driver"
	"regexp"
	"slices"
	"strings"

	"mulian/gateway/connect"
)

// harmless are the rights that reading and following need, and those that show no more than names.
var harmless = []string{
	"USAGE", "SELECT", "SHOW VIEW", "SHOW DATABASES", "SHOW CREATE ROUTINE",
	"REPLICATION SLAVE", "REPLICATION CLIENT", "BINLOG MONITOR", "SLAVE MONITOR", "REPLICA MONITOR",
}

// granted reads a line of SHOW GRANTS, as "GRANT SELECT (`a`, `b`), INSERT ON `db`.`t` TO ...": the
// rights, where, and what follows the account.
var (
	granted  = regexp.MustCompile(`(?s)^GRANT (.+?) ON (?:TABLE |FUNCTION |PROCEDURE |PACKAGE |PACKAGE BODY )?(\S+) TO (.*)$`)
	unquoted = strings.NewReplacer("`", "", `"`, "")
	columns  = regexp.MustCompile(`\s*\([^)]*\)`)
)

// Excess is connect.Restricted's. A role is told itself, whatever its rights: the account can
// take it at any time.
func (s *source) Excess(ctx context.Context) (out []string, err error) {
	err = s.on(ctx, func(ctx context.Context, c *session) error {
		return c.query(ctx, "SHOW GRANTS", nil, func(v []sqldriver.Value) error {
			if say := excessOf(text(v[0])); say != "" && !slices.Contains(out, say) && len(out) < connect.MaxExcess {
				out = append(out, say)
			}
			return nil
		})
	})
	return out, err
}

// excessOf is what one line gives too much.
func excessOf(line string) string {
	m := granted.FindStringSubmatch(line)
	switch {
	case m == nil && !strings.HasPrefix(line, "GRANT "):
		return "" // SET DEFAULT ROLE
	case m == nil:
		role, _, _ := strings.Cut(strings.TrimPrefix(line, "GRANT "), " TO ")
		return "role " + short(unquoted.Replace(role))
	}
	var rights []string
	for _, right := range strings.Split(columns.ReplaceAllString(m[1], ""), ", ") {
		if !slices.Contains(harmless, right) {
			rights = append(rights, short(right))
		}
	}
	if strings.Contains(m[3], " WITH GRANT OPTION") {
		rights = append(rights, "GRANT OPTION")
	}
	if len(rights) == 0 {
		return ""
	}
	return strings.Join(rights, ", ") + " on " + short(unquoted.Replace(m[2]))
}

func short(s string) string { return s[:min(len(s), connect.MaxNameBytes)] }
