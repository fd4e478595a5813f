package city

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite" of database/sql

	_ "mulian/gateway/connect/sqlite" // the scheme sqlite of gateways
	"mulian/internal/durable"
)

// Rows of the planning commission's two tables of permits: 100,000 in all.
const (
	LandPermits     = 40_000
	BuildingPermits = 60_000
)

// Rows of other tables; personCount of each of the three that are about people.
const (
	presalePermits = 7_000
	workPermits    = 12_000
	personCount    = 2_000
)

// database is one department's own database.
type database struct {
	owner  string // short name of the department
	source string // name that its gateway gives it
	tables []table
}

// table is one table with its invented rows.
type table struct {
	name    string
	columns string // as CREATE TABLE wants them
	rows    int
	row     func(v inventor, firms []firm, i int) []any
}

// databases are those of the departments that have a gateway. The water bureau's is
// empty: it receives.
var databases = []database{
	{"规划自然资源委", "planning", []table{
		{"land_permits", "permit_no TEXT PRIMARY KEY, project_name TEXT NOT NULL, builder TEXT NOT NULL, builder_code TEXT NOT NULL, site TEXT NOT NULL, district TEXT NOT NULL, land_use TEXT NOT NULL, area_m2 DECIMAL(12,1), issued_on DATE NOT NULL, valid_until DATE", LandPermits, landPermit},
		{"building_permits", "permit_no TEXT PRIMARY KEY, project_name TEXT NOT NULL, builder TEXT NOT NULL, builder_code TEXT NOT NULL, site TEXT NOT NULL, district TEXT NOT NULL, work_type TEXT NOT NULL, floor_area_m2 DECIMAL(12,1), floors INTEGER, issued_on DATE NOT NULL, valid_until DATE", BuildingPermits, buildingPermit},
		{"estates", "unit_no TEXT PRIMARY KEY, owner TEXT NOT NULL, id_number TEXT NOT NULL, site TEXT NOT NULL, right_kind TEXT NOT NULL, house_use TEXT NOT NULL, area_m2 DECIMAL(12,1), registered_at TIMESTAMP NOT NULL, seized TEXT NOT NULL, mortgaged TEXT NOT NULL", personCount, estate},
	}},
	{"水务局", "water", nil},
	{"市场监管局", "registry", []table{
		{"firms", "credit_code TEXT PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, legal_representative TEXT, capital_10k DECIMAL(12,2), address TEXT, district TEXT NOT NULL, scope TEXT, founded_on DATE NOT NULL, status TEXT NOT NULL", firmCount, registered},
		{"abnormal_firms", "credit_code TEXT PRIMARY KEY, name TEXT NOT NULL, cause TEXT NOT NULL, listed_on DATE NOT NULL, removed_on DATE", 1_200, abnormal},
	}},
	{"住建委", "housing", []table{
		{"presale_permits", "permit_no TEXT PRIMARY KEY, project_name TEXT NOT NULL, developer TEXT NOT NULL, developer_code TEXT NOT NULL, site TEXT NOT NULL, district TEXT NOT NULL, area_m2 DECIMAL(12,1), homes INTEGER, issued_on DATE NOT NULL", presalePermits, presale},
		{"work_permits", "permit_no TEXT PRIMARY KEY, project_name TEXT NOT NULL, owner_unit TEXT NOT NULL, contractor TEXT NOT NULL, site TEXT NOT NULL, floor_area_m2 DECIMAL(12,1), contract_10k DECIMAL(12,2), issued_on DATE NOT NULL", workPermits, workPermit},
	}},
	{"人力社保局", "insurance", []table{
		{"insured_units", "credit_code TEXT PRIMARY KEY, unit_name TEXT NOT NULL, insurance TEXT NOT NULL, insured_count INTEGER NOT NULL, status TEXT NOT NULL, last_paid_month TEXT NOT NULL", 15_000, insured},
		{"insured_persons", "id_number TEXT PRIMARY KEY, name TEXT NOT NULL, insurance TEXT NOT NULL, employer TEXT NOT NULL, paid_from TEXT NOT NULL, months INTEGER NOT NULL", personCount, insuredPerson},
	}},
	{"交通委", "parking", []table{
		{"parking_spaces", "space_no TEXT PRIMARY KEY, road TEXT NOT NULL, district TEXT NOT NULL, kind TEXT NOT NULL, tariff TEXT NOT NULL, opened_on DATE NOT NULL", 12_000, space},
		{"parking_daily", "day DATE NOT NULL, district TEXT NOT NULL, stays INTEGER NOT NULL, average_minutes DECIMAL(8,1), due_yuan DECIMAL(12,2), paid_yuan DECIMAL(12,2), PRIMARY KEY (day, district)", 16 * 365, daily},
		{"car_quotas", "quota_no TEXT PRIMARY KEY, name TEXT NOT NULL, id_number TEXT NOT NULL, kind TEXT NOT NULL, valid_until DATE", personCount, carQuota},
	}},
}

