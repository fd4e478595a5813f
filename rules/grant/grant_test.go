package grant_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/rules/grant"
	"mulian/rules/rulestest"
)

// TestOnce walks from the registration to the deletion of one delivered copy.
func TestOnce(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	asked := s.ask(nil)
	request := s.Must(s.ConsumerGateway, asked)[0]
	if want := consent.RequestID(s.Consumer, asked.Request.Nonce); request != want {
		t.Errorf("request %s, want %s", request, want)
	}
	id := s.Must(s.owner, s.give(request, func(m *grantv1.GiveGrant) { m.Items = []byte{1} }))[0]
	g := s.grant(id)
	if id != consent.GrantID(request, s.owner) || g.State != grantv1.GrantState_GRANT_STATE_ACTIVE || len(g.ItemCodes) != 1 || g.ItemCodes[0] != "no" || g.Providers[0] != s.ProviderGateway {
		t.Errorf("%v", g)
	}
	s.Must(s.ProviderGateway, s.record(id, nil))
	s.sound(id)
	if g := s.grant(id); g.State != grantv1.GrantState_GRANT_STATE_EXHAUSTED || g.Uses != 1 || g.Sequence != 1 {
		t.Errorf("after its only use: %v", g)
	}
	s.Want(fault.UsesExhausted, s.ProviderGateway, s.record(id, nil))
	s.Must(s.ProviderGateway, &grantv1.CloseGrantUse{Grant: id, Number: 1, Outcome: grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RELEASED})
	s.Wait(20 * rulestest.Day)
	if d := s.duty(id, 1); d.State != grantv1.DeletionDutyState_DELETION_DUTY_STATE_DUE {
		t.Errorf("after the data life: %v", d)
	}
	s.Must(s.ConsumerGateway, &grantv1.AttestDeletion{Grant: id, First: 1, Last: 1, EvidenceHash: digest("shredded")})
	if d, g := s.duty(id, 1), s.grant(id); d.State != grantv1.DeletionDutyState_DELETION_DUTY_STATE_ATTESTED || d.Late || g.DutiesOpen != 0 {
		t.Errorf("%v %v", d, g)
	}
	s.sound(id)
}

// TestStandingCools: a standing grant begins after ten minutes, and is counted and spaced.
func TestStandingCools(t *testing.T) {
	s := newScene(t)
	s.register(long)
	request := s.Must(s.Consumer, s.ask(nil))[0]
	if code := s.DoAs(s.owner, officer, s.give(request, nil)); code != fault.Forbidden {
		t.Errorf("an L2 key gives a standing grant: %s", code)
	}
	id := s.Must(s.owner, s.give(request, nil))[0]
	s.Want(fault.GrantNotActive, s.ProviderGateway, s.record(id, nil))
	s.Wait(600_000)
	s.WantEvent("grant/active", "active", "grant/grant/"+id)
	for n := range 5 {
		s.Must(s.ProviderGateway, s.record(id, nil))
		if n < 4 {
			s.Want(fault.TooSoon, s.ProviderGateway, s.record(id, nil))
		}
		s.Wait(3600_000)
	}
	s.Want(fault.UsesExhausted, s.ProviderGateway, s.record(id, nil))
	s.sound(id)
	if f, _ := grant.FindFeed(s.View(), s.owner); f.Standing != 0 {
		t.Errorf("%d standing grants are counted, none is left", f.Standing)
	}
}

