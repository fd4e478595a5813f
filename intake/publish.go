package intake

import (
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake/sheet"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// published reads what portals publish beside what the ledger decides on: keywords,
// files, licence, dates, the page, languages, the identifier. What does not hold as
// an address, a date or a language stays in the file, and is told as an unused value.
func (b *builder) published(e *cataloguev1.Entry, r *record) {
	b.keywords(e, r)
	b.files(e, r)
	e.Licence = b.licence(r, e.Licence)
	if page := oneLine(r.text(LandingPage)); linkable(page) {
		e.LandingPage = page
	} else if page != "" && !placeholder.MatchString(page) {
		r.rest = append(r.rest, r.fields[LandingPage])
	}
	for _, tag := range split(r.text(Languages)) {
		if l := languageOf(tag); l == "" {
			r.rest = append(r.rest, cell{name: r.fields[Languages].name, text: tag})
		} else if len(e.Languages) < maxLanguages && !contains(e.Languages, l) {
			e.Languages = append(e.Languages, l)
		}
	}
	e.Issued = b.day(r, Issued)
	e.Modified = b.modified(e, r)
	b.coverage(e, r)
	if e.Origin = first(oneLine(r.text(Origin)), maxOrigin); e.Origin == "" {
		if id := oneLine(r.text(Code)); !isOwnID(id) && utf8.RuneCountInString(id) <= maxOrigin && code.DamageOf(id) == 0 {
			e.Origin = id
		}
	}
}

// keywords takes each once. A list of the file is a list; a text is cut at the marks
// in use.
func (b *builder) keywords(e *cataloguev1.Entry, r *record) {
	c := r.fields[Keywords]
	words := split(c.text)
	if c.list || strings.Contains(c.text, "\n") {
		words = listOf(c.text)
	}
	seen := make(map[string]bool, len(words))
	left := 0
	for _, w := range words {
		switch {
		case seen[w], placeholder.MatchString(w):
		case len(e.Keywords) >= maxKeywords, utf8.RuneCountInString(w) > maxKeyword:
			left++
		default:
			seen[w] = true
			e.Keywords = append(e.Keywords, w)
		}
	}
	if left > 0 {
		b.tell(accepted, r, Keywords, fault.TooLong, b.lang.Say("%d 个关键字过长或超过 %d 个，未导入", "%d keywords are too long or more than %d; they are not imported", left, maxKeywords), "")
	}
}

// fileKeys are what portals call the parts of a distribution, without prefixes. Of
// two the one with the lower rank counts: what downloads the file before what shows
// a page on it.
var fileKeys = map[string]struct {
	part string
	rank int
}{
	"title": {"title", 1}, "name": {"title", 2}, "displayname": {"title", 3},
	"downloadurl": {"url", 1}, "url": {"url", 2}, "accessurl": {"url", 3}, "latest": {"url", 4}, "endpointurl": {"url", 5},
	"format": {"format", 1}, "type": {"", 9}, "filetype": {"", 9},
	"mediatype": {"media", 1}, "mimetype": {"media", 2}, "mime": {"media", 3},
	"size": {"bytes", 2}, "filesize": {"bytes", 1}, "bytesize": {"bytes", 1}, "bytes": {"bytes", 1},
	"modified": {"modified", 1}, "lastmodified": {"modified", 2}, "published": {"modified", 3},
	"license": {"licence", 1}, "licence": {"licence", 1}, "accessservice": {"api", 1}, "api": {"api", 1},
}

// fileParts sorts the values of one distribution. What has no place is told.
func (s *sorter) fileParts(r *record, name string, f sheet.Field) map[string]string {
	parts, ranks := make(map[string]string), make(map[string]int)
	if len(f.Parts) == 0 {
		parts["url"] = f.Text
		return parts
	}
	for _, p := range f.Parts {
		text := textOf(p)
		if text == "" {
			continue
		}
		key := headerKey(p.Name)
		if i := strings.LastIndexByte(key, ':'); i >= 0 {
			key = key[i+1:]
		}
		k, ok := fileKeys[key]
		if !ok || k.part == "" {
			if p.Name != "@type" && p.Name != "@id" {
				r.rest = append(r.rest, cell{name: name + "." + p.Name, text: "…"})
			}
			continue
		}
		if old, taken := ranks[k.part]; taken && old <= k.rank {
			continue
		}
		parts[k.part], ranks[k.part] = text, k.rank
	}
	return parts
}

// textOf is the text of a value, or what an object says first of itself.
func textOf(f sheet.Field) string {
	if len(f.Parts) == 0 {
		return strings.TrimSpace(f.Text)
	}
	for _, p := range f.Parts {
		if t := textOf(p); t != "" {
			return t
		}
	}
	return ""
}

// files makes resources of the distributions.
func (b *builder) files(e *cataloguev1.Entry, r *record) {
	list := r.files
	if address := oneLine(r.text(ResourceURL)); address != "" {
		for _, a := range strings.FieldsFunc(address, func(c rune) bool { return c == ';' || c == '；' || c == '|' || unicode.IsSpace(c) }) {
			list = append(list, map[string]string{"url": a})
		}
	}
	if c, ok := r.fields[Resources]; ok { // a text that is no address
		r.rest = append(r.rest, c)
	}
	b.counts.entries++
	if len(list) == 0 {
		b.counts.withoutFile++
	}
	size, left := 0, r.moreFiles
	for _, p := range list {
		f := b.resource(p, r.ownFiles)
		if e.Licence == "" {
			e.Licence = p["licence"]
		}
		if f == nil {
			left++
			continue
		}
		if size += proto.Size(f); len(e.Resources) >= maxResources || size > maxResourceBytes {
			left++
			continue
		}
		e.Resources = append(e.Resources, f)
	}
	if left > 0 {
		b.tell(accepted, r, Resources, fault.TooLong, b.lang.Say("%d 个资源文件没有可用的网址，或超过 %d 个，未导入", "%d resources have no usable address, or are beyond %d; they are not imported", left, maxResources), "")
	}
	if e.Format == 0 && !r.ownFiles {
		for _, f := range e.Resources {
			if v, err := b.parseFormat(f.Format); err == nil && f.Format != "" {
				e.Format = cataloguev1.Format(v)
				break
			}
		}
	}
}

// resource is one distribution, or nil for one without an address. What portals say of
// one tells whether it is an interface; ours say it themselves.
func (b *builder) resource(p map[string]string, ours bool) *cataloguev1.Resource {
	f := &cataloguev1.Resource{
		Title: first(oneLine(p["title"]), maxTitle), Url: oneLine(p["url"]),
		Format: first(oneLine(lastStep(p["format"], "/file-type/")), 100), MediaType: first(oneLine(lastStep(p["media"], "/media-types/")), 200),
	}
	if !linkable(f.Url) {
		return nil
	}
	if n, err := strconv.ParseUint(strings.TrimSuffix(p["bytes"], ".0"), 10, 64); err == nil {
		f.Bytes = n
	}
	f.Modified, _ = dayOf(p["modified"])
	if v, err := b.parseFormat(f.Format); !ours && f.Format != "" && err == nil && v == code.FormatAPI || p["api"] != "" && p["api"] != "false" {
		f.Api = true
	}
	return f
}

// lastStep is what stands behind a mark in an address of a vocabulary.
func lastStep(s, mark string) string {
	if _, after, ok := strings.Cut(s, mark); ok {
		return after
	}
	return s
}

// linkable foresees what the ledger takes as an address: http, https or ftp, with a
// host and without a user.
func linkable(s string) bool {
	scheme, rest, found := strings.Cut(s, "://")
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp":
	default:
		return false
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	return found && host != "" && host[0] != ':' && !strings.ContainsAny(host, `@\`) && utf8.RuneCountInString(s) <= maxURL &&
		!strings.ContainsFunc(s, func(c rune) bool { return c == utf8.RuneError || unicode.IsControl(c) || unicode.IsSpace(c) })
}

// licence is the file's own, else that of its first distribution.
func (b *builder) licence(r *record, ofFile string) string {
	text := b.cut(r, Licence, maxLicence)
	if text == "" {
		text = first(oneLine(ofFile), maxLicence)
	}
	if scheme, _, found := strings.Cut(text, "://"); placeholder.MatchString(text) || found && isLetters(scheme) && !linkable(text) {
		return ""
	}
	return text
}

func isLetters(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) })
}

// languageAlias are names of languages that no registry of tags has: the EU's list
// uses the bibliographic codes of ISO 639-2, portals write words.
var languageAlias = map[string]string{
	"ger": "de", "fre": "fr", "chi": "zh", "dut": "nl", "gre": "el", "cze": "cs", "rum": "ro", "slo": "sk", "ice": "is",
	"français": "fr", "francais": "fr", "english": "en", "deutsch": "de", "中文": "zh", "汉语": "zh", "简体中文": "zh-Hans", "繁體中文": "zh-Hant", "日本語": "ja",
}

// languageOf is the BCP 47 tag of a language, or "".
func languageOf(text string) string {
	t := strings.ToLower(oneLine(text))
	if i := strings.LastIndexByte(t, '/'); i >= 0 {
		t = t[i+1:]
	}
	if a, ok := languageAlias[t]; ok {
		return a
	}
	if len(t) > 35 || t == "" || t == "und" {
		return ""
	}
	tag, err := language.Parse(t)
	if err != nil {
		return ""
	}
	return tag.String()
}

// dayOf reads a date in one of the forms that say one day and no other, and writes
// it as the ledger has it. A time without a zone is no moment: its day is taken.
func dayOf(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if len(text) < 8 || len(text) > 40 {
		return "", false
	}
	if len(text) > 10 && (text[10] == 'T' || text[10] == ' ') && !strings.ContainsAny(text[11:], "zZ+-") { // the most frequent ones
		if _, err := time.Parse("15:04:05", text[11:]); err == nil {
			text = text[:10]
		}
	}
	if t, err := time.Parse(time.DateOnly, text); err == nil && t.Year() >= 1900 && t.Year() < 2100 {
		return text, true
	}
	for _, form := range dateForms {
		if len(form) < len("2006-1-2") || form == "2006年1月" {
			continue
		}
		t, err := time.Parse(form, text)
		if err != nil || t.Year() < 1900 || t.Year() >= 2100 {
			continue
		}
		if form == time.RFC3339 || form == time.RFC3339Nano {
			return t.Truncate(time.Second).Format(time.RFC3339), true
		}
		return t.Format(time.DateOnly), true
	}
	return "", false
}

// day reads a date that the ledger keeps as it is stated.
func (b *builder) day(r *record, f Field) string {
	text := r.text(f)
	if text == "" || placeholder.MatchString(text) {
		return ""
	}
	if d, ok := dayOf(text); ok {
		return d
	}
	b.date(r, f)
	return ""
}

// modified reads the date of the last change. Project Open Data lets an interval
// stand there: what changes all the time has no last change, and has a cycle.
func (b *builder) modified(e *cataloguev1.Entry, r *record) string {
	if text := r.text(Updated); strings.HasPrefix(text, "R/") {
		if v, err := parseCycle(text); err == nil && e.UpdateCycle == 0 {
			e.UpdateCycle = cataloguev1.UpdateCycle(v)
		}
		return ""
	}
	return b.day(r, Updated)
}

// coverage puts the beginning and the end of the period together, as ISO 8601 does.
func (b *builder) coverage(e *cataloguev1.Entry, r *record) {
	from, to := oneLine(r.text(PeriodFrom)), oneLine(r.text(PeriodTo))
	if e.CoverageTime == "" && from+to != "" {
		e.CoverageTime = first(from+"/"+to, 100)
	}
}

var mailAddress = regexp.MustCompile(`[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*\.[A-Za-z]{2,24}`)

// withoutMail takes e-mail addresses out of a text: persons are not on the ledger.
func (b *builder) withoutMail(r *record, text string) string {
	if strings.IndexByte(text, '@') < 0 {
		return text
	}
	n := 0
	text = mailAddress.ReplaceAllStringFunc(text, func(string) string { n++; return "[…]" })
	b.counts.contacts += n
	return text
}

// counts are what the report tells of the file as a whole.
type counts struct {
	entries     int
	withoutFile int
	contacts    int // names, addresses and numbers of persons that were left out
	contactRows int
}

// summary tells what holds of the file as a whole.
func (b *builder) summary() []sheet.Problem {
	var out []sheet.Problem
	c := b.counts
	if c.contacts > 0 {
		out = append(out, sheet.Problem{
			Field: string(Contact), Code: fault.Doubtful,
			Message:    b.lang.Say("%d 处联系人信息（姓名、邮箱、电话，涉及 %d 条）不导入：账本不存个人信息", "%d contact details (names, e-mail addresses, telephone numbers; in %d records) are left out: the ledger holds no persons", c.contacts, c.contactRows),
			Suggestion: "",
		})
	}
	if c.withoutFile > 0 && (b.present[Resources] || b.present[ResourceURL]) {
		out = append(out, sheet.Problem{
			Field: string(Resources), Code: fault.Doubtful,
			Message: b.lang.Say("%d 条（共 %d 条）没有资源文件", "%d of %d entries have no distribution", c.withoutFile, c.entries),
		})
	}
	return out
}

// themeNames are the names of the EU's themes of data, by the last step of their
// addresses.
var themeNames = map[string]string{
	"AGRI": "Agriculture, fisheries, forestry and food", "ECON": "Economy and finance", "EDUC": "Education, culture and sport", "ENER": "Energy", "ENVI": "Environment",
	"GOVE": "Government and public sector", "HEAL": "Health", "INTR": "International issues", "JUST": "Justice, legal system and public safety",
	"OP_DATPRO": "Provisional data", "REGI": "Regions and cities", "SOCI": "Population and society", "TECH": "Science and technology", "TRAN": "Transport",
}

// themes gives themes their names where the file has their addresses.
func themes(text string) string {
	if !strings.Contains(text, "/data-theme/") {
		return text
	}
	list := strings.Split(text, "；")
	for i, t := range list {
		if name, ok := themeNames[lastStep(t, "/data-theme/")]; ok {
			list[i] = name
		}
	}
	return first(strings.Join(list, "；"), maxCategory)
}
