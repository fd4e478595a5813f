package intake

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/code"
	"mulian/internal/fault"
)

// term reads a word of a code list. A word that is not in it makes the entry
// doubtful and leaves the field empty; one for classified matter rejects it
// (order 809, article 3).
func term[T ~uint8](b *builder, r *record, f Field, list code.Table[T]) T {
	return termOf(b, r, f, list.Name(), list.Parse)
}

func termOf[T ~uint8](b *builder, r *record, f Field, name string, parse func(string) (T, error)) T {
	text := r.text(f)
	if text == "" {
		return 0
	}
	v, err := parse(text)
	switch {
	case errors.Is(err, code.ErrSecret):
		b.tell(rejected, r, f, fault.Secret, b.lang.Say("“%s”：涉密内容不得导入（国务院令第809号第三条）", "%q: classified matter must not be imported (order 809, article 3)", text), "")
	case err != nil:
		b.tell(doubtful, r, f, fault.OutOfRange, b.lang.Say("“%s”不在%s代码表中", "%q is not in the list %s", brief(text), name), b.lang.Say("改用：%s", "use one of: %s", choices(err)))
	}
	return v
}

// choices is the list of codes in the error of a code table, for the suggestion.
func choices(err error) string {
	_, list, ok := strings.Cut(err.Error(), "possible are ")
	if !ok {
		return "docs/spec/sharing.md 4.8"
	}
	return list
}

func brief(s string) string {
	if utf8.RuneCountInString(s) <= 40 {
		return s
	}
	return string([]rune(s)[:40]) + "…"
}

// lists reads what has a code list of its own.
func (b *builder) lists(e *cataloguev1.Entry, r *record) {
	e.Format = cataloguev1.Format(termOf(b, r, FormatOf, code.ResourceFormats.Name(), b.parseFormat))
	e.UpdateCycle = cataloguev1.UpdateCycle(termOf(b, r, UpdateCycle, code.UpdateCycles.Name(), b.parseCycle))
	e.Grade = cataloguev1.Grade(term(b, r, Grade, code.Grades))
	e.Personal = cataloguev1.Personal(term(b, r, Personal, code.Personals))
	e.OpenType = cataloguev1.OpenType(termOf(b, r, OpenType, code.OpenTypes.Name(), parseOpen))
	for _, m := range split(r.text(Methods)) {
		if v, err := code.Methods.Parse(m); err == nil {
			if method := cataloguev1.Method(v); !hasMethod(e.Methods, method) {
				e.Methods = append(e.Methods, method)
			}
		} else if _, err := code.ShareMethods.Parse(m); err != nil {
			b.tell(doubtful, r, Methods, fault.OutOfRange, b.lang.Say("“%s”不是交付方式", "%q is no way of delivery", brief(m)), b.lang.Say("改用：%s", "use one of: %s", "服务接口, 批量交换, 文件下载"))
		}
	}
	for _, m := range e.Methods {
		if !fits(e.Format, m) {
			b.tell(rejected, r, Methods, fault.FormatMethodMismatch, b.lang.Say("该格式的资源不能这样提供", "what has this format cannot be handed over so"), b.lang.Say("文件只能下载，接口只能查询", "a file is downloaded, an interface is queried"))
			return
		}
	}
}

// fits foresees the ledger's FormatMethodMismatch.
func fits(f cataloguev1.Format, m cataloguev1.Method) bool {
	switch f {
	case cataloguev1.Format_FORMAT_UNSTRUCTURED, cataloguev1.Format_FORMAT_FILE, cataloguev1.Format_FORMAT_FOLDER:
		return m == cataloguev1.Method_METHOD_FILE
	case cataloguev1.Format_FORMAT_API, cataloguev1.Format_FORMAT_LINK:
		return m == cataloguev1.Method_METHOD_QUERY
	}
	return true
}

func hasMethod(list []cataloguev1.Method, m cataloguev1.Method) bool {
	for _, x := range list {
		if x == m {
			return true
		}
	}
	return false
}