// TestRegisterRefusals: each bound of a registration with its code.
func TestRegisterRefusals(t *testing.T) {
	s := newSceneOf(t, func(e *cataloguev1.Entry) {
		e.Items = append(
			e.Items,
			&cataloguev1.Item{Code: "illness", Name: "病史", Type: "text", Column: "issued", Personal: cataloguev1.Personal_PERSONAL_SENSITIVE},
			&cataloguev1.Item{Code: "bare", Name: "无字段", Type: "text"},
		)
	})
	for name, b := range map[string]struct {
		code fault.Code
		edit func(*grantv1.IntendedUse)
	}{
		"no title":        {fault.Missing, func(u *grantv1.IntendedUse) { u.Title = "" }},
		"no contact":      {fault.Missing, func(u *grantv1.IntendedUse) { u.Contact = "" }},
		"no notice":       {fault.Missing, func(u *grantv1.IntendedUse) { u.NoticeHash = nil }},
		"no basis":        {fault.Missing, func(u *grantv1.IntendedUse) { u.Basis = 0 }},
		"odd mode":        {fault.OutOfRange, func(u *grantv1.IntendedUse) { u.Mode = 9 }},
		"twice once":      {fault.OutOfRange, func(u *grantv1.IntendedUse) { u.MaxUses = 2 }},
		"no life":         {fault.Missing, func(u *grantv1.IntendedUse) { u.DataLifeDays = 0 }},
		"life of a look":  {fault.OutOfRange, func(u *grantv1.IntendedUse) { u.Mode = verify }},
		"purpose":         {fault.PurposeUnknown, func(u *grantv1.IntendedUse) { u.Purpose = "advertising" }},
		"too long":        {fault.LimitDuration, func(u *grantv1.IntendedUse) { u.MaxDays = 91 }},
		"kept too long":   {fault.LimitDuration, func(u *grantv1.IntendedUse) { u.DataLifeDays = 1827 }},
		"not standing":    {fault.LimitStanding, func(u *grantv1.IntendedUse) { u.Purpose = "rental"; long(u) }},
		"no entry there":  {fault.NotFound, func(u *grantv1.IntendedUse) { u.Entry = "none" }},
		"other version":   {fault.ItemVersionRetired, func(u *grantv1.IntendedUse) { u.EntryVersion = 2 }},
		"no item":         {fault.Empty, func(u *grantv1.IntendedUse) { u.Items, u.OptionalItems = nil, nil }},
		"item beyond":     {fault.OverAsk, func(u *grantv1.IntendedUse) { u.Items = []byte{0x43} }},
		"another form":    {fault.OverAsk, func(u *grantv1.IntendedUse) { u.Items = []byte{3, 0} }},
		"optional beyond": {fault.OverAsk, func(u *grantv1.IntendedUse) { u.OptionalItems = []byte{4} }},
		"no column":       {fault.FieldMasked, func(u *grantv1.IntendedUse) { u.Items = []byte{0x13} }},
		"sensitive":       {fault.ConsentKindWrong, func(u *grantv1.IntendedUse) { u.Items = []byte{9}; u.OptionalItems = nil }},
		"single standing": {fault.ConsentKindWrong, func(u *grantv1.IntendedUse) { long(u); u.ConsentKind = grantv1.ConsentKind_CONSENT_KIND_SINGLE }},
		"duty of nobody":  {fault.NoDuty, func(u *grantv1.IntendedUse) { u.Basis, u.ConsentKind, u.LegalBasis = byDuty, 0, "条例" }},
		"others' duty": {fault.NotYourDuty, func(u *grantv1.IntendedUse) {
			u.Basis, u.ConsentKind, u.LegalBasis, u.Duty = byDuty, 0, "条例", s.ProviderDuty
		}},
		"duty asks consent": {fault.ConsentKindWrong, func(u *grantv1.IntendedUse) {
			u.Basis, u.LegalBasis, u.Duty = byDuty, "条例", s.ConsumerDuty
		}},
		"confidential without count": {fault.OutOfRange, func(u *grantv1.IntendedUse) { u.Entry, u.EntryVersion = "", 0 }},
		"confidential express": {fault.ConsentKindWrong, func(u *grantv1.IntendedUse) {
			u.Entry, u.EntryVersion, u.ItemCount, u.EntryCommitment, u.Providers = "", 0, 8, digest("entry"), []string{s.ProviderGateway}
		}},
		"confidential beyond": {fault.OverAsk, func(u *grantv1.IntendedUse) {
			u.Entry, u.EntryVersion, u.ItemCount, u.EntryCommitment, u.Providers = "", 0, 1, digest("entry"), []string{s.ProviderGateway}
		}},
	} {
		if code := s.Do(s.Consumer, s.use(b.edit)); code != b.code {
			t.Errorf("%s: %s (%s), want %s", name, code, s.Text, b.code)
		}
	}
	s.Want(fault.Forbidden, s.owner, s.use(nil))
	bad := s.use(nil)
	bad.LocalId = "A b"
	s.Want(fault.Malformed, s.Consumer, bad)
	s.register(nil)
	s.Want(fault.AlreadyExists, s.Consumer, s.use(nil))
	s.Want(fault.Forbidden, s.Provider, &grantv1.RetireUse{Use: s.useID})
	s.Must(s.Authority, &grantv1.RetireUse{Use: s.useID, Cause: "不再开展"})
	s.Want(fault.IllegalTransition, s.Consumer, &grantv1.RetireUse{Use: s.useID})
	s.Want(fault.UseNotRegistered, s.Consumer, s.ask(nil))
}

