package filing

import (
	"context"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// lack compares the list with what its source brought before, and withdraws what is
// missing if the order says so.
func (d *Desk) lack(ctx context.Context, p *intake.Plan, t intake.Target, o Order, out *Outcome) error {
	// What this desk has sent for other sources need not be indexed yet: only what
	// was on the ledger before, and what it has sent for this one.
	if d.brought[o.Source] {
		d.seen = 0
	}
	had, err := d.sourced(ctx, o.Source)
	if d.brought == nil {
		d.brought = map[string]bool{}
	}
	d.brought[o.Source] = true
	if err != nil || len(had) == 0 {
		return err
	}
	if out.Lack, err = intake.Missing(ctx, p, t, had); err != nil {
		return err
	}
	l := out.Lack
	if l.Partial != "" && o.Confirm != l.Missing {
		return fault.Newf(fault.PartialList, "%s", d.Lang.Say(
			"来源 %[1]s 在账本上有 %[2]d 条，本文件缺 %[3]d 条（另有 %[4]d 条记录读不出）：疑似不完整，什么也没有提交。只是部分清单：--part；确已减少：--confirm-missing %[3]d；同时撤销：再加 --withdraw-missing",
			"%[1]s has %[2]d entries on the ledger, this file lacks %[3]d of them (and %[4]d records cannot be read): it may be a part of the list, and nothing was sent. If it is a part: --part; if they are gone: --confirm-missing %[3]d; to withdraw them, too: --withdraw-missing",
			o.Source, l.Had, l.Missing, l.Unclear))
	}
	if !o.Withdraw {
		return nil
	}
	return d.withdraw(ctx, l.Absent, o, out)
}

// sourced reads the entries that a source brought and that are not withdrawn, by id,
// from the ledger's index, once that has caught up.
func (d *Desk) sourced(ctx context.Context, source string) (map[string]intake.Absent, error) {
	if err := d.caughtUp(ctx); err != nil {
		return nil, err
	}
	had := map[string]intake.Absent{}
	for after := ""; ; {
		res, err := d.Client.Catalogue.ListEntries(ctx, connect.NewRequest(&cataloguev1.ListEntriesRequest{Source: source, After: after, Limit: 500}))
		if err != nil {
			return nil, wire.Fault(err)
		}
		for _, e := range res.Msg.GetEntries() {
			if e.GetState() != withdrawn {
				had[e.GetId()] = intake.Absent{Name: strings.Clone(e.GetName()), Origin: strings.Clone(e.GetOrigin())}
			}
		}
		if after = res.Msg.GetNext(); after == "" || len(had) >= maxSourced {
			return had, nil
		}
	}
}

// caughtUp waits until the index has taken every event of now, or of when the desk
// last asked for that.
func (d *Desk) caughtUp(ctx context.Context) error {
	began := time.Now()
	want := d.seen - 1
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		st, err := d.Client.Status(ctx)
		if err != nil {
			return err
		}
		if want < 0 {
			want = st.GetEvents()
			d.seen = want + 1
		}
		if st.GetIndexed() >= want {
			return nil
		}
		if time.Since(began) > indexTimeout {
			return fault.Newf(fault.Timeout, "%s", d.Lang.Say("索引落后 %d 个事件，无法得知此来源先前导入了什么：稍后重试", "the index is %d events behind; what this source brought before cannot be known: try again later", want-st.GetIndexed()))
		}
		select {
		case <-ctx.Done():
			return fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "import stopped")
		case <-time.After(wait):
		}
	}
}

// withdraw ends the entries that are missing, those of one organisation together.
// What the ledger refuses (a lock, a department whose key is not here) becomes a
// problem of the outcome.
func (d *Desk) withdraw(ctx context.Context, absent []intake.Absent, o Order, out *Outcome) error {
	for len(absent) > 0 {
		org, _, _ := strings.Cut(absent[0].ID, ":")
		n := 1
		for n < len(absent) && n < withdrawAtOnce && strings.HasPrefix(absent[n].ID, org+":") {
			n++
		}
		batch := absent[:n]
		absent = absent[n:]
		s, err := d.signer(ctx, org)
		if err == nil {
			var messages []proto.Message
			for _, e := range batch {
				messages = append(messages, d.withdrawal(e, o.Source))
			}
			if err = d.send(ctx, s, messages...); err == nil {
				out.Withdrawn += n
				continue
			}
		}
		if f, ok := faultOf(err); !ok || !refusal(f.Code) && f.Code != fault.NotFound {
			return err
		}
		if n > 1 { // which of them it is, only single ones tell
			for _, e := range batch {
				if err := d.withdraw(ctx, []intake.Absent{e}, o, out); err != nil {
					return err
				}
			}
			continue
		}
		f, _ := faultOf(err)
		out.Problems = append(out.Problems, intake.Problem{
			Code: f.Code, Message: batch[0].ID + " " + batch[0].Name + ": " + f.Text,
			Suggestion: d.Lang.Say("未撤销；处理后重新导入", "it is not withdrawn; mend that and import again"),
		})
		out.Counts[strconv.Itoa(int(f.Code))]++
	}
	return nil
}

func (d *Desk) withdrawal(e intake.Absent, source string) *cataloguev1.WithdrawEntry {
	reason := d.Lang.Say("来源 %s 的新清单中已无此条", "the new list of %s has it no more", source)
	if e.Moved != "" {
		reason = d.Lang.Say("来源 %s 的新清单中已改由他方提供：%s", "in the new list of %s another one provides it: %s", source, e.Moved)
	}
	return &cataloguev1.WithdrawEntry{Entry: e.ID, Reason: reason}
}

// refusal tells what the ledger refused from what did not reach it.
func refusal(c fault.Code) bool { return c >= 11000 && c < 12000 || c >= 13000 && c < 14000 }
