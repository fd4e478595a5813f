package sentence_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client/sentence"
	governancev1 "mulian/gen/mulian/governance/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/standard"
)

func key(n byte) []byte { return []byte(strings.Repeat(string(rune('a'+n)), 32)) }

// consortium is one that every kind of change can change.
func consortium() *governancev1.GetConsortiumResponse {
	return &governancev1.GetConsortiumResponse{
		Members:       []*governancev1.Member{{Org: "A", Weight: 40, SinceMs: 1}, {Org: "B", Weight: 60, SinceMs: 1, ActedMs: 2}},
		Roles:         []*governancev1.RoleGrant{{Role: governancev1.Role_ROLE_AUTHORITY, Account: "A", SinceMs: 1}},
		Parameters:    standard.Parameters(),
		ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
		Validators:  []*governancev1.Validator{{PublicKey: key(0), Power: 10, Org: "A", Name: "v1"}, {PublicKey: key(1), Power: 10, Org: "B", Name: "v2"}},
		Suspensions: []*governancev1.Suspension{{Account: "B", Cause: "x", SinceMs: 1, EndsMs: 1_772_413_200_000}},
		Protocol:    &governancev1.Protocol{InForce: 1, Pending: &governancev1.Upgrade{Name: "two", Height: 500, Protocol: 2}},
	}
}

func parameters(change func(*governancev1.Parameters)) *governancev1.Change {
	p := standard.Parameters()
	change(p)
	return &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}}
}

// TestDifferences holds what a voter reads of each kind of change, and in which language.
func TestDifferences(t *testing.T) {
	year := standard.Calendar2026()
	year.Holidays = append([]uint32{20260102}, year.Holidays[2:]...)
	type want = []sentence.Difference
	for name, x := range map[string]struct {
		change *governancev1.Change
		zh, en want
	}{
		"weight": {
			&governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: "A", Weight: 50}}},
			want{{Of: "甲局（A）", Field: "表决权", Old: "40", New: "50"}},
			want{{Of: "甲局（A）", Field: "votes", Old: "40", New: "50"}},
		},
		"new member": {
			&governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: "C", Weight: 1}}},
			want{{Of: "C", Field: "成员", New: "C"}, {Of: "C", Field: "表决权", New: "1"}},
			want{{Of: "C", Field: "member", New: "C"}, {Of: "C", Field: "votes", New: "1"}},
		},
		"absent member and its node": {
			&governancev1.Change{Kind: &governancev1.Change_RemoveAbsent{RemoveAbsent: "B"}},
			want{{Of: "B", Field: "成员", Old: "B"}, {Of: "B", Field: "表决权", Old: "60"}, {Of: "验证节点 v2", Field: "验证密钥", Old: hexOf(1)}, {Of: "验证节点 v2", Field: "验证权重", Old: "10"}, {Of: "验证节点 v2", Field: "运行机构", Old: "B"}, {Of: "验证节点 v2", Field: "节点名", Old: "v2"}},
			nil,
		},
		"parameters": {
			parameters(func(p *governancev1.Parameters) {
				p.VotePercent, p.Thresholds = 75, []*governancev1.Threshold{{Kind: "remove_member", Percent: 90}}
			}),
			want{{Field: "表决通过比例", Old: "67 %", New: "75 %"}, {Field: "通过比例·移除成员", New: "比例 90 %"}},
			want{{Field: "votes decide at", Old: "67 %", New: "75 %"}, {Field: "threshold remove a member", New: "share 90 %"}},
		},
		"role taken": {
			&governancev1.Change{Kind: &governancev1.Change_RevokeRole{RevokeRole: &governancev1.RoleGrant{Role: governancev1.Role_ROLE_AUTHORITY, Account: "A"}}},
			want{{Of: "甲局（A）", Field: "角色", Old: "主管部门"}, {Of: "甲局（A）", Field: "账户", Old: "A"}},
			want{{Of: "甲局（A）", Field: "role", Old: "authority"}, {Of: "甲局（A）", Field: "account", Old: "A"}},
		},
		"calendar": {
			&governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: year}},
			want{{Field: "放假", Old: "20260101", New: ""}},
			nil,
		},
		"key": {
			&governancev1.Change{Kind: &governancev1.Change_ReplaceValidatorKey{ReplaceValidatorKey: &governancev1.ValidatorRotation{OldKey: key(0), NewKey: key(2)}}},
			want{{Of: "验证节点 v1", Field: "验证密钥", Old: hexOf(0), New: hexOf(2)}},
			nil,
		},
		"power": {
			&governancev1.Change{Kind: &governancev1.Change_SetValidator{SetValidator: &governancev1.Validator{PublicKey: key(0), Power: 20, Org: "A", Name: "v1"}}},
			want{{Of: "验证节点 v1", Field: "验证权重", Old: "10", New: "20"}},
			nil,
		},
		"cancelled": {
			&governancev1.Change{Kind: &governancev1.Change_CancelUpgrade{CancelUpgrade: "two"}},
			want{{Field: "升级", Old: "two"}, {Field: "生效高度", Old: "500"}, {Field: "规则版本", Old: "2"}},
			nil,
		},
		"suspended": {
			&governancev1.Change{Kind: &governancev1.Change_Suspend{Suspend: &governancev1.Suspension{Account: "A", Key: "0123456789abcdef", Cause: "失窃"}}},
			want{{Of: "甲局（A），密钥 0123456789abcdef", Field: "状态", Old: "正常", New: "紧急停用 (失窃)"}},
			nil,
		},
		"lifted": {
			&governancev1.Change{Kind: &governancev1.Change_LiftSuspension{LiftSuspension: &governancev1.Suspension{Account: "B"}}},
			want{{Of: "B", Field: "状态", Old: "紧急停用至 2026-03-02 09:00", New: "正常"}},
			want{{Of: "B", Field: "state", Old: "suspended in an emergency until 2026-03-02 09:00", New: "active"}},
		},
		"nothing": {parameters(func(*governancev1.Parameters) {}), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			names := func(id string) string { return map[string]string{"A": "甲局"}[id] }
			if d := cmp.Diff(x.zh, sentence.Differences(sentence.Chinese, x.change, consortium(), names)); d != "" {
				t.Errorf("Chinese (-want +got):\n%s", d)
			}
			if x.en == nil {
				return
			}
			if d := cmp.Diff(x.en, sentence.Differences(sentence.English, x.change, consortium(), names)); d != "" {
				t.Errorf("English (-want +got):\n%s", d)
			}
		})
	}
}