// TestAskRefusals: a request asks no more than is registered.
func TestAskRefusals(t *testing.T) {
	s := newScene(t)
	s.Want(fault.UseNotRegistered, s.Consumer, s.ask(nil))
	s.register(nil)
	for name, b := range map[string]struct {
		code fault.Code
		edit func(*grantv1.DataRequest)
	}{
		"third item":      {fault.OverAsk, func(r *grantv1.DataRequest) { r.Items = []byte{7} }},
		"no item":         {fault.Empty, func(r *grantv1.DataRequest) { r.Items, r.OptionalItems = nil, nil }},
		"not optional":    {fault.OverAsk, func(r *grantv1.DataRequest) { r.OptionalItems = []byte{1} }},
		"twice":           {fault.OverAsk, func(r *grantv1.DataRequest) { r.MaxUses = 2 }},
		"kept longer":     {fault.OverAsk, func(r *grantv1.DataRequest) { r.DataLifeDays = 21 }},
		"other notice":    {fault.NoticeMismatch, func(r *grantv1.DataRequest) { r.NoticeHash = digest("another") }},
		"no background":   {fault.Missing, func(r *grantv1.DataRequest) { r.BusinessReference = nil }},
		"short reference": {fault.Malformed, func(r *grantv1.DataRequest) { r.BusinessReference = []byte("contract") }},
		"nonce":           {fault.Malformed, func(r *grantv1.DataRequest) { r.Nonce = nil }},
		"longer":          {fault.LimitDuration, func(r *grantv1.DataRequest) { r.ToMs = s.Now + 31*rulestest.Day }},
		"ended":           {fault.OutOfRange, func(r *grantv1.DataRequest) { r.ToMs = s.Now }},
		"late":            {fault.RequestExpired, func(r *grantv1.DataRequest) { r.NotAfterMs = s.Now }},
		"open for days":   {fault.OutOfRange, func(r *grantv1.DataRequest) { r.Owner = "" }},
		"nobody":          {fault.NotFound, func(r *grantv1.DataRequest) { r.Owner = "p-00000000000000000000000000000099" }},
		"an office":       {fault.NotFound, func(r *grantv1.DataRequest) { r.Owner = s.Provider }},
		"others' gateway": {fault.Forbidden, func(r *grantv1.DataRequest) { r.Gateway = s.ProviderGateway }},
		"no gateway":      {fault.NotFound, func(r *grantv1.DataRequest) { r.Gateway = "none" }},
		"old key":         {fault.RecipientKeyExpired, func(r *grantv1.DataRequest) { r.RecipientKey = "0123456789abcdef" }},
		"a row of his":    {fault.OutOfRange, func(r *grantv1.DataRequest) { r.RowKeyCommitment = digest("row") }},
	} {
		if code := s.Do(s.Consumer, s.ask(b.edit)); code != b.code {
			t.Errorf("%s: %s (%s), want %s", name, code, s.Text, b.code)
		}
	}
	s.Want(fault.Forbidden, s.Provider, s.ask(nil))
	asked := s.ask(nil)
	s.Must(s.Consumer, asked)
	s.Want(fault.RequestReplayed, s.Consumer, asked)
	s.Must(s.Authority, &identityv1.SuspendAccount{Account: s.Consumer, Cause: "检查"})
	s.Want(fault.Suspended, s.ConsumerGateway, s.ask(nil))
}

