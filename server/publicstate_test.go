package server

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	credentialv1 "mulian/gen/mulian/credential/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
)

// TestWhatThePublicPageVouchesFor: every state of every kind that has such a page; all that are
// not named here are shown as over, and one that is new has to be thought about.
func TestWhatThePublicPageVouchesFor(t *testing.T) {
	want := map[string]string{
		index.Credential: "VALID",
		index.Agreement:  "OFFERED ACTIVE AMENDING RENEWING ENDING",
		index.Request:    "RECEIVED INCOMPLETE ACCEPTED",
		index.Proposal:   "OPEN ACCEPTED",
	}
	for _, p := range public {
		if p.make == nil {
			if !isPrivate(p.table) {
				t.Errorf("%s has no page, and is not for parties", p.table)
			}
			continue
		}
		if isPrivate(p.table) {
			t.Errorf("%s is for parties, and has a page for everybody", p.table)
		}
		m := p.make()
		f := m.ProtoReflect().Descriptor().Fields().ByName("state")
		if f == nil {
			if _, over := standsAs(m, p.ends, 1); over || want[p.table] != "" {
				t.Errorf("%s has no state", p.table)
			}
			continue
		}
		var holds []string
		for i := range f.Enum().Values().Len() {
			v := f.Enum().Values().Get(i)
			m.ProtoReflect().Set(f, protoreflect.ValueOfEnum(v.Number()))
			if name, over := standsAs(m, p.ends, 1); !over {
				holds = append(holds, name[strings.LastIndexByte(name, '_')+1:])
			}
		}
		if got := strings.Join(holds, " "); got != want[p.table] {
			t.Errorf("%s holds in %q, want %q", p.table, got, want[p.table])
		}
		m.ProtoReflect().Set(f, protoreflect.ValueOfEnum(99))
		if _, over := standsAs(m, p.ends, 1); !over {
			t.Errorf("%s holds in a state that nobody knows", p.table)
		}
	}
}

// TestThePublicPageKnowsTheTime: what has run out is over although its state does not say so,
// to the millisecond; the end of a vote is not the end of what was decided.
func TestThePublicPageKnowsTheTime(t *testing.T) {
	const now = 1_790_000_000_000
	for name, tt := range map[string]struct {
		make func(endMs int64) proto.Message
		runs bool
	}{
		index.Credential: {func(ms int64) proto.Message {
			return &credentialv1.Credential{State: credentialv1.CredentialState_CREDENTIAL_STATE_VALID, ExpiresMs: ms}
		}, true},
		index.Agreement: {func(ms int64) proto.Message {
			return &sharev1.Agreement{State: sharev1.AgreementState_AGREEMENT_STATE_ACTIVE, EndsMs: ms}
		}, true},
		index.Proposal: {func(ms int64) proto.Message {
			return &governancev1.Proposal{State: governancev1.ProposalState_PROPOSAL_STATE_ACCEPTED, EndsMs: ms}
		}, false},
	} {
		for _, p := range public {
			if p.table != name {
				continue
			}
			for end, over := range map[int64]bool{0: false, now + 1: false, now: tt.runs, now - 1: tt.runs} {
				if state, got := standsAs(tt.make(end), p.ends, now); got != over || got != (state == "EXPIRED") {
					t.Errorf("%s that ends %d ms from now: %s, over %v", name, end-now, state, got)
				}
			}
		}
	}
}
