package main

import (
	"context"
	"encoding/hex"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"mulian/client"
	"mulian/client/sentence"
	governancev1 "mulian/gen/mulian/governance/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/fault"
)

// A proposing command makes a change from its arguments and the consortium as it is.
type proposing func(ctx context.Context, cl *client.Client, now *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error)

func (a *app) govPropose() *cobra.Command {
	m := &governancev1.Propose{}
	c := &cobra.Command{
		Use:   "propose FILE",
		Short: a.t("提出一项变更：子命令，或 YAML/JSON 文件（字段同接口文档 governance.v1.Change）", "propose a change: a subcommand, or a YAML or JSON file with the fields of governance.v1.Change"),
		Long: a.t("提交前先与现状逐项比较并显示；什么也不改变的提案不提交。--dry-run 只看不交。",
			"What it would alter is shown field by field before it is sent; a proposal that alters nothing is not sent. --dry-run only shows."),
		Example: `  echo 'admit_member: {org: 11110000000010003P, weight: 1}' > change.yaml
  mulian gov propose change.yaml --title 增加成员 --as 111100000000300011#root`,
		Args: exactly(1),
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			change := &governancev1.Change{}
			return change, readChange(args[0], change)
		}),
	}
	f := c.PersistentFlags()
	f.StringVar(&m.Title, "title", "", a.t("标题；不写则由内容生成", "title; made from the content if it is not given"))
	f.StringVar(&m.Reason, "reason", "", a.t("理由", "reason"))
	c.AddCommand(a.proposeMember(m), a.proposeGone(m, false), a.proposeGone(m, true), a.proposeRole(m, true), a.proposeRole(m, false), a.proposeParameters(m),
		a.proposeFile(m, "clock-profile"), a.proposeFile(m, "calendar"), a.proposeValidator(m), a.proposeRotation(m),
		a.proposeUpgrade(m), a.proposeCancel(m), a.proposeSuspension(m, "suspend"), a.proposeSuspension(m, "confirm-suspension"), a.proposeSuspension(m, "lift-suspension"))
	return c
}

// proposeBy runs a proposing command: the change is compared with what is, shown, and
// sent.
func (a *app) proposeBy(m *governancev1.Propose, make proposing) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cl, err := a.client()
		if err != nil {
			return err
		}
		now, err := consortium(cmd.Context(), cl)
		if err != nil {
			return err
		}
		if m.Change, err = make(cmd.Context(), cl, now, args); err != nil {
			return err
		}
		names := a.names(cmd.Context(), cl)
		alters := sentence.Differences(a.language(), m.Change, now, names)
		if len(alters) == 0 {
			return fault.Newf(fault.AlreadyExists, "%s", a.t("这项提案什么也不改变，没有提交", "this proposal would alter nothing; it was not sent"))
		}
		if m.Title == "" {
			m.Title = firstLine(sentence.ChangeNow(sentence.Chinese, m.Change, now, nil), 200)
		}
		if !a.quiet {
			a.showDifferences(a.err, alters)
			a.say("%s", a.count(client.CountVotes(&governancev1.Proposal{Change: m.Change}, now, nil))) // no ballots yet
		}
		return a.simple(cmd, m)
	}
}

// firstLine cuts a text to so many characters.
func firstLine(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return strings.TrimSpace(string(r[:most-1])) + "…"
	}
	return s
}

// readChange reads YAML, of which JSON is a part, with the schema's names. Unknown ones
// are refused.
func readChange(path string, into proto.Message) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return fault.Wrap(fault.NotFound, err, "change file")
	}
	if len(raw) > maxEntryFile {
		return fault.Newf(fault.TooLong, "%s has more than %d bytes", path, maxEntryFile)
	}
	if !strings.HasPrefix(strings.TrimSpace(string(raw)), "{") {
		if raw, err = yaml.YAMLToJSON(raw); err != nil {
			return fault.Wrap(fault.Malformed, err, "%s is no YAML", path)
		}
	}
	if err := protojson.Unmarshal(raw, into); err != nil {
		return fault.Wrap(fault.Malformed, err, "%s is no %s", path, into.ProtoReflect().Descriptor().Name())
	}
	return nil
}