// lawRef finds law and article in a basis: 《统计法》第二十五条.
var lawRef = regexp.MustCompile(`《([^》]+)》[^第]*(第[^条條，。；,;]{1,20}[条條][^，。；,;]{0,20})?`)

// sharing reads the share type with what the law wants beside it; the ledger
// refuses what lacks that, so it is rejected here.
func (b *builder) sharing(e *cataloguev1.Entry, r *record) {
	e.ShareType = cataloguev1.ShareType(term(b, r, ShareType, code.ShareTypes))
	condition, basis := b.cut(r, ShareCondition, 1000), b.cut(r, DenyBasis, 1000)
	switch e.ShareType {
	case cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL:
		if r.conditional() && condition == "" {
			return // stated in the fields of our form
		}
		if condition == "" || placeholder.MatchString(condition) {
			b.tell(rejected, r, ShareCondition, fault.ConditionMissing, b.lang.Say("有条件共享而没有写明条件", "shared on conditions, and the conditions are not stated"), b.lang.Say("补上共享条件", "state the conditions"))
			return
		}
		e.Conditions = &cataloguev1.ShareConditions{Scope: condition}
	case cataloguev1.ShareType_SHARE_TYPE_DENIED:
		if law, article := oneLine(r.text(DenyLaw)), oneLine(r.text(DenyArticle)); law != "" && article != "" { // of our form
			e.DenyBasis = &cataloguev1.DenyBasis{Law: law, Article: article, Text: printable(r.text(DenyBasis))}
			return
		}
		if basis == "" {
			basis = condition
		}
		m := lawRef.FindStringSubmatch(basis)
		if m == nil || m[2] == "" {
			b.tell(rejected, r, DenyBasis, fault.DenyWithoutBasis, b.lang.Say("不予共享而没有写明法律、行政法规或国务院决定及其条款", "not shared, and no law, regulation or State Council decision with its article is named"), b.lang.Say("写成《……》第……条，或改为有条件共享", "name it as 《…》第…条, or share on conditions"))
			return
		}
		e.DenyBasis = &cataloguev1.DenyBasis{Law: m[1], Article: m[2], Text: basis}
	case cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL:
		if condition != "" && !placeholder.MatchString(condition) {
			b.tell(doubtful, r, ShareCondition, fault.CodeInconsistent, b.lang.Say("无条件共享却写有条件", "shared without conditions, and conditions are stated"), b.lang.Say("是否为有条件共享？", "is it shared on conditions?"))
		}
	}
}