// TestGiveRefusals: what the owner signs is what he was asked and shown.
func TestGiveRefusals(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	salt := make([]byte, 16)
	match, err := consent.Match(salt, "47")
	if err != nil {
		t.Fatal(err)
	}
	request := s.Must(s.Consumer, s.ask(func(r *grantv1.DataRequest) { r.MatchCommitment = match }))[0]
	right := func(m *grantv1.GiveGrant) { m.MatchSalt, m.MatchNumber = salt, "47" }
	for name, b := range map[string]struct {
		code fault.Code
		edit func(*grantv1.GiveGrant)
	}{
		"another request": {fault.VersionConflict, func(m *grantv1.GiveGrant) { m.RequestHash = digest("other") }},
		"another text":    {fault.TextMismatch, func(m *grantv1.GiveGrant) { m.UiTextHash = digest("you win a prize") }},
		"language":        {fault.OutOfRange, func(m *grantv1.GiveGrant) { m.Language = "fr" }},
		"no row":          {fault.Missing, func(m *grantv1.GiveGrant) { m.RowKeyCommitment = nil }},
		"wrong number":    {fault.MatchWrong, func(m *grantv1.GiveGrant) { m.MatchNumber = "48" }},
		"no number":       {fault.MatchWrong, func(m *grantv1.GiveGrant) { m.MatchSalt, m.MatchNumber = nil, "" }},
		"needed item":     {fault.OverAsk, func(m *grantv1.GiveGrant) { m.Items = []byte{2} }},
		"more items":      {fault.OverAsk, func(m *grantv1.GiveGrant) { m.Items = []byte{7} }},
		"longer":          {fault.LimitDuration, func(m *grantv1.GiveGrant) { m.NotAfterMs = s.Now + 21*rulestest.Day }},
		"more uses":       {fault.OverAsk, func(m *grantv1.GiveGrant) { m.MaxUses = 2 }},
		"for another":     {fault.Forbidden, func(m *grantv1.GiveGrant) { m.Owner = s.other }},
		"a mandate":       {fault.ActorNoMandate, func(m *grantv1.GiveGrant) { m.Mandate = "m1" }},
		"replaces none":   {fault.NotFound, func(m *grantv1.GiveGrant) { m.Replaces = "none" }},
	} {
		m := s.give(request, func(m *grantv1.GiveGrant) { right(m); b.edit(m) })
		if code := s.Do(s.owner, m); code != b.code {
			t.Errorf("%s: %s (%s), want %s", name, code, s.Text, b.code)
		}
	}
	s.Want(fault.Forbidden, s.other, s.give(request, right))
	if code := s.DoAs(s.owner, machine, s.give(request, right)); code != fault.Forbidden {
		t.Errorf("an L1 key gives a grant: %s", code)
	}
	m := s.give(request, right)
	if code := s.DoAs(s.owner, officer, m); code != fault.OK {
		t.Fatalf("an L2 key gives a single grant: %s %s", code, s.Text)
	}
	s.Want(fault.IllegalTransition, s.owner, m)
	s.Want(fault.NotFound, s.owner, &grantv1.GiveGrant{Request: "none"})

	late := s.Must(s.Consumer, s.ask(nil))[0]
	yes := s.give(late, nil)
	s.Wait(10 * rulestest.Day)
	s.WantEvent("grant/request_expired", "expired", "grant/request/"+late)
	s.Want(fault.RequestExpired, s.owner, yes)
}

// TestOpenRequest: who scans is bound by signing, and nobody after him.
func TestOpenRequest(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	request := s.Must(s.Consumer, s.ask(func(r *grantv1.DataRequest) { r.Owner, r.NotAfterMs = "", s.Now+600_000 }))[0]
	s.Want(fault.NotFound, s.Provider, s.give(request, nil)) // an organisation owns nothing here
	s.Must(s.other, s.give(request, nil))
	if r := s.request(request); r.Owner != s.other {
		t.Errorf("%v", r)
	}
	s.Want(fault.IllegalTransition, s.owner, s.give(request, nil))
}

// TestDecline: a no ends the request; "not me" counts against the data user.
func TestDecline(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	no := func(cause grantv1.DeclineCause) *grantv1.DeclineRequest {
		return &grantv1.DeclineRequest{Request: s.Must(s.Consumer, s.ask(nil))[0], Cause: cause}
	}
	s.Want(fault.Missing, s.owner, no(0))
	s.Want(fault.OutOfRange, s.owner, no(9))
	s.Want(fault.Forbidden, s.other, no(1))
	for cause, word := range map[grantv1.DeclineCause]string{1: "refused", 2: "not_me", 3: "match_code_wrong"} {
		m := no(cause)
		s.Must(s.owner, m)
		s.WantEvent("grant/decline_request", word, "grant/request/"+m.Request)
		s.Want(fault.IllegalTransition, s.owner, m)
	}
	if x, _ := grant.FindStanding(s.View(), s.Consumer); x.GetRefusals() != 3 || x.GetNotMe() != 2 {
		t.Errorf("%v", x)
	}
	taken := no(1)
	s.Want(fault.Forbidden, s.Provider, &grantv1.WithdrawDataRequest{Request: taken.Request})
	s.Must(s.ConsumerGateway, &grantv1.WithdrawDataRequest{Request: taken.Request})
	s.Want(fault.IllegalTransition, s.owner, taken)
}

