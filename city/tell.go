package city

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"mulian/city/content"
	"mulian/client/sentence"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// teller writes the story for people, in their language. The zero of out says
// nothing.
type teller struct {
	out      io.Writer
	chinese  bool
	terminal bool
}

func newTeller(out io.Writer, lang sentence.Language, terminal bool) *teller {
	if out == nil {
		out, terminal = io.Discard, false
	}
	return &teller{out: out, chinese: lang == sentence.Chinese, terminal: terminal}
}

// t returns the text in the person's language.
func (t *teller) t(zh, en string) string {
	if t.chinese {
		return zh
	}
	return en
}

// english are short names of those who appear in the story.
var english = map[string]string{
	"规划自然资源委": "planning commission", "水务局": "water bureau", "政务数据局": "data bureau", "编办": "staffing office", "财政局": "finance bureau",
	"市场监管局": "market regulator", "住建委": "housing commission", "人力社保局": "human resources bureau", "交通委": "transport commission",
	landEntry: "land-use permits", buildingEntry: "building permits", firmEntry: "register of firms",
	"经营异常名录": "list of irregular firms", "建筑工程施工许可证": "construction permits", waterDuty: "water saving and planned use",
	purpose: "check new projects' planning permits, to plan supply and saving",
}

// short is a name of the story in the person's language.
func (t *teller) short(name string) string {
	if e := english[name]; e != "" && !t.chinese {
		return e
	}
	return name
}

// department is how a department is called in a sentence.
func (t *teller) department(d *content.Department) string {
	if s := t.short(d.Short); t.chinese || s != d.Short {
		return s
	}
	return d.English
}

// quoted is an entry's name as its language sets it off.
func (t *teller) quoted(entry string) string { return t.t("《"+entry+"》", t.short(entry)) }