// cycleWords are the words of Taiwan's portals and of data.json (ISO 8601
// repeating intervals) beside those of the code list.
var cycleWords = map[string]code.UpdateCycle{
	"即時": code.RealTime, "隨時": code.RealTime, "随时": code.RealTime, "每分鐘": code.RealTime, "每小時": code.RealTime, "每小时": code.RealTime,
	"每週": code.Weekly, "一週": code.Weekly, "週": code.Weekly, "1週": code.Weekly,
	"一天": code.Daily, "1天": code.Daily, "1日": code.Daily, "每個月": code.Monthly, "每个月": code.Monthly, "1個月": code.Monthly, "一個月": code.Monthly, "1月": code.Monthly,
	"3個月": code.Quarterly, "季刊": code.Quarterly, "6個月": code.HalfYearly, "1年": code.Yearly, "一年": code.Yearly, "年刊": code.Yearly, "月刊": code.Monthly, "週刊": code.Weekly,
	"不定時": code.Irregular, "不定时": code.Irregular, "異動時": code.Irregular, "無": code.Historical, "永不": code.Historical, "單次": code.Historical, "不需更新": code.Historical, "不再更新": code.Historical, "靜態": code.Historical,
	"r/p1d": code.Daily, "r/p1w": code.Weekly, "r/p7d": code.Weekly, "r/p1m": code.Monthly, "r/p3m": code.Quarterly, "r/p6m": code.HalfYearly, "r/p1y": code.Yearly, "r/pt1s": code.RealTime, "r/pt1h": code.RealTime,
	"r/p0.5y": code.HalfYearly, "r/p12m": code.Yearly, "r/p365d": code.Yearly, "r/p30d": code.Monthly, "r/pt1m": code.RealTime, "r/p1dt": code.Daily,
	"continuous": code.RealTime, "hourly": code.RealTime, "annual": code.Yearly, "biannual": code.HalfYearly, "semiannual": code.HalfYearly, "punctual": code.Historical, "never": code.Historical, "irregular": code.Irregular,
	// Tokyo's, of which 随時 is "whenever there is need", unlike 隨時.
	"年1回": code.Yearly, "1年ごと": code.Yearly, "1回/年": code.Yearly, "1年に1回": code.Yearly, "毎年": code.Yearly, "年次": code.Yearly, "一年ごと": code.Yearly,
	"1か月ごと": code.Monthly, "1月ごと": code.Monthly, "月1回": code.Monthly, "1回/月": code.Monthly, "毎月": code.Monthly, "月次": code.Monthly,
	"3か月ごと": code.Quarterly, "4回/年": code.Quarterly, "年4回": code.Quarterly, "四半期ごと": code.Quarterly, "四半期": code.Quarterly,
	"半年ごと": code.HalfYearly, "6か月ごと": code.HalfYearly, "年2回": code.HalfYearly, "2回/年": code.HalfYearly, "毎日": code.Daily, "日次": code.Daily, "毎週": code.Weekly, "週次": code.Weekly, "週1回": code.Weekly,
	"随時": code.Irregular, "適宜": code.Irregular, "変更の都度": code.Irregular, "変更時": code.Irregular, "必要に応じて": code.Irregular, "必要な都度更新": code.Irregular,
	"更新無": code.Historical, "更新なし": code.Historical, "更新予定なし": code.Historical, "初回のみ": code.Historical, "公開時のみ": code.Historical,
	// The EU's list of frequencies, by the last step of the address. What the national
	// list has no cycle for (every two weeks, every two years) is not here.
	"updatecont": code.RealTime, "cont": code.RealTime, "bihourly": code.RealTime, "trihourly": code.RealTime, "1min": code.RealTime, "5min": code.RealTime, "10min": code.RealTime, "15min": code.RealTime, "30min": code.RealTime, "12hrs": code.RealTime,
	"daily2": code.Daily, "weekly2": code.Weekly, "weekly3": code.Weekly, "weekly5": code.Weekly, "monthly2": code.Monthly, "monthly3": code.Monthly, "annual2": code.HalfYearly,
	"irreg": code.Irregular, "asneeded": code.Irregular, "notplanned": code.Historical,
}

// cyclesUnsaid are the words for a cycle that is not stated.
const cyclesUnsaid = " unknown notspecified other opdatpro "

var (
	cycleTail   = regexp.MustCompile(`(定期)?(更新)?([一1]次)?(更新)?$`)
	everyMinute = regexp.MustCompile(`^(每)?[0-9]+(秒|分鐘|分钟|小時|小时)$`)
)