// TestRecordRefusals: the ledger refuses each use that the grant does not carry.
func TestRecordRefusals(t *testing.T) {
	s := newScene(t)
	s.register(long)
	id := s.given(func(r *grantv1.DataRequest) { r.FromMs = s.Now + rulestest.Day })
	s.Wait(600_000)
	s.Want(fault.TooEarly, s.ProviderGateway, s.record(id, nil))
	s.Wait(rulestest.Day)
	for name, b := range map[string]struct {
		code fault.Code
		edit func(*grantv1.RecordGrantUse)
	}{
		"no grant":   {fault.NotFound, func(m *grantv1.RecordGrantUse) { m.Grant = "none" }},
		"a gap":      {fault.ReceiptGap, func(m *grantv1.RecordGrantUse) { m.Number = 2 }},
		"third item": {fault.OverAsk, func(m *grantv1.RecordGrantUse) { m.Items = []byte{4} }},
		"other key":  {fault.RecipientKeyExpired, func(m *grantv1.RecordGrantUse) { m.RecipientKey = "0123456789abcdef" }},
		"bad hash":   {fault.Malformed, func(m *grantv1.RecordGrantUse) { m.KeyWrapHash = []byte{1} }},
	} {
		if code := s.Do(s.ProviderGateway, s.record(id, b.edit)); code != b.code {
			t.Errorf("%s: %s (%s), want %s", name, code, s.Text, b.code)
		}
	}
	s.Want(fault.ProviderMismatch, s.ConsumerGateway, s.record(id, nil))
	s.Want(fault.ProviderMismatch, s.Provider, s.record(id, nil))
	first := s.record(id, nil)
	s.Must(s.ProviderGateway, first)
	s.Want(fault.DuplicateSeq, s.ProviderGateway, first)
	s.Must(s.owner, &grantv1.PauseGrant{Grant: id})
	s.Wait(3600_000)
	s.Want(fault.GrantPaused, s.ProviderGateway, s.record(id, nil))
	s.Must(s.owner, &grantv1.ResumeGrant{Grant: id})
	s.Must(s.ProviderGateway, s.Drift("column_dropped", 3, "cert_no", "owner", "area", "issued"))
	s.Want(fault.FieldMasked, s.ProviderGateway, s.record(id, nil))
	s.Must(s.ProviderGateway, s.record(id, func(m *grantv1.RecordGrantUse) { m.Items = []byte{2} })) // the other item is in order
	s.Wait(30 * rulestest.Day)
	s.WantEvent("grant/expired", "expired", "grant/grant/"+id)
	s.Want(fault.Expired, s.ProviderGateway, s.record(id, nil))
	s.sound(id)
}

// TestVersions: an entry that gets other items retires what was registered on it; a grant
// goes on as long as its items are there.
func TestVersions(t *testing.T) {
	s := newScene(t)
	s.register(long)
	id := s.given(nil)
	waiting := s.Must(s.Consumer, s.ask(nil))[0]
	s.Wait(600_000)
	s.Publish(func(e *cataloguev1.Entry) { e.Abstract = "同样的信息项" })
	s.Must(s.Consumer, s.ask(nil)) // the items are the same
	s.Publish(func(e *cataloguev1.Entry) { e.Items = e.Items[1:] })
	s.Want(fault.ItemVersionRetired, s.Consumer, s.ask(nil))
	s.Want(fault.ItemVersionRetired, s.owner, s.give(waiting, nil))
	s.Want(fault.ItemVersionRetired, s.ProviderGateway, s.record(id, nil))
	s.Must(s.ProviderGateway, s.record(id, func(m *grantv1.RecordGrantUse) { m.Items = []byte{2} }))
	s.Must(s.Authority, &cataloguev1.SuspendEntry{Entry: s.EntryID, Cause: "检查"})
	s.Wait(3600_000)
	s.Want(fault.FieldMasked, s.ProviderGateway, s.record(id, func(m *grantv1.RecordGrantUse) { m.Items = []byte{2} }))
}

