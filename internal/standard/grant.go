package standard

import governancev1 "mulian/gen/mulian/governance/v1"

// What a chain does that states none of the parameters of grants.
const (
	defaultCooling      = 600 // seconds; spec/safebox.md 3.1: ten minutes in which a standing grant can be taken back
	defaultDeletionDays = 15  // working out of GB/T 35273-2020 8.7, which gives thirty days to answer; our own choice
)

// GrantCooling returns how many seconds after it was given a standing grant begins.
func GrantCooling(p *governancev1.Parameters) uint32 {
	if s := p.GetGrantCoolingSeconds(); s != 0 {
		return s
	}
	return defaultCooling
}

// GrantDeletionDays returns within how many days after a revocation copies are deleted.
func GrantDeletionDays(p *governancev1.Parameters) uint32 {
	if d := p.GetGrantDeletionDays(); d != 0 {
		return d
	}
	return defaultDeletionDays
}

// Purpose returns the purpose with that code that the parameters, or [Purposes], list.
func Purpose(p *governancev1.Parameters, code string) (*governancev1.GrantPurpose, bool) {
	list := p.GetGrantPurposes()
	if len(list) == 0 {
		list = Purposes()
	}
	for _, x := range list {
		if x.Code == code {
			return x, true
		}
	}
	return nil, false
}

// Purposes returns what owners may be asked for data for, ascending by code. The terms are
// our own choice: a year for what a contract runs on, none standing for what is decided
// once, and of sensitive items never longer than the matter itself takes. Order 809 knows
// no such list; a consortium votes on its own (Parameters.grant_purposes).
func Purposes() []*governancev1.GrantPurpose {
	return []*governancev1.GrantPurpose{
		{Code: "employment", Name: "入职核验", NameEn: "employment check", OnceDays: 30, MaxLifeDays: 365},
		{Code: "government", Name: "办理政务服务事项", NameEn: "government service", OnceDays: 90, StandingDays: 365, SensitiveDays: 90, MaxLifeDays: 3650},
		{Code: "insurance", Name: "保险承保与理赔", NameEn: "insurance", OnceDays: 90, StandingDays: 365, SensitiveDays: 180, MaxLifeDays: 3650},
		{Code: "judicial", Name: "公证与司法", NameEn: "notary and court", OnceDays: 180, MaxLifeDays: 3650},
		{Code: "loan", Name: "贷款审批与贷后管理", NameEn: "loan", OnceDays: 90, StandingDays: 1826, SensitiveDays: 365, MaxLifeDays: 1826},
		{Code: "medical", Name: "诊疗与健康服务", NameEn: "medical care", OnceDays: 90, StandingDays: 365, SensitiveDays: 365, MaxLifeDays: 3650},
		{Code: "own-use", Name: "本人自用", NameEn: "own use", OnceDays: 365, StandingDays: 1826, SensitiveDays: 1826, MaxLifeDays: 3650},
		{Code: "rental", Name: "租赁与买卖核验", NameEn: "tenancy and sale", OnceDays: 90, MaxLifeDays: 365},
		{Code: "utility", Name: "公用事业服务", NameEn: "power, water, gas", OnceDays: 90, StandingDays: 730, SensitiveDays: 0, MaxLifeDays: 730},
	}
}
