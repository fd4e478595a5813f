package content

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/code"
)

// Region is the city's code in GB/T 2260: Beijing.
const Region = "110000"

//go:embed departments/*.txt
var files embed.FS

// Department is one organisation of the city's government.
type Department struct {
	Code     string // 统一社会信用代码, invented
	Name     string
	Short    string
	English  string
	Category string // path under which its entries are filed
	System   *cataloguev1.System
	Duties   []*cataloguev1.Duty
	Entries  []Entry
}

// Entry is a draft of a catalogue entry with the table on which it lies, if it lies
// on one: then each item has its column.
type Entry struct {
	*cataloguev1.Entry        // without Table: its id has the gateway's in it
	Source             string // name of the table in the department's database; empty = catalogued only
}

// Profile is what the ledger says of the department.
func (d *Department) Profile() *identityv1.OrgProfile {
	return &identityv1.OrgProfile{
		Name: d.Name, ShortName: d.Short, NameEn: d.English, Level: identityv1.OrgLevel_ORG_LEVEL_CITY,
		Region: Region, SharingOffice: "办公室（政务数据共享工作机构）",
	}
}

// Entry returns the entry with a name. It panics if there is none: the name stands
// in our own program.
func (d *Department) Entry(name string) Entry {
	for _, e := range d.Entries {
		if e.Name == name {
			return e
		}
	}
	panic("city/content: " + d.Short + " has no entry " + name)
}

// Departments returns all departments in the order of the files. The value is
// shared: nobody changes it.
var Departments = sync.OnceValue(func() []*Department {
	list, err := parse(files)
	if err != nil {
		panic("city/content: " + err.Error()) // our own files
	}
	return list
})

// Find returns the department with a short name. It panics if there is none.
func Find(short string) *Department {
	for _, d := range Departments() {
		if d.Short == short {
			return d
		}
	}
	panic("city/content: no department " + short)
}

// parse reads every file, in the order of their names.
func parse(files fs.FS) ([]*Department, error) {
	names, err := fs.Glob(files, "departments/*.txt")
	if err != nil {
		return nil, err
	}
	p := &parser{}
	for _, name := range names {
		raw, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		n := 0
		for line := range strings.Lines(string(raw)) {
			n++
			if err := p.line(strings.TrimSpace(line)); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, n, err)
			}
		}
	}
	return p.list, nil
}

// creditCode makes the n-th invented code: 11 (organ of the state), the city, an
// organisation code that begins with MULN, and both check characters.
func creditCode(n int) string {
	body := fmt.Sprintf("MULN%04d", n)
	body += checked(body, "0123456789X", code.CheckOrgCode)
	head := "11" + Region + body
	return head + checked(head, "0123456789ABCDEFGHJKLMNPQRTUWXY", code.CheckUSCC)
}

// checked returns the one character of set that completes a code.
func checked(head, set string, check func(string) error) string {
	for _, c := range set {
		if check(head+string(c)) == nil {
			return string(c)
		}
	}
	panic("city/content: no check character completes " + head)
}