// parseCycle reads an update cycle as people write it. What says two things, or a
// cycle that the national list does not have (每三年), is not read.
func parseCycle(text string) (code.UpdateCycle, error) {
	v, err := code.UpdateCycles.Parse(text)
	if err == nil {
		return v, nil
	}
	key, _ := code.Key(text)
	key = strings.ToLower(key)
	if strings.Contains(key, "/freq") { // the EU's list, or Dublin Core's
		key = strings.ReplaceAll(key[strings.LastIndexByte(key, '/')+1:], "_", "")
	}
	if strings.Contains(cyclesUnsaid, " "+key+" ") {
		return 0, nil
	}
	for _, k := range []string{key, cycleTail.ReplaceAllString(key, ""), brackets.ReplaceAllString(key, "")} {
		if v, ok := cycleWords[k]; ok {
			return v, nil
		}
		if everyMinute.MatchString(k) {
			return code.RealTime, nil
		}
		if v, err := code.UpdateCycles.Parse(k); err == nil && k != "" && !isDigits(k) {
			return v, nil
		}
	}
	return 0, err
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// fileFormats are endings and kinds of files that portals give as format.
const fileFormats = " csv tsv xls xlsx ods pdf doc docx jsonl topojson gpkg parquet epub tar rdfxml ttl jsonld wav mov avi bmp svg odt txt xml json geojson kml kmz shp zip rar 7z gz jpg jpeg png gif tif tiff mp3 mp4 rdf rss gml dwg ppt pptx htm html 表格 文本 图片 图像 图形图像 圖片 文档 文件夹文件 空间数据 图形 地图 音频 视频 "

// parseFormat reads a resource format, or a list of endings.
func parseFormat(text string) (code.ResourceFormat, error) {
	v, err := code.ResourceFormats.Parse(text)
	if err == nil {
		return v, nil
	}
	var found code.ResourceFormat
	for _, part := range split(strings.NewReplacer("/", ";", "|", ";").Replace(text)) {
		p, _ := code.Key(part)
		p = strings.TrimPrefix(strings.ToLower(p), ".")
		if i := strings.LastIndexByte(p, '/'); i >= 0 {
			p = p[i+1:]
		}
		one, e := code.ResourceFormats.Parse(p)
		switch {
		case e == nil:
		case strings.Contains(fileFormats, " "+p+" "):
			one = code.FormatFile
		case p == "api" || p == "webapi" || p == "webservice" || p == "wms" || p == "wfs" || p == "wmts" || p == "rest" || p == "odata" || p == "sparql":
			one = code.FormatAPI
		case p == "网页" || p == "網頁" || p == "网址":
			one = code.FormatLink
		default:
			continue
		}
		if found == 0 {
			found = one
		}
	}
	if found != 0 {
		return found, nil
	}
	return 0, err
}

// parseOpen reads an open type, also as data.json says it.
func parseOpen(text string) (code.OpenType, error) {
	word := strings.ToLower(strings.TrimSpace(lastStep(text, "/access-right/")))
	switch strings.ReplaceAll(word, "_", "-") {
	case "public":
		return code.OpenUnconditional, nil
	case "restricted public", "restricted":
		return code.OpenConditional, nil
	case "non-public", "confidential", "sensitive":
		return code.OpenDenied, nil
	}
	return code.OpenTypes.Parse(text)
}

// penalties are the kinds of administrative penalty (行政处罚法 art. 9): lists of
// powers name them in the place of the power type 行政处罚.
var penalties = regexp.MustCompile(`^(警告|通报批评|罚款|没收.*|暂扣.*|吊销.*|降低资质.*|限制.*|责令.*|行政拘留|其他)$`)

// power reads the power type of a duty or a matter.
func (b *builder) power(r *record, f Field) cataloguev1.PowerType {
	v := termOf(b, r, f, code.PowerTypes.Name(), func(text string) (code.PowerType, error) {
		v, err := code.PowerTypes.Parse(text)
		if err == nil {
			return v, nil
		}
		parts := split(text)
		for _, p := range parts {
			if !penalties.MatchString(p) {
				return 0, err
			}
		}
		if len(parts) == 0 {
			return 0, err
		}
		return code.PowerPenalty, nil
	})
	switch v {
	case code.PowerOther:
		return cataloguev1.PowerType_POWER_TYPE_OTHER
	case code.PublicService:
		return cataloguev1.PowerType_POWER_TYPE_SERVICE
	case code.PowerRequisition:
		return cataloguev1.PowerType_POWER_TYPE_EXPROPRIATION
	}
	return cataloguev1.PowerType(v)
}

// split cuts a list of short texts at the marks in use.
func split(s string) []string {
	var out []string
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",，、;；|\n\t", r) }) {
		if part = oneLine(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
