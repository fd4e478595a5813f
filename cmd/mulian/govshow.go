package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"

	"mulian/client"
	"mulian/client/sentence"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/internal/wire"
)

// consortium asks the server how the consortium is.
func consortium(ctx context.Context, cl *client.Client) (*governancev1.GetConsortiumResponse, error) {
	res, err := cl.Governance.GetConsortium(ctx, connect.NewRequest(&governancev1.GetConsortiumRequest{}))
	if err != nil {
		return nil, wire.Fault(err)
	}
	return res.Msg, nil
}

// suspended are the rows of what is suspended by vote, and of the protocol.
func (a *app) suspended(m *governancev1.GetConsortiumResponse) (rows [][]string) {
	for _, s := range m.GetSuspensions() {
		until := a.t("直至表决解除", "until a vote lifts it")
		if s.GetEndsMs() != 0 {
			until = a.t("至 ", "until ") + day(s.GetEndsMs())
		}
		rows = append(rows, []string{a.t("停用", "suspended"), s.GetAccount() + " " + s.GetKey(), until})
	}
	for _, t := range m.GetParameters().GetThresholds() {
		rows = append(rows, []string{a.t("通过比例", "threshold"), sentence.Kind(a.language(), t.GetKind()), fmt.Sprintf("%d %%", t.GetPercent())})
	}
	p := m.GetParameters()
	rows = append(rows,
		[]string{a.t("紧急停用", "emergency"), fmt.Sprintf("%d %%", standard.SuspensionPercent(p)), fmt.Sprintf(a.t("%d 天", "%d days"), standard.SuspensionDays(p))},
		[]string{a.t("失联公示", "absence"), "", fmt.Sprintf(a.t("%d 天", "%d days"), standard.AbsenceDays(p))},
		[]string{a.t("规则版本", "protocol"), fmt.Sprint(max(1, m.GetProtocol().GetInForce())), ""})
	if u := m.GetProtocol().GetPending(); u != nil {
		rows = append(rows, []string{a.t("待生效升级", "upgrade that waits"), visible(u.GetName()), fmt.Sprintf(a.t("高度 %d，规则版本 %d", "height %d, protocol %d"), u.GetHeight(), u.GetProtocol())})
	}
	return rows
}

// showProposal shows one proposal: what it alters, how the votes stand, when it ends.
func (a *app) showProposal(ctx context.Context, cl *client.Client, id string) error {
	var p governancev1.Proposal
	if found, err := cl.Get(ctx, "governance/proposal/"+id, &p); err != nil {
		return err
	} else if !found {
		return fault.Newf(fault.NotFound, a.t("没有提案 %.40q（mulian gov list 列出全部）", "there is no proposal %.40q (mulian gov list shows them)"), id)
	}
	now, err := consortium(ctx, cl)
	if err != nil {
		return err
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(&p)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "proposal %s", id)
	}
	out := map[string]any{"proposal": json.RawMessage(raw), "kind": standard.Kind(p.GetChange())}
	mute, err := cl.Silenced(ctx, now)
	if err != nil {
		return err
	}
	votes := client.CountVotes(&p, now, mute)
	open := p.GetState() == governancev1.ProposalState_PROPOSAL_STATE_OPEN
	names := a.names(ctx, cl)
	var alters []sentence.Difference
	if open { // of a decided one there is nothing to compare: it has been done, or never will be
		alters = sentence.Differences(a.language(), p.GetChange(), now, names)
		out["votes"], out["differences"] = votes, alters
	}
	return a.print(out, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %s  %s\n", p.GetId(), a.word(p.GetState()), visible(p.GetTitle()))
		fmt.Fprintln(w, visible(sentence.Change(a.language(), p.GetChange(), names)))
		if p.GetReason() != "" {
			fmt.Fprintln(w, a.t("理由：", "reason: ")+visible(p.GetReason()))
		}
		if !open {
			fmt.Fprintf(w, a.t("%s 结束\n", "decided on %s\n"), day(p.GetDecidedMs()))
		}
		a.showDifferences(w, alters)
		rows := [][]string{{a.t("提出", "proposed by"), shownName(names, p.GetProposer()), day(p.GetCreatedMs())}}
		for _, b := range p.GetBallots() {
			vote := a.t("反对", "no")
			if b.GetYes() {
				vote = a.t("赞成", "yes")
			}
			rows = append(rows, []string{vote, shownName(names, b.GetOrg()), fmt.Sprintf(a.t("票数 %d", "%d votes"), b.GetWeight()) + "  " + visible(b.GetReason())})
		}
		if open {
			for _, org := range votes.Waiting {
				rows = append(rows, []string{a.t("未投", "not yet"), shownName(names, org), ""})
			}
			for _, org := range votes.Silenced {
				rows = append(rows, []string{a.t("停用中", "suspended"), shownName(names, org), ""})
			}
			rows = append(rows, []string{a.t("计票", "count"), a.count(votes), a.t("截止 ", "ends ") + day(p.GetEndsMs())})
		}
		table(w, rows)
	})
}

