package connect

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// A Grant asks for the account with which a gateway reads a database, and no more than that.
type Grant struct {
	Role string // the account's name, 1 to 32 of A-Z, a-z, 0-9, _ and -
	// Host is from where it may come, for databases that ask (MySQL). Empty: from anywhere.
	Host string
	// Tables are what it is to read, with these columns alone.
	Tables []Table
	// Feed adds, as an option of its own, what following changes needs.
	Feed bool
}

var (
	roleName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9_.:/%-]{0,255}$`)
)

// GrantStatements gives what the database's administrator runs once, so that a gateway
// can read the tables of g: complete statements of its SQL, for sqlite and folders of files commands of
// the shell. What begins with "--" or "#" is a remark. Nothing is run, and no password is in
// it. ErrInvalid: the kind of database has no accounts, or g is out of bounds.
func GrantStatements(rawURL string, g Grant) ([]string, error) {
	if !roleName.MatchString(g.Role) || !hostName.MatchString(g.Host) {
		return nil, fmt.Errorf("%w: name or host of the account", ErrInvalid)
	}
	if len(g.Tables) == 0 || len(g.Tables) > MaxTables {
		return nil, fmt.Errorf("%w: an account for %d tables", ErrInvalid, len(g.Tables))
	}
	for i := range g.Tables {
		if err := g.Tables[i].check(); err != nil {
			return nil, err
		}
		if len(g.Tables[i].Columns) == 0 {
			return nil, fmt.Errorf("%w: table %s without columns", ErrInvalid, g.Tables[i].TableName)
		}
	}
	d, err := driver(rawURL)
	if err != nil {
		return nil, err
	}
	if d.Grants != nil {
		return d.Grants(rawURL, g)
	}
	scheme, rest, _ := strings.Cut(rawURL, ":")
	path, _, _ := strings.Cut(strings.TrimPrefix(rest, "//"), "?")
	if path, err = filepath.Abs(path); err != nil {
		return nil, fmt.Errorf("%w: path of the database", ErrInvalid)
	}
	switch scheme {
	case "sqlite":
		return []string{
			"# a file has no accounts and no columns: who may read it reads all of it",
			"chgrp " + g.Role + " " + shellQuote(path), "chmod 640 " + shellQuote(path),
			"# if others write it in WAL mode: its -wal and -shm likewise, and the folder with chmod 750",
		}, nil
	case "files", "csv", "parquet":
		return []string{
			"# files have no accounts and no columns: who may read them reads all of them",
			"chgrp -R " + g.Role + " " + shellQuote(path), "chmod -R u=rwX,g=rX,o= " + shellQuote(path),
		}, nil
	}
	return nil, fmt.Errorf("%w: this kind of source has no accounts", ErrInvalid)
}

func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