func (a *app) proposeMember(m *governancev1.Propose) *cobra.Command {
	var weight uint32
	c := &cobra.Command{
		Use: "admit-member ORG", Short: a.t("接纳成员，或改变其表决权", "admit a member, or change its votes"), Args: exactly(1),
		Example: "  mulian gov propose admit-member 11110000000010003P --weight 2 --as 111100000000300011#root",
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			return &governancev1.Change{Kind: &governancev1.Change_AdmitMember{AdmitMember: &governancev1.Member{Org: args[0], Weight: weight}}}, nil
		}),
	}
	c.Flags().Uint32Var(&weight, "weight", 1, a.t("表决权数，1 至 100", "votes, 1 to 100"))
	return c
}

func (a *app) proposeGone(m *governancev1.Propose, absent bool) *cobra.Command {
	c := &cobra.Command{
		Use: "remove-member ORG", Short: a.t("移除成员及其验证节点", "remove a member and its validators"), Args: exactly(1),
		Example: "  mulian gov propose remove-member 11110000000010003P --as 111100000000300011#root",
	}
	if absent {
		c.Use, c.Short = "remove-absent ORG", a.t("移除失联成员：公示期内始终沉默者不计入", "remove a member that is gone: who is silent until the end is not counted")
		c.Example = "  mulian gov propose remove-absent 11110000000010003P --as 111100000000300011#root"
	}
	c.RunE = a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
		if absent {
			return &governancev1.Change{Kind: &governancev1.Change_RemoveAbsent{RemoveAbsent: args[0]}}, nil
		}
		return &governancev1.Change{Kind: &governancev1.Change_RemoveMember{RemoveMember: args[0]}}, nil
	})
	return c
}

func (a *app) proposeRole(m *governancev1.Propose, give bool) *cobra.Command {
	c := &cobra.Command{
		Use: "revoke-role ROLE ACCOUNT", Short: a.t("撤销角色", "take a role"), Args: exactly(2),
		Example: "  mulian gov propose revoke-role auditor 11110000000010003P --as 111100000000300011#root",
	}
	if give {
		c.Use, c.Short = "grant-role ROLE ACCOUNT", a.t("授予角色：authority、staffing_office、finance_bureau、operator、auditor、secrecy_office、identity、registry", "give a role: authority, staffing_office, finance_bureau, operator, auditor, secrecy_office, identity, registry")
		c.Example = "  mulian gov propose grant-role auditor 11110000000010003P --as 111100000000300011#root"
	}
	c.RunE = a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
		n, ok := governancev1.Role_value["ROLE_"+strings.ToUpper(strings.ReplaceAll(args[0], "-", "_"))]
		if !ok || n == 0 {
			return nil, fault.Newf(fault.Usage, a.t("没有角色 %.40q", "there is no role %.40q"), args[0])
		}
		r := &governancev1.RoleGrant{Role: governancev1.Role(n), Account: args[1]}
		if give {
			return &governancev1.Change{Kind: &governancev1.Change_GrantRole{GrantRole: r}}, nil
		}
		return &governancev1.Change{Kind: &governancev1.Change_RevokeRole{RevokeRole: r}}, nil
	})
	return c
}

func (a *app) proposeParameters(m *governancev1.Propose) *cobra.Command {
	return &cobra.Command{
		Use: "parameters NAME=VALUE...", Short: a.t("改变参数；thresholds.类别=比例 改变一类提案的通过比例，0 取消", "change parameters; thresholds.KIND=PERCENT is the share of one kind, 0 takes it away"),
		Example: "  mulian gov propose parameters vote_percent=75 thresholds.remove_member=90 --as 111100000000300011#root",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fault.Newf(fault.Usage, "%s", a.t("至少一个 名称=值", "at least one NAME=VALUE is wanted"))
			}
			return nil
		},
		RunE: a.proposeBy(m, func(_ context.Context, _ *client.Client, now *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
			p := proto.CloneOf(now.GetParameters())
			for _, arg := range args {
				if err := setParameter(p, arg); err != nil {
					return nil, err
				}
			}
			return &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}}, nil
		}),
	}
}