// makeDatabases makes the files that are not there yet, in dir, and returns how many
// rows it made. Each has its name only when it is whole and on disk.
func makeDatabases(ctx context.Context, dir string) (rows int, err error) {
	if err := durable.MkdirPrivate(dir); err != nil {
		return 0, err
	}
	firms := sync.OnceValue(inventFirms)
	var wait sync.WaitGroup
	made, errs := make([]int, len(databases)), make([]error, len(databases))
	for i, d := range databases {
		path := d.path(dir)
		if _, err := os.Stat(path); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
		wait.Go(func() { made[i], errs[i] = d.fill(ctx, path, firms) })
	}
	wait.Wait()
	for _, n := range made {
		rows += n
	}
	return rows, errors.Join(errs...)
}

func (d database) path(dir string) string { return filepath.Join(dir, d.source+".db") }

// fill makes the file under another name, without any care for a power failure, and
// gives it its name when it is synced.
func (d database) fill(ctx context.Context, path string, firms func() []firm) (rows int, err error) {
	part := path + ".part"
	for _, p := range []string{part, part + "-journal"} {
		if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return 0, err
		}
	}
	db, err := sql.Open("sqlite", "file:"+part+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=locking_mode(EXCLUSIVE)")
	if err != nil {
		return 0, fmt.Errorf("database %s: %w", d.source, err)
	}
	db.SetMaxOpenConns(1)
	for i, t := range d.tables {
		if err := t.fill(ctx, db, uint64(i)+uint64(len(d.source))<<8+uint64(d.source[0])<<16, firms()); err != nil {
			db.Close()
			return 0, fmt.Errorf("database %s, table %s: %w", d.source, t.name, err)
		}
		rows += t.rows
	}
	if len(d.tables) == 0 {
		if _, err := db.ExecContext(ctx, "PRAGMA user_version = 1"); err != nil { // else there is no file
			db.Close()
			return 0, fmt.Errorf("database %s: %w", d.source, err)
		}
	}
	if err := db.Close(); err != nil {
		return 0, fmt.Errorf("database %s: %w", d.source, err)
	}
	return rows, settle(part, path)
}

// settle makes the content durable before the name, and then the name.
func settle(part, path string) error {
	if err := os.Chmod(part, 0o600); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return durable.SyncDir(filepath.Dir(path))
}

// chunk is how many rows one INSERT carries; measured: 50 is twice as fast as one,
// 500 no faster.
const chunk = 50

