package governance

import (
	"testing"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
)

// TestPurposes: the standard list passes, and each bound of a purpose has its code.
func TestPurposes(t *testing.T) {
	if err := checkPurposes("x", standard.Purposes()); err != nil {
		t.Fatalf("the standard list: %v", err)
	}
	for name, b := range map[string]struct {
		code fault.Code
		edit func(*governancev1.GrantPurpose)
	}{
		"code":      {fault.Malformed, func(p *governancev1.GrantPurpose) { p.Code = "Loan" }},
		"order":     {fault.Malformed, func(p *governancev1.GrantPurpose) { p.Code = "zz" }},
		"no name":   {fault.Missing, func(p *governancev1.GrantPurpose) { p.Name = "" }},
		"never":     {fault.OutOfRange, func(p *governancev1.GrantPurpose) { p.OnceDays = 0 }},
		"for ever":  {fault.OutOfRange, func(p *governancev1.GrantPurpose) { p.StandingDays = 1827 }},
		"sensitive": {fault.OutOfRange, func(p *governancev1.GrantPurpose) { p.SensitiveDays = p.StandingDays + 1 }},
		"kept":      {fault.OutOfRange, func(p *governancev1.GrantPurpose) { p.MaxLifeDays = 0 }},
	} {
		list := standard.Purposes()
		b.edit(list[0])
		if err := checkPurposes("x", list); !fault.Is(err, b.code) {
			t.Errorf("%s: %v, want %s", name, err, b.code)
		}
	}
}