// TestRevocation: no use at its height or above; what was delivered falls due sooner.
func TestRevocation(t *testing.T) {
	s := newScene(t)
	s.register(long)
	id := s.given(nil)
	s.Wait(600_000)
	s.Must(s.ProviderGateway, s.record(id, nil))
	before := s.duty(id, 1).DueMs
	s.Want(fault.Forbidden, s.other, &grantv1.RevokeGrant{Grant: id})
	s.Wait(3600_000)
	s.Must(s.owner, &grantv1.RevokeGrant{Grant: id, Cause: "不再需要"})
	g := s.grant(id)
	if g.EndedHeight != s.Height() || g.DeleteByMs != s.Now+15*rulestest.Day {
		t.Errorf("%v", g)
	}
	if d := s.duty(id, 1); d.DueMs != g.DeleteByMs || d.DueMs >= before {
		t.Errorf("the duty is due at %d, before it was %d", d.DueMs, before)
	}
	s.Want(fault.GrantRevoked, s.ProviderGateway, s.record(id, nil))
	s.Want(fault.IllegalTransition, s.owner, &grantv1.ResumeGrant{Grant: id})
	s.Want(fault.IllegalTransition, s.owner, &grantv1.RevokeGrant{Grant: id})
	s.sound(id)
}

// TestAmendment: revoke and give anew in one transaction; what is not revoked is not replaced.
func TestAmendment(t *testing.T) {
	s := newScene(t)
	s.register(long)
	id := s.given(nil)
	request := s.Must(s.Consumer, s.ask(nil))[0]
	m := s.give(request, func(m *grantv1.GiveGrant) { m.Items, m.Replaces = []byte{1}, id })
	s.Want(fault.IllegalTransition, s.owner, m)
	made := s.Must(s.owner, &grantv1.RevokeGrant{Grant: id, Cause: "变更"}, m)[0]
	if g := s.grant(made); g.Replaces != id || s.grant(id).State != grantv1.GrantState_GRANT_STATE_REVOKED {
		t.Errorf("%v", g)
	}
	if f, _ := grant.FindFeed(s.View(), s.owner); f.Standing != 1 {
		t.Errorf("%d standing grants", f.Standing)
	}
}

// TestByDuty: a statutory duty takes without consent; the owner is told and cannot revoke.
func TestByDuty(t *testing.T) {
	s := newScene(t)
	s.register(func(u *grantv1.IntendedUse) {
		u.Basis, u.ConsentKind, u.LegalBasis, u.Duty = byDuty, 0, "住房公积金管理条例第二十六条", s.ConsumerDuty
	})
	take := func(edit func(*grantv1.DataRequest)) *grantv1.RequestData {
		return s.ask(func(r *grantv1.DataRequest) {
			r.RowKeyCommitment, r.CaseNote = digest("row"), "贷款审批核查"
			if edit != nil {
				edit(r)
			}
		})
	}
	s.Want(fault.Missing, s.Consumer, take(func(r *grantv1.DataRequest) { r.RowKeyCommitment = nil }))
	s.Want(fault.Missing, s.Consumer, take(func(r *grantv1.DataRequest) { r.Owner, r.NotAfterMs = "", s.Now+60_000 }))
	s.Want(fault.Forbidden, s.ConsumerGateway, take(nil)) // a person decides on it
	ids := s.Must(s.Consumer, take(nil))
	if len(ids) != 2 {
		t.Fatalf("%v: the request and its grant", ids)
	}
	objects := s.WantEvent("grant/take_by_duty", "duty "+s.ConsumerDuty, "grant/grant/"+ids[1])
	if objects[len(objects)-1] != grant.NotificationKey(s.owner, 1) {
		t.Errorf("the owner was not told: %v", objects)
	}
	s.Want(fault.Forbidden, s.owner, &grantv1.RevokeGrant{Grant: ids[1]})
	s.Want(fault.Forbidden, s.owner, &grantv1.PauseGrant{Grant: ids[1]})
	s.Must(s.ProviderGateway, s.record(ids[1], nil))
	s.sound(ids[1])
	s.Want(fault.Forbidden, s.Provider, &grantv1.VoidGrant{Grant: ids[1], Cause: "越权"})
	s.Want(fault.Missing, s.Authority, &grantv1.VoidGrant{Grant: ids[1]})
	s.Must(s.Authority, &grantv1.VoidGrant{Grant: ids[1], Cause: "越权"})
	s.Want(fault.GrantNotActive, s.ProviderGateway, s.record(ids[1], nil))
	if d := s.duty(ids[1], 1); d.DueMs != s.Now+15*rulestest.Day {
		t.Errorf("%v", d)
	}
}

