package consent

import (
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/itemset"
)

// Languages of the text.
const (
	Chinese = "zh"
	English = "en"
)

// Choice is what the owner decides of what he is asked; zero values take all as asked.
type Choice struct {
	Items      []byte // bitmap
	NotAfterMs int64
	MaxUses    uint32
}

// Of returns what the message chooses.
func Of(m *grantv1.GiveGrant) Choice {
	return Choice{Items: m.GetItems(), NotAfterMs: m.GetNotAfterMs(), MaxUses: m.GetMaxUses()}
}

// Facts are what a text is made of, as they stand on the ledger.
type Facts struct {
	Request     *grantv1.DataRequest
	Use         *grantv1.IntendedUse
	Entry       *cataloguev1.Entry
	Purpose     *governancev1.GrantPurpose
	OrgName     string // of the data user
	CoolingSecs uint32
}

// Text returns the text of the authorisation in the language, Chinese for any but
// [English]. It ends with a line feed.
func Text(language string, f Facts, c Choice) string {
	items := f.Request.GetItems()
	if len(c.Items) > 0 {
		items = c.Items
	}
	until, uses := f.Request.GetToMs(), f.Request.GetMaxUses()
	if c.NotAfterMs != 0 {
		until = c.NotAfterMs
	}
	if c.MaxUses != 0 {
		uses = c.MaxUses
	}
	w := &writer{english: language == English}
	w.put("数据授权书", "Authorisation")
	w.line("用数方", "data user", f.OrgName+"（"+f.Request.GetOrg()+"）")
	w.line("服务", "service", f.Use.GetTitle())
	w.purpose(f.Purpose)
	w.line("数据", "data", fmt.Sprintf("%s（%s，v%d）", f.Entry.GetName(), f.Entry.GetId(), f.Use.GetEntryVersion()))
	w.items(itemset.Items(f.Entry, items))
	w.mode(f.Use.GetMode())
	w.often(f.Use.GetKind(), uses, f.Request.GetMinIntervalSeconds())
	w.term(f.Request.GetFromMs(), until, f.Use.GetKind(), f.CoolingSecs)
	w.life(f.Use.GetMode(), f.Request.GetDataLifeDays())
	w.consent(f.Use.GetBasis(), f.Use.GetConsentKind(), f.Use.GetLegalBasis())
	w.commitments(f.Request)
	w.line("告知书", "notice", strings.TrimSpace(f.Use.GetNoticeUrl()+" "+hex.EncodeToString(f.Request.GetNoticeHash())))
	w.line("咨询投诉", "contact", f.Use.GetContact())
	w.put("不得转给第三方。可随时撤回；撤回前的合法使用仍有效，已提供的数据限期删除。",
		"Not to be passed on. It can be revoked at any time; lawful use before that stays lawful, and what was delivered is deleted.")
	w.line("请求", "request", f.Request.GetId())
	return w.b.String()
}

// writer makes one line after the other.
type writer struct {
	b       strings.Builder
	english bool
}

func (w *writer) pick(zh, en string) string {
	if w.english {
		return en
	}
	return zh
}

func (w *writer) put(zh, en string) { w.b.WriteString(w.pick(zh, en) + "\n") }

// line writes "label: value", and nothing if there is no value.
func (w *writer) line(zh, en, value string) {
	if value != "" {
		w.b.WriteString(w.pick(zh+"：", en+": ") + value + "\n")
	}
}

func (w *writer) purpose(p *governancev1.GrantPurpose) {
	name := w.pick(p.GetName(), p.GetNameEn())
	if name == "" {
		name = p.GetName()
	}
	w.line("用途", "purpose", fmt.Sprintf("%s（%s）", name, p.GetCode()))
}

func (w *writer) items(list []*cataloguev1.Item) {
	for _, it := range list {
		mark := ""
		if it.GetPersonal() == cataloguev1.Personal_PERSONAL_SENSITIVE {
			mark = w.pick("（敏感个人信息）", " (sensitive)")
		}
		w.line("信息项", "item", fmt.Sprintf("%s（%s）%s", it.GetName(), it.GetCode(), mark))
	}
}

func (w *writer) mode(m grantv1.GrantMode) {
	text := map4(int(m), w.pick("仅核验是否相符", "a yes or no"), w.pick("查看，不留存", "shown, not kept"), w.pick("提供副本", "a copy is delivered"), w.pick("计算结果，不给原始数据", "a result, no row"))
	w.line("方式", "how", text)
}

// map4 picks the n-th of four texts, from 1.
func map4(n int, texts ...string) string {
	if n < 1 || n > len(texts) {
		return fmt.Sprint(n)
	}
	return texts[n-1]
}

func (w *writer) often(kind grantv1.GrantKind, uses, interval uint32) {
	if kind == grantv1.GrantKind_GRANT_KIND_ONCE {
		w.line("次数", "how often", w.pick("一次", "once"))
		return
	}
	count := w.pick("不限次数", "any number of times")
	if uses > 0 {
		count = fmt.Sprintf(w.pick("至多 %d 次", "at most %d times"), uses)
	}
	if interval > 0 {
		count += fmt.Sprintf(w.pick("，间隔不少于 %d 秒", ", at least %d seconds apart"), interval)
	}
	w.line("次数", "how often", w.pick("长期授权，", "standing, ")+count)
}

func (w *writer) term(from, until int64, kind grantv1.GrantKind, cooling uint32) {
	start := w.pick("授权时起", "when it is given")
	if kind == grantv1.GrantKind_GRANT_KIND_STANDING && cooling > 0 {
		start = fmt.Sprintf(w.pick("授权 %d 秒后起", "%d seconds after it is given"), cooling)
	}
	if from > 0 {
		start += w.pick("，不早于 ", ", not before ") + moment(from)
	}
	w.line("开始", "begins", start)
	w.line("截止", "ends", moment(until))
}

func (w *writer) life(mode grantv1.GrantMode, days uint32) {
	if mode == grantv1.GrantMode_GRANT_MODE_DELIVER {
		w.line("保存", "kept", fmt.Sprintf(w.pick("每次提供后 %d 天内删除", "each copy is deleted within %d days"), days))
		return
	}
	w.line("保存", "kept", w.pick("不留存", "not at all"))
}

func (w *writer) consent(basis grantv1.GrantBasis, kind grantv1.ConsentKind, law string) {
	b := map4(int(basis), w.pick("个人同意", "consent"), w.pick("法定职责", "statutory duty"), w.pick("订立或履行合同", "contract"))
	if kind != grantv1.ConsentKind_CONSENT_KIND_UNSPECIFIED {
		b += w.pick("，", ", ") + map4(int(kind), w.pick("明示同意", "express"), w.pick("单独同意", "separate"), w.pick("书面同意", "written"), w.pick("单次同意", "single"))
	}
	if law != "" {
		b += w.pick("，", ", ") + law
	}
	w.line("依据", "basis", b)
}

// commitments shows those of the request, so that the owner's program can hold its
// opening against what is signed.
func (w *writer) commitments(r *grantv1.DataRequest) {
	w.line("真实背景", "business reference", hex.EncodeToString(r.GetBusinessReference()))
	w.line("数据范围", "row scope", hex.EncodeToString(r.GetScopeCommitment()))
}

// beijingMs is how far Beijing's clocks are ahead of UTC.
const beijingMs = 8 * 3600 * 1000

// moment is a time in Beijing, to the second.
func moment(ms int64) string {
	return time.UnixMilli(ms + beijingMs).UTC().Format("2006-01-02 15:04:05")
}