// shownName is an organisation's name with its code.
func shownName(names sentence.Names, id string) string {
	if n := names(id); n != "" {
		return visible(n) + " " + id
	}
	return id
}

// count is how the votes stand.
func (a *app) count(v client.Votes) string {
	return fmt.Sprintf(a.t("赞成 %d，反对 %d，共 %d，需 %d（%d %%）", "yes %d, no %d of %d, %d needed (%d %%)"), v.Yes, v.No, v.Total, v.Needed, v.Percent)
}

// showDifferences is what a change alters, old and new.
func (a *app) showDifferences(w io.Writer, list []sentence.Difference) {
	if len(list) == 0 {
		return
	}
	nothing := func(s string) string {
		if s == "" {
			return "-"
		}
		return visible(s)
	}
	rows := [][]string{{a.t("变更项", "WHAT"), a.t("现在", "NOW"), "", a.t("通过后", "THEN")}}
	for _, d := range list {
		rows = append(rows, []string{strings.TrimSpace(visible(d.Of) + " " + visible(d.Field)), nothing(d.Old), "→", nothing(d.New)})
	}
	table(w, rows)
}

// listProposals lists proposals with their count.
func (a *app) listProposals(ctx context.Context, cl *client.Client, open bool) error {
	res, err := cl.Governance.ListProposals(ctx, connect.NewRequest(&governancev1.ListProposalsRequest{OpenOnly: open, Limit: 500}))
	if err != nil {
		return wire.Fault(err)
	}
	now, err := consortium(ctx, cl)
	if err != nil {
		return err
	}
	raw, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(res.Msg)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "proposals")
	}
	out := map[string]any{}
	if err := json.Unmarshal(raw, &out); err != nil {
		return fault.Wrap(fault.Internal, err, "proposals")
	}
	mute, err := cl.Silenced(ctx, now)
	if err != nil {
		return err
	}
	votes := map[string]client.Votes{}
	rows := [][]string{{a.t("提案", "PROPOSAL"), a.t("状态", "STATE"), a.t("标题", "TITLE"), a.t("计票", "COUNT"), a.t("未投", "NOT YET"), a.t("截止", "ENDS")}}
	for _, p := range res.Msg.GetProposals() {
		row := []string{p.GetId(), a.word(p.GetState()), visible(p.GetTitle()), "", "", day(p.GetEndsMs())}
		if p.GetState() == governancev1.ProposalState_PROPOSAL_STATE_OPEN {
			v := client.CountVotes(p, now, mute)
			votes[p.GetId()] = v
			row[3], row[4] = a.count(v), strings.Join(v.Waiting, " ")
		}
		rows = append(rows, row)
	}
	out["votes"] = votes
	return a.print(out, func(w io.Writer) { table(w, rows) })
}