// fill creates and fills the table in one transaction.
func (t table) fill(ctx context.Context, db *sql.DB, stream uint64, firms []firm) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, "CREATE TABLE "+t.name+" ("+t.columns+")"); err != nil {
		return err
	}
	v := invent(stream)
	width := len(t.row(invent(0), firms, 0))
	insert, err := tx.PrepareContext(ctx, t.insert(width, chunk))
	if err != nil {
		return err
	}
	values := make([]any, 0, width*chunk)
	for i := range t.rows {
		values = append(values, t.row(v, firms, i)...)
		if len(values) == width*chunk {
			if _, err := insert.ExecContext(ctx, values...); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	if len(values) > 0 {
		if _, err := tx.ExecContext(ctx, t.insert(width, len(values)/width), values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (t table) insert(width, rows int) string {
	one := "(" + strings.Repeat(",?", width)[1:] + ")"
	return "INSERT INTO " + t.name + " VALUES " + strings.Repeat(","+one, rows)[1:]
}

func landPermit(v inventor, firms []firm, i int) []any {
	f, d, on := firms[v.IntN(len(firms))], v.one(districts), inOrder(i, LandPermits, 2010)
	return []any{
		fmt.Sprintf("%d规自(%s)地字%05d号", on.Year(), sign(d), i+1), v.project(d), f.name, f.code, v.site(d), d,
		v.one(landUses), v.metres(90_000), iso(on), iso(on.AddDate(2, 0, 0)),
	}
}

func buildingPermit(v inventor, firms []firm, i int) []any {
	f, d, on := firms[v.IntN(len(firms))], v.one(districts), inOrder(i, BuildingPermits, 2010)
	return []any{
		fmt.Sprintf("%d规自(%s)建字%05d号", on.Year(), sign(d), i+1), v.project(d), f.name, f.code, v.site(d), d,
		v.one(works), v.metres(180_000), 1 + v.IntN(32), iso(on), iso(on.AddDate(2, 0, 0)),
	}
}

// representatives are pairs of surname and title: no person is named.
var representatives = strings.Fields("赵某 钱某 孙某 李某 周某 吴某 郑某 王某 冯某 陈某")

func registered(v inventor, firms []firm, i int) []any {
	f := firms[i]
	status := "存续"
	if v.IntN(20) == 0 {
		status = "注销"
	}
	return []any{
		f.code, f.name, "有限责任公司", v.one(representatives), fmt.Sprintf("%d.00", 50+v.IntN(20_000)), v.site(f.district), f.district,
		v.one(scopes), iso(v.day(1995, 2026)), status,
	}
}

func abnormal(v inventor, firms []firm, i int) []any {
	f, on := firms[i*(len(firms)/1_200)], v.day(2020, 2026)
	var removed any
	if v.IntN(3) == 0 {
		removed = iso(on.AddDate(0, 1+v.IntN(12), 0))
	}
	return []any{f.code, f.name, v.one(strings.Fields("未按期公示年度报告 通过登记的住所无法联系 公示信息隐瞒真实情况")), iso(on), removed}
}

func presale(v inventor, firms []firm, i int) []any {
	f, d, on := firms[v.IntN(len(firms))], v.one(districts), inOrder(i, presalePermits, 2008)
	return []any{
		fmt.Sprintf("京房售证字(%d)%05d号", on.Year(), i+1), v.project(d), f.name, f.code, v.site(d), d, v.metres(60_000), 20 + v.IntN(900), iso(on),
	}
}

func workPermit(v inventor, firms []firm, i int) []any {
	d, on := v.one(districts), inOrder(i, workPermits, 2012)
	return []any{
		fmt.Sprintf("[%d]施[%s]建字%05d号", on.Year(), sign(d), i+1), v.project(d), firms[v.IntN(len(firms))].name, firms[v.IntN(len(firms))].name,
		v.site(d), v.metres(180_000), fmt.Sprintf("%d.%02d", 100+v.IntN(90_000), v.IntN(100)), iso(on),
	}
}

func insured(v inventor, firms []firm, i int) []any {
	f := firms[i*2]
	status := "参保缴费"
	if v.IntN(25) == 0 {
		status = "暂停缴费"
	}
	return []any{f.code, f.name, "职工基本养老保险", 1 + v.IntN(800), status, fmt.Sprintf("2025-%02d", 1+v.IntN(10))}
}

func insuredPerson(v inventor, firms []firm, i int) []any {
	months := 6 + v.IntN(240)
	from := 2025*12 + 9 - months
	return []any{personNumber(i), v.one(surnames) + v.one(givenNames), "职工基本养老保险", firms[v.IntN(len(firms))].name, fmt.Sprintf("%04d-%02d", from/12, from%12+1), months}
}

// estate and carQuota are of the same invented people as insuredPerson: whoever is asked has a row
// in each of the three.
func estate(v inventor, _ []firm, i int) []any {
	d := v.one(districts)
	return []any{
		fmt.Sprintf("%s001001GB%05dF%08d", districtCodes[i%len(districtCodes)], 1+i/40, i+1), v.one(surnames) + v.one(givenNames), personNumber(i), v.site(d), "国有建设用地使用权/房屋所有权",
		v.one(strings.Fields("住宅 公寓 车位")), fmt.Sprintf("%d.%d", 20+v.IntN(90), v.IntN(10)), iso(v.day(2000, 2026)) + " 09:30:00", "未查封", v.one(strings.Fields("未抵押 已抵押")),
	}
}

func carQuota(v inventor, _ []firm, i int) []any {
	return []any{fmt.Sprintf("KC%08d", i+1), v.one(surnames) + v.one(givenNames), personNumber(i), v.one(strings.Fields("普通指标 新能源指标")), iso(v.day(2027, 2029))}
}

func space(v inventor, _ []firm, i int) []any {
	d := v.one(districts)
	return []any{fmt.Sprintf("%s%06d", districtCodes[0][:4], i+1), v.one(places) + "路", d, v.one(strings.Fields("平行式 垂直式 斜列式")), v.one(strings.Fields("一类 二类 三类")), iso(v.day(2018, 2026))}
}

func daily(v inventor, _ []firm, i int) []any {
	on := firstDay.AddDate(0, 0, i/len(districts))
	stays := 3_000 + v.IntN(20_000)
	due := stays * (400 + v.IntN(300))
	return []any{
		iso(on), districts[i%len(districts)], stays, fmt.Sprintf("%d.%d", 60+v.IntN(90), v.IntN(10)),
		fmt.Sprintf("%d.%02d", due/100, due%100), fmt.Sprintf("%d.%02d", due*96/10_000, v.IntN(100)),
	}
}