// setParameter sets one field by its schema name.
func setParameter(p *governancev1.Parameters, arg string) error {
	name, value, ok := strings.Cut(arg, "=")
	if kind, of := strings.CutPrefix(name, "thresholds."); of && ok {
		return setThreshold(p, kind, value)
	}
	r := p.ProtoReflect()
	f := r.Descriptor().Fields().ByName(protoreflect.Name(name))
	if !ok || f == nil || f.IsList() {
		return fault.Newf(fault.Usage, "there is no parameter %.60q; mulian gov show --json lists them", name)
	}
	switch f.Kind() {
	case protoreflect.StringKind:
		r.Set(f, protoreflect.ValueOfString(value))
	case protoreflect.BoolKind:
		b, err := strconv.ParseBool(value)
		if err != nil {
			return fault.Newf(fault.Usage, "%s: true or false, not %.40q", name, value)
		}
		r.Set(f, protoreflect.ValueOfBool(b))
	default:
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fault.Newf(fault.Usage, "%s: a number, not %.40q", name, value)
		}
		r.Set(f, protoreflect.ValueOfUint32(uint32(n)))
	}
	return nil
}

// setThreshold sets, changes or takes away the share of a kind, in the order that the
// rules want.
func setThreshold(p *governancev1.Parameters, kind, value string) error {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil {
		return fault.Newf(fault.Usage, "thresholds.%.40s: a number, not %.40q", kind, value)
	}
	var out []*governancev1.Threshold
	next := &governancev1.Threshold{Kind: kind, Percent: uint32(n)}
	for _, t := range p.GetThresholds() {
		if next != nil && t.GetKind() >= kind {
			out, next = withShare(out, next), nil
		}
		if t.GetKind() != kind {
			out = append(out, t)
		}
	}
	p.Thresholds = withShare(out, next)
	return nil
}

func withShare(list []*governancev1.Threshold, t *governancev1.Threshold) []*governancev1.Threshold {
	if t.GetPercent() == 0 { // also for none: it stands in the list already
		return list
	}
	return append(list, t)
}

func (a *app) proposeFile(m *governancev1.Propose, noun string) *cobra.Command {
	c := &cobra.Command{
		Use: noun + " FILE", Args: exactly(1), Short: a.t("设定时限方案（YAML 或 JSON，字段同 governance.v1.ClockProfile）", "set a clock profile (YAML or JSON with the fields of governance.v1.ClockProfile)"),
		Example: "  mulian gov propose clock-profile profile.yaml --as 111100000000300011#root",
	}
	if noun == "calendar" {
		c.Short = a.t("设定一年的工作日历（YAML 或 JSON，字段同 governance.v1.CalendarYear）", "set the calendar of a year (YAML or JSON with the fields of governance.v1.CalendarYear)")
		c.Example = "  mulian gov propose calendar 2027.yaml --as 111100000000300011#root"
	}
	c.RunE = a.proposeBy(m, func(_ context.Context, _ *client.Client, _ *governancev1.GetConsortiumResponse, args []string) (*governancev1.Change, error) {
		if noun == "calendar" {
			y := &governancev1.CalendarYear{}
			return &governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: y}}, readChange(args[0], y)
		}
		p := &governancev1.ClockProfile{}
		return &governancev1.Change{Kind: &governancev1.Change_SetClockProfile{SetClockProfile: p}}, readChange(args[0], p)
	})
	return c
}

// hexKey reads a key in hex of so many bytes.
func hexKey(flag, text string, size int) ([]byte, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != size {
		return nil, fault.Newf(fault.Usage, "%s: %d bytes in hex are wanted", flag, size)
	}
	return raw, nil
}

// proposedFor is what stands now, if a transaction proposes parameters; nil, so that each of
// them is said, if it proposes none or the member does not answer.
func proposedFor(ctx context.Context, cl *client.Client, body *txv1.Body) *governancev1.GetConsortiumResponse {
	if !slices.ContainsFunc(body.GetMessages(), func(m *txv1.Message) bool { return m.GetPropose().GetChange().GetSetParameters() != nil }) {
		return nil
	}
	now, err := consortium(ctx, cl)
	if err != nil {
		return nil
	}
	return now
}