// TestConfidential: of a use whose entry is a commitment the bitmaps are compared all the
// same, and nothing names the entry.
func TestConfidential(t *testing.T) {
	s := newScene(t)
	s.register(func(u *grantv1.IntendedUse) {
		u.Entry, u.EntryVersion, u.ItemCount, u.EntryCommitment, u.Providers = "", 0, 8, digest("salt, entry, version"), []string{s.ProviderGateway}
		u.ConsentKind = separate
	})
	s.Want(fault.OverAsk, s.Consumer, s.ask(func(r *grantv1.DataRequest) { r.Items = []byte{7} }))
	request := s.Must(s.Consumer, s.ask(nil))[0]
	m := s.give(request, func(m *grantv1.GiveGrant) { m.UiTextHash = digest("salt and text") })
	if code := s.DoAs(s.owner, officer, m); code != fault.Forbidden {
		t.Errorf("sensitive by an L2 key: %s", code)
	}
	id := s.Must(s.owner, m)[0]
	for _, ev := range s.Events() {
		for _, o := range ev.Objects {
			if o == "catalogue/entry/"+s.EntryID {
				t.Errorf("%s names the entry", ev.Verb)
			}
		}
	}
	s.Want(fault.OverAsk, s.ProviderGateway, s.record(id, func(m *grantv1.RecordGrantUse) { m.Items = []byte{4} }))
	s.Must(s.ProviderGateway, s.record(id, nil))
	s.sound(id)
}

// TestGivenBack: what released nothing is not counted, ten times and no more.
func TestGivenBack(t *testing.T) {
	s := newScene(t)
	s.register(nil)
	id := s.given(nil)
	shut := func(n uint64, o grantv1.GrantUseOutcome, code uint32) proto.Message {
		return &grantv1.CloseGrantUse{Grant: id, Number: n, Outcome: o, Code: code}
	}
	const (
		released = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_RELEASED
		empty    = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_EMPTY
		failed   = grantv1.GrantUseOutcome_GRANT_USE_OUTCOME_FAILED
	)
	s.Want(fault.NotFound, s.ProviderGateway, shut(1, empty, 0))
	for n := uint64(1); n <= grant.MaxFailures; n++ {
		s.Must(s.ProviderGateway, s.record(id, nil))
		s.Want(fault.ProviderMismatch, s.ConsumerGateway, shut(n, empty, 0))
		s.Want(fault.OutOfRange, s.ProviderGateway, shut(n, failed, 0))
		s.Want(fault.OutOfRange, s.ProviderGateway, shut(n, 1, 0))
		s.Must(s.ProviderGateway, shut(n, failed, uint32(fault.SealFailed)))
		s.Want(fault.IllegalTransition, s.ProviderGateway, shut(n, empty, 0))
		s.sound(id)
		if g := s.grant(id); g.State != grantv1.GrantState_GRANT_STATE_ACTIVE || g.Uses != 0 || g.DutiesOpen != 0 {
			t.Fatalf("after failure %d: %v", n, g)
		}
	}
	s.Must(s.ProviderGateway, s.record(id, nil))
	s.Must(s.ProviderGateway, shut(grant.MaxFailures+1, empty, 0))
	if g := s.grant(id); g.State != grantv1.GrantState_GRANT_STATE_EXHAUSTED {
		t.Errorf("%v", g)
	}
	s.Want(fault.UsesExhausted, s.ProviderGateway, s.record(id, nil))
	second := s.given(nil)
	s.Must(s.ProviderGateway, s.record(second, nil))
	s.Wait(rulestest.Day + 1)
	s.Want(fault.Expired, s.ProviderGateway, &grantv1.CloseGrantUse{Grant: second, Number: 1, Outcome: released})
}
