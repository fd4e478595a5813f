package mysql

import (
	"fmt"
	"strings"

	"mulian/gateway/connect"
)

// grants gives the statements for an account that reads, in the words of MySQL 5.7 and
// MariaDB 10.4 and of every client: names in backticks.
func grants(rawURL string, g connect.Grant) ([]string, error) {
	c, err := parse(rawURL)
	if err != nil {
		return nil, err
	}
	account := fmt.Sprintf("'%s'@'%s'", g.Role, or(g.Host, "%"))
	out := []string{
		"-- read only: SELECT on the columns that are catalogued, and no other right",
		fmt.Sprintf("CREATE USER %s WITH MAX_USER_CONNECTIONS %d ACCOUNT LOCK;", account, 2*maxConns),
		"-- it opens with a password of yours, which goes into the gateway's passfile:",
		fmt.Sprintf("-- ALTER USER %s IDENTIFIED BY '...' ACCOUNT UNLOCK;", account),
	}
	for _, t := range g.Tables {
		if t.Schema != "" && t.Schema != c.DBName {
			return nil, fmt.Errorf("%w: table %s is not in the database that the URL names", connect.ErrInvalid, t.TableName)
		}
		var columns []string
		for _, col := range t.Columns {
			columns = append(columns, backticks(col.Name))
		}
		out = append(out, fmt.Sprintf("GRANT SELECT (%s) ON %s.%s TO %s;", strings.Join(columns, ", "), backticks(c.DBName), backticks(t.Name), account))
	}
	if g.Feed {
		out = append(out,
			"-- optional, to be told of changes as they happen instead of looking for them. The log is the whole",
			"-- server's, with all databases and columns in it: the gateway keeps the keys of the tables above alone",
			fmt.Sprintf("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s;", account))
	}
	return out, nil
}

func backticks(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
