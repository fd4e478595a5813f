package sentence

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"mulian/client/sentence/internal/phrase"
	governancev1 "mulian/gen/mulian/governance/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// Difference is one field that a change alters, in words. Old is what stands now, New
// what would stand then; either is empty where the thing is not there.
type Difference struct {
	Of    string `json:"of"` // whose field it is: a member, a validator; empty for what there is one of
	Field string `json:"field"`
	Old   string `json:"old"`
	New   string `json:"new"`
}

// Change says in one sentence what a proposal would do.
func Change(lang Language, c *governancev1.Change, names Names) string {
	return in(lang, phrase.OfChange(c, func(id string) string { return show(names, id) }))
}

// ChangeNow is Change, which says of parameters only what would be another than now, as old →
// new, and how many of those that are proposed are as they stand. Each is compared: what is not
// named in the sentence is the same in now, field by field. now without parameters compares
// nothing, and all is said.
func ChangeNow(lang Language, c *governancev1.Change, now *governancev1.GetConsortiumResponse, names Names) string {
	next := c.GetSetParameters()
	if next == nil || now.GetParameters() == nil {
		return Change(lang, c, names)
	}
	d := &differ{lang: lang, names: names, now: now}
	d.compare("", now.GetParameters(), next)
	if len(d.out) == 0 {
		return d.text("设定参数：与现行参数全部相同，什么也不改", "set the parameters: all as they stand now, nothing changes")
	}
	said := make([]string, len(d.out))
	for i, x := range d.out {
		said[i] = x.Field + " " + cmp.Or(x.Old, "—") + " → " + cmp.Or(x.New, "—")
	}
	stands, same := map[string]phrase.Phrase{}, 0
	for _, f := range phrase.Facts(now.GetParameters()) {
		stands[f.Key] = f.Value
	}
	for _, f := range phrase.Facts(next) {
		if v, there := stands[f.Key]; there && v == f.Value {
			same++
		}
	}
	return d.text("修改参数：", "change the parameters: ") + strings.Join(said, d.text("；", "; ")) +
		fmt.Sprintf(d.text("；其余 %d 项与现行的相同", "; the other %d are as they stand now"), same)
}

// BodyNow is [Body] with what a proposal of parameters would change said as [ChangeNow] does.
func BodyNow(lang Language, body *txv1.Body, names Names, now *governancev1.GetConsortiumResponse) []string {
	out := Body(lang, body, names)
	for i, m := range body.GetMessages() {
		if p := m.GetPropose(); p.GetChange().GetSetParameters() != nil {
			what := ChangeNow(lang, p.GetChange(), now, names)
			out[i+1] = fmt.Sprintf("%d. %s", i+1, in(lang, phrase.Proposed(p, phrase.Phrase{Chinese: what, English: what})))
		}
	}
	return out
}

// Kind is a kind of change in words.
func Kind(lang Language, kind string) string { return in(lang, phrase.OfKind(kind)) }

func in(lang Language, p phrase.Phrase) string {
	if lang == Chinese {
		return p.Chinese
	}
	return p.English
}

// Differences compares what a change would make with what the consortium is now, field
// by field. None means that the change changes nothing. What a kind of another package
// changes is shown as it is proposed, without what stands now.
func Differences(lang Language, c *governancev1.Change, now *governancev1.GetConsortiumResponse, names Names) []Difference {
	d := &differ{lang: lang, names: names, now: now}
	switch k := c.GetKind().(type) {
	case *governancev1.Change_AdmitMember:
		d.member(k.AdmitMember.GetOrg(), k.AdmitMember)
	case *governancev1.Change_RemoveMember:
		d.gone(k.RemoveMember)
	case *governancev1.Change_RemoveAbsent:
		d.gone(k.RemoveAbsent)
	case *governancev1.Change_GrantRole:
		d.compare(show(names, k.GrantRole.GetAccount()), d.role(k.GrantRole), k.GrantRole)
	case *governancev1.Change_RevokeRole:
		d.compare(show(names, k.RevokeRole.GetAccount()), d.role(k.RevokeRole), nil)
	case *governancev1.Change_SetParameters:
		d.compare("", now.GetParameters(), k.SetParameters)
	case *governancev1.Change_SetClockProfile:
		d.compare(k.SetClockProfile.GetName(), find(now.GetClockProfiles(), func(p *governancev1.ClockProfile) bool { return p.GetName() == k.SetClockProfile.GetName() }), k.SetClockProfile)
	case *governancev1.Change_SetCalendar:
		d.compare("", find(now.GetCalendar(), func(y *governancev1.CalendarYear) bool { return y.GetYear() == k.SetCalendar.GetYear() }), k.SetCalendar)
	case *governancev1.Change_SetValidator:
		d.validator(k.SetValidator.GetPublicKey(), k.SetValidator)
	case *governancev1.Change_Admit:
		d.member(k.Admit.GetMember().GetOrg(), k.Admit.GetMember())
		d.validator(k.Admit.GetValidator().GetPublicKey(), k.Admit.GetValidator())
	case *governancev1.Change_ReplaceValidatorKey:
		d.rotation(k.ReplaceValidatorKey)
	default:
		d.rarer(c)
	}
	return d.out
}

// differ collects differences.
type differ struct {
	lang  Language
	names Names
	now   *governancev1.GetConsortiumResponse
	out   []Difference
}