// named writes departments, gateways and entries by their names instead of their ids.
func (t *teller) named(text string) string {
	var pairs []string
	for _, d := range content.Departments() {
		for _, e := range d.Entries {
			pairs = append(pairs, e.Id, t.quoted(e.Name))
		}
		name := t.department(d)
		pairs = append(pairs, gatewayOf(d), name+t.t("网关", " gateway"), d.Code, name)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// event is one line of a trace: when, who, what.
func (t *teller) event(e *tracev1.Event) string {
	lang := sentence.English
	if t.chinese {
		lang = sentence.Chinese
	}
	act := &tracev1.Event{Verb: e.GetVerb(), Objects: e.GetObjects()[:min(1, len(e.GetObjects()))]}
	what := longID.ReplaceAllString(t.named(sentence.Event(lang, act)), "$1…$2$3")
	return time.UnixMilli(e.GetTimeMs()).In(zone).Format(time.TimeOnly) + "  " + pad(t.named(e.GetActor()), t.actorWidth()) + what
}

// zone is the city's, in which the command line tells every time.
var zone = time.FixedZone("UTC+8", 8*3600)

// longID finds ids of requests and agreements, with the number of a delivery or use:
// a line shows their beginning.
var longID = regexp.MustCompile(`\b([0-9a-f]{8})[0-9a-f]{8}(?:(/)0*([1-9]))?`)

// actorWidth is the longest name of the story's actors, and a blank.
func (t *teller) actorWidth() int {
	if t.chinese {
		return 20
	}
	return 28
}

// lineWidth is where the seconds stand: with them a line fits 80 columns.
const lineWidth = 68

// detailWidth is that of the lines below, which have no seconds.
const detailWidth = 74

func (t *teller) head(version, path string) {
	t.say(t.t("目链 Mulian %s   一座城市，一个进程   数据在 %s\n", "Mulian %s   a city in one process   home %s\n"), version, home(path))
}

// done tells of a finished piece of the bring-up.
func (t *teller) done(began time.Time, format string, args ...any) {
	t.row("✓ "+fmt.Sprintf(format, args...), time.Since(began))
}

func (t *teller) note(format string, args ...any) {
	fmt.Fprintln(t.out, "! "+fmt.Sprintf(format, args...))
}

func (t *teller) row(text string, took time.Duration) {
	t.wipe()
	lines := wrap(text, lineWidth)
	for i, l := range lines {
		if i > 0 {
			l = "  " + l
		}
		if i < len(lines)-1 {
			fmt.Fprintln(t.out, l)
			continue
		}
		fmt.Fprintf(t.out, "%s%7.2f s\n", pad(l, lineWidth), took.Seconds())
	}
}

// say writes lines of their own.
func (t *teller) say(format string, args ...any) {
	for _, part := range strings.Split(fmt.Sprintf(format, args...), "\n") {
		for _, l := range wrap(part, 79) {
			fmt.Fprintln(t.out, l)
		}
	}
}

// doing shows what is under way, on a terminal only; the next line replaces it.
func (t *teller) doing(format string, args ...any) {
	if t.terminal {
		t.wipe()
		fmt.Fprint(t.out, "… "+fmt.Sprintf(format, args...))
	}
}

func (t *teller) wipe() {
	if t.terminal {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
}

// step tells of a finished step of the story.
func (t *teller) step(number int, name string, height int64, took time.Duration, lines []string) {
	at := t.t("高度 ", "height ") + strconv.FormatInt(height, 10)
	t.row(pad(fmt.Sprintf("%2d %s", number, t.title(name)), lineWidth-width(at))+at, took)
	for _, l := range strings.Split(strings.Join(lines, "\n"), "\n") {
		for j, part := range wrap(l, detailWidth) {
			if j > 0 {
				part = "  " + part
			}
			fmt.Fprintln(t.out, "   "+part)
		}
	}
}

// titles of the steps, in both languages; the names are for programs.
var titles = map[string][2]string{
	"import":  {"导入  部门自己的目录文件进入账本", "import   a department's own catalogue file"},
	"lock":    {"锁定  从此改动须会签", "lock     a change now needs counter-signatures"},
	"request": {"申请  为自己的职责要别人的数据", "request  data of another, for one's own duty"},
	"answer":  {"授权  数据所有部门答复", "answer   who holds the data decides"},
	"confirm": {"确认  双方签署的协议生效", "confirm  signed by both, the agreement holds"},
	"deliver": {"共享  数据密封直达对方自己的数据库", "deliver  sealed, into the asker's own database"},
	"compare": {"核对  两个数据库逐行比较", "compare  the two databases, row by row"},
	"use":     {"使用  用了要交代", "use      whoever uses it accounts for it"},
	"query":   {"查询  无条件目录自动授权，一次一条", "query    one record, by a standing order"},
	"trace":   {"追溯  从职责到使用", "trace    from the duty to the use"},
	"verify":  {"验证  不信服务器，只信创世", "verify   trust the genesis, not the server"},
}

func (t *teller) title(name string) string {
	w := titles[name]
	return t.t(w[0], w[1])
}

// width is how many columns a terminal gives a text: two for Chinese.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r >= 0x2e80 && r <= 0xffe6 && (r < 0xff61 || r > 0xffdf) {
		return 2
	}
	return 1
}

func pad(s string, columns int) string {
	return s + strings.Repeat(" ", max(1, columns-width(s)))
}

// wrap breaks a text into lines of at most so many columns, at blanks where there
// are some.
func wrap(s string, columns int) []string {
	var out []string
	for width(s) > columns {
		at, n, blank := 0, 0, -1
		for i, r := range s {
			if n += runeWidth(r); n > columns {
				break
			}
			if r == ' ' {
				blank = i
			}
			at = i + utf8.RuneLen(r)
		}
		if blank > at/2 {
			at = blank
		}
		out = append(out, strings.TrimRight(s[:at], " "))
		s = strings.TrimLeft(s[at:], " ")
	}
	return append(out, s)
}

// thousands writes 100000 as 100,000.
func thousands[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// answered says what a query has found.
func (t *teller) answered(rows int) string {
	if rows == 0 {
		return t.t("无此记录", "no such record")
	}
	return fmt.Sprintf(t.t("%d 条", "%d record"), rows)
}