func hexOf(n byte) string {
	const digits = "0123456789abcdef"
	return strings.Repeat(string([]byte{digits[('a'+n)>>4], digits[('a'+n)&15]}), 32)
}

// TestEveryChangeHasItsSentence fills each kind by its descriptor: its sentence is not
// that of another, its texts show, and its fields have words. A kind that is added to
// the schema of governance is found here.
func TestEveryChangeHasItsSentence(t *testing.T) {
	kinds := (&governancev1.Change{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range kinds.Len() {
		f := kinds.Get(i)
		c := &governancev1.Change{}
		n := 0
		if f.Message() != nil {
			fill(c.ProtoReflect().Mutable(f).Message(), &n, 0)
		} else {
			c.ProtoReflect().Set(f, value(f, &n))
		}
		zh, en := sentence.Change(sentence.Chinese, c, nil), sentence.Change(sentence.English, c, nil)
		if zh == en && f.Message() != nil && f.Message().ParentFile().Package() == "mulian.governance.v1" || strings.Contains(zh+en, "%!") {
			t.Errorf("%s reads %q and %q", f.Name(), zh, en)
		}
		if f.Message() == nil {
			if !strings.Contains(zh, "⟨text 1⟩") || !strings.Contains(en, "⟨text 1⟩") {
				t.Errorf("%s hides what it names: %q", f.Name(), zh)
			}
			continue
		}
		for _, x := range texts(c.ProtoReflect().Get(f).Message()) {
			if strings.HasSuffix(x.name, ".cause") && f.Name() != "suspend" {
				continue // the rules refuse it there
			}
			if !strings.Contains(zh, x.value) || !strings.Contains(en, x.value) {
				t.Errorf("%s: %s is voted on and not shown: %q", f.Name(), x.name, zh)
			}
		}
		if sentence.Kind(sentence.Chinese, string(f.Name())) == string(f.Name()) {
			t.Errorf("%s has no word", f.Name())
		}
	}
}

// TestEachFlagOfAChangeShows: two changes that differ in one field of a record read
// differently, so that nobody votes on what he did not see.
func TestEachFlagOfAChangeShows(t *testing.T) {
	kinds := (&governancev1.Change{}).ProtoReflect().Descriptor().Oneofs().ByName("kind").Fields()
	for i := range kinds.Len() {
		f := kinds.Get(i)
		if f.Message() == nil || f.Message().ParentFile().Package() != "mulian.governance.v1" {
			continue
		}
		c, n := &governancev1.Change{}, 0
		fill(c.ProtoReflect().Mutable(f).Message(), &n, 0)
		all := sentence.Change(sentence.English, c, nil)
		r := c.ProtoReflect().Get(f).Message()
		r.Range(func(g protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			if strings.HasSuffix(string(g.Name()), "_ms") || string(g.Name()) == "cause" && f.Name() != "suspend" {
				return true // the ledger sets them, and refuses those that are set
			}
			less := proto.CloneOf(c)
			less.ProtoReflect().Get(f).Message().Clear(g)
			if sentence.Change(sentence.English, less, nil) == all {
				t.Errorf("%s.%s makes no difference: %q", f.Name(), g.Name(), all)
			}
			return true
		})
	}
}

// TestOnlyWhatChangesIsSaid: of parameters the signer reads what becomes another, from what to
// what, and how many stay; compared with nothing, he reads all; another value is never among
// those that stay.
func TestOnlyWhatChangesIsSaid(t *testing.T) {
	c := parameters(func(p *governancev1.Parameters) { p.VotePercent, p.GrantDeletionDays = 75, 10 })
	zh := sentence.ChangeNow(sentence.Chinese, c, consortium(), nil)
	all := strings.Count(sentence.Change(sentence.Chinese, c, nil), "；") + 1
	if want := fmt.Sprintf("修改参数：表决通过比例 67 %% → 75 %%；撤回后删除期限（0 即 15 天） 0 天 → 10 天；其余 %d 项与现行的相同", all-2); zh != want {
		t.Errorf("%s\nwant %s", zh, want)
	}
	en := sentence.ChangeNow(sentence.English, c, consortium(), nil)
	if want := fmt.Sprintf("change the parameters: votes decide at 67 %% → 75 %%; copies are deleted within, after a revocation (0 = 15 days) 0 days → 10 days; the other %d are as they stand now", all-2); en != want {
		t.Errorf("%s\nwant %s", en, want)
	}
	if same := sentence.ChangeNow(sentence.English, parameters(func(*governancev1.Parameters) {}), consortium(), nil); !strings.Contains(same, "nothing changes") {
		t.Errorf("what changes nothing: %s", same)
	}
	if got, want := sentence.ChangeNow(sentence.English, c, nil, nil), sentence.Change(sentence.English, c, nil); got != want {
		t.Errorf("compared with nothing: %s", got)
	}
	body := &txv1.Body{Account: "A", ChainId: "c", Messages: []*txv1.Message{{Kind: &txv1.Message_Propose{Propose: &governancev1.Propose{Title: "x", Change: c, Reason: "why"}}}}}
	lines := sentence.BodyNow(sentence.Chinese, body, nil, consortium())
	if len(lines) != 2 || !strings.HasPrefix(lines[1], "1. 提出表决 “x”："+zh) {
		t.Errorf("%q", lines)
	}
	if got, want := sentence.BodyNow(sentence.Chinese, body, nil, nil), sentence.Body(sentence.Chinese, body, nil); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}