func (d *differ) rarer(c *governancev1.Change) {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_Upgrade:
		d.compare("", d.now.GetProtocol().GetPending(), k.Upgrade)
	case *governancev1.Change_CancelUpgrade:
		if u := d.now.GetProtocol().GetPending(); u.GetName() == k.CancelUpgrade {
			d.compare("", u, nil)
		}
	case *governancev1.Change_Suspend:
		d.state(k.Suspend, d.text("正常", "active"), d.text("紧急停用", "suspended in an emergency")+" ("+k.Suspend.GetCause()+")")
	case *governancev1.Change_ConfirmSuspension:
		d.state(k.ConfirmSuspension, d.until(k.ConfirmSuspension), d.text("停用，直至表决解除", "suspended until a vote lifts it"))
	case *governancev1.Change_LiftSuspension:
		d.state(k.LiftSuspension, d.until(k.LiftSuspension), d.text("正常", "active"))
	case nil:
	default:
		r := c.ProtoReflect()
		if f := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind")); f.Message() != nil {
			d.compare("", nil, r.Get(f).Message().Interface())
		} else {
			d.out = append(d.out, Difference{Field: Kind(d.lang, string(f.Name())), New: r.Get(f).String()})
		}
	}
}

func (d *differ) text(zh, en string) string {
	return in(d.lang, phrase.Phrase{Chinese: zh, English: en})
}

// until tells of the suspension of that account or key as it stands.
func (d *differ) until(s *governancev1.Suspension) string {
	now := find(d.now.GetSuspensions(), func(x *governancev1.Suspension) bool {
		return x.GetAccount() == s.GetAccount() && x.GetKey() == s.GetKey()
	})
	switch {
	case now == nil:
		return d.text("正常", "active")
	case now.(*governancev1.Suspension).GetEndsMs() == 0:
		return d.text("停用，直至表决解除", "suspended until a vote lifts it")
	}
	return d.text("紧急停用至 ", "suspended in an emergency until ") + in(d.lang, phrase.OfDay(now.(*governancev1.Suspension).GetEndsMs()))
}

func (d *differ) state(s *governancev1.Suspension, old, now string) {
	of := show(d.names, s.GetAccount())
	if s.GetKey() != "" {
		of += d.text("，密钥 ", ", key ") + s.GetKey()
	}
	if old != now {
		d.out = append(d.out, Difference{Of: of, Field: d.text("状态", "state"), Old: old, New: now})
	}
}

func (d *differ) member(org string, next proto.Message) {
	d.compare(show(d.names, org), find(d.now.GetMembers(), func(m *governancev1.Member) bool { return m.GetOrg() == org }), next)
}

// gone is a member that goes, with the validators that it runs.
func (d *differ) gone(org string) {
	d.member(org, nil)
	for _, n := range d.now.GetValidators() {
		if n.GetOrg() == org {
			d.compare(d.node(n), n, nil)
		}
	}
}

func (d *differ) node(n *governancev1.Validator) string {
	return d.text("验证节点 ", "validator ") + n.GetName()
}

func (d *differ) role(r *governancev1.RoleGrant) proto.Message {
	return find(d.now.GetRoles(), func(x *governancev1.RoleGrant) bool {
		return x.GetAccount() == r.GetAccount() && x.GetRole() == r.GetRole()
	})
}

// validator follows the rule that a vote which does not state an SM2 key leaves it.
func (d *differ) validator(key []byte, next *governancev1.Validator) {
	was := find(d.now.GetValidators(), func(n *governancev1.Validator) bool { return string(n.GetPublicKey()) == string(key) })
	if next.GetPower() == 0 {
		if was != nil {
			d.compare(d.node(was.(*governancev1.Validator)), was, nil)
		}
		return
	}
	if was != nil && len(next.GetSm2Key()) == 0 {
		next = proto.CloneOf(next)
		next.Sm2Key = was.(*governancev1.Validator).GetSm2Key()
	}
	d.compare(d.node(next), was, next)
}

func (d *differ) rotation(r *governancev1.ValidatorRotation) {
	was := find(d.now.GetValidators(), func(n *governancev1.Validator) bool { return string(n.GetPublicKey()) == string(r.GetOldKey()) })
	if was == nil {
		return
	}
	next := proto.CloneOf(was.(*governancev1.Validator))
	next.PublicKey = r.GetNewKey()
	if len(r.GetNewSm2Key()) > 0 {
		next.Sm2Key = r.GetNewSm2Key()
	}
	d.compare(d.node(next), was, next)
}

// find returns the first record that fits, nil if there is none.
func find[M interface {
	*T
	proto.Message
}, T any](list []M, fits func(M) bool) proto.Message {
	for _, m := range list {
		if fits(m) {
			return m
		}
	}
	return nil
}

// compare adds the fields in which two records of a kind differ; nil = none is there.
func (d *differ) compare(of string, was, next proto.Message) {
	before, after := factsOf(was), factsOf(next)
	at := map[string]phrase.Fact{}
	for _, f := range before {
		at[f.Key] = f
	}
	for _, f := range after {
		old, there := at[f.Key]
		delete(at, f.Key)
		if there && old.Value == f.Value || !there && f.Value == phrase.OfNothing() {
			continue
		}
		x := Difference{Of: of, Field: in(d.lang, f.Field), Old: in(d.lang, old.Value), New: in(d.lang, f.Value)}
		if len(old.Items)+len(f.Items) > 0 && there {
			x.Old, x.New = strings.Join(without(old.Items, f.Items), " "), strings.Join(without(f.Items, old.Items), " ")
		}
		d.out = append(d.out, x)
	}
	for _, f := range before {
		if _, left := at[f.Key]; left && f.Value != phrase.OfNothing() {
			d.out = append(d.out, Difference{Of: of, Field: in(d.lang, f.Field), Old: in(d.lang, f.Value)})
		}
	}
}

// factsOf is nothing for nil, also for a nil of a type.
func factsOf(m proto.Message) []phrase.Fact {
	if m == nil || !m.ProtoReflect().IsValid() {
		return nil
	}
	return phrase.Facts(m)
}

// without are the items of a that b does not have.
func without(a, b []string) (out []string) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
