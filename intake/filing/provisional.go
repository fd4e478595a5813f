package filing

import (
	"context"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/keyring"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/intake"
	"mulian/internal/code"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// ProvisionalPrefix begins the code of an organisation that was registered because a
// list names it. It is well formed (GB 32100: Y1, registered elsewhere), and its region
// 000000 is none: no organisation that exists can have such a code.
const ProvisionalPrefix = "Y1000000"

// What a provisional organisation says of itself. Its full name is not that of the
// one whose place it keeps: that one can come on board under its own name and code.
const (
	provisionalMark   = "（代登记）"
	provisionalOffice = "目录采集代登记，待本单位入网后交接"
	provisionalDuty   = "发布所持有的数据（目录采集代登记，职责待编办确认）"
)

const (
	maxOrgName   = 200 // characters, as the ledger's
	maxShortName = 50
)

// ProvisionalCode is the code of the provisional organisation of a name: derived from
// the name as names are compared, so that every import on every machine finds the same
// one. 40 of the hash's bits: among 10,000 organisations two have the same code
// with a chance of 1 in 17,000; the ledger then refuses the second.
func ProvisionalCode(name string) string {
	const digits = "0123456789ABCDEFGHJKLMNPQRTUWXY" // GB 32100, table 1
	sum := sha256.Sum256([]byte("mulian/intake/filing/org/1\x00" + nameKey(bareName(name))))
	body := make([]byte, 8)
	for i := range body { // 16 bits each: 2^16 mod 31 leaves no digit worth telling more likely
		body[i] = digits[(int(sum[2*i])<<8|int(sum[2*i+1]))%len(digits)]
	}
	org := string(body) + checked(string(body), "0123456789X", code.CheckOrgCode)
	return ProvisionalPrefix + org + checked(ProvisionalPrefix+org, digits, code.CheckUSCC)
}

// bareName is a name without the mark of provisional organisations, which our exports
// write: who was registered provisionally on one ledger is the same one on another.
func bareName(name string) string {
	for {
		short := strings.TrimSpace(name)
		for _, mark := range []string{provisionalMark, "(代登记)"} {
			short = strings.TrimSpace(strings.TrimSuffix(short, mark))
		}
		if short == "" || short == name {
			return name
		}
		name = short
	}
}

// checked returns the one character of set that completes a code.
func checked(head, set string, check func(string) error) string {
	for _, c := range set {
		if check(head+string(c)) == nil {
			return string(c)
		}
	}
	panic("intake/filing: no check character completes " + head)
}

// instead is who stands for an owner that a list names with his code: himself, if he
// is on board, else the one that keeps the place of his name. That a list gives his
// code is no reason to open an account under it, with a key that is not his.
func (d *Desk) instead(code, name string) (string, bool) {
	if _, ok := d.orgs[code]; ok {
		return code, true
	}
	if name == "" {
		return "", false
	}
	if isProvisional(code) { // whose place it keeps may be on board by now
		return d.org(name)
	}
	id, ok := d.orgs[ProvisionalCode(name)]
	return id, ok
}

// isProvisional reports whether a code that a list gives is one of [ProvisionalCode].
func isProvisional(given string) bool {
	return strings.HasPrefix(given, ProvisionalPrefix) && code.CheckUSCC(given) == nil
}

// newcomer is an organisation to be registered provisionally.
type newcomer struct{ name, org string }

// newcomers are the owners of a plan that are not on board, by the order of their names.
// The code of a provisional one that the list gives is taken as it is.
func (d *Desk) newcomers(p *intake.Plan, o Order) []newcomer {
	var all []newcomer
	seen := map[string]bool{}
	add := func(name, org string) {
		name = strings.Join(strings.Fields(bareName(name)), " ")
		if !seen[org] && utf8.RuneCountInString(name+provisionalMark) <= maxOrgName {
			seen[org] = true
			all = append(all, newcomer{name, org})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Owners())) {
		if _, merged := o.Merge[name]; merged {
			continue
		}
		if _, ok := d.org(name); !ok {
			add(name, ProvisionalCode(name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Coded())) {
		given := p.Coded()[name]
		if _, ok := d.instead(given, name); ok || name == "" {
			continue
		}
		if !isProvisional(given) {
			given = ProvisionalCode(name)
		}
		add(name, given)
	}
	return all
}

// register brings the owners of a plan on board that are not: one organisation for
// each name as it is spelt, with one key that lies in the keyring here. It returns
// how many were registered now. Names that are too long are left: their entries are
// held back. A name that is probably another spelling of one on the ledger is registered
// all the same, and told: nobody is merged in silence.
func (d *Desk) register(ctx context.Context, p *intake.Plan, o Order, out *Outcome) (n int, err error) {
	names := d.newcomers(p, o)
	if len(names) == 0 {
		return 0, nil
	}
	authority, err := d.authority(ctx)
	if err != nil {
		return 0, err
	}
	profile, err := d.above(ctx, authority.Account, o.Profile)
	if err != nil {
		return 0, err
	}
	spelt := make([]string, len(names))
	for i, n := range names {
		spelt[i] = n.name
	}
	d.tellLike(spelt, out)
	for len(names) > 0 {
		batch := names[:min(registerAtOnce, len(names))]
		names = names[len(batch):]
		if err := d.registerSome(ctx, authority, profile, batch); err != nil {
			return n, err
		}
		n += len(batch)
	}
	return n, nil
}

func (d *Desk) registerSome(ctx context.Context, authority client.Signer, like *identityv1.OrgProfile, names []newcomer) error {
	messages := make([]proto.Message, 0, len(names))
	signers, public, err := d.provisionalKeys(names)
	if err != nil {
		return err
	}
	for i, n := range names {
		p := proto.CloneOf(like)
		p.Name, p.SharingOffice = n.name+provisionalMark, provisionalOffice
		if utf8.RuneCountInString(n.name) <= maxShortName {
			p.ShortName = n.name
		}
		messages = append(messages, &identityv1.RegisterOrg{Code: signers[i].Account, Profile: p, Keys: public[i]})
	}
	if err := d.send(ctx, authority, messages...); err != nil {
		return err
	}
	for i, s := range signers {
		d.remember(s)
		d.orgs[s.Account] = s.Account
		d.names = append(d.names, spellingOf(s.Account, names[i].name))
		d.mu.Lock()
		if d.fresh == nil {
			d.fresh = make(map[string]bool)
		}
		d.fresh[signers[i].Account] = true
		d.mu.Unlock()
	}
	return nil
}

// provisionalKeys makes the key of each, or takes the one that is there. Making
// one is mostly waiting for the disk, so a few are made at once.
func (d *Desk) provisionalKeys(names []newcomer) (signers []client.Signer, public [][]*identityv1.Key, err error) {
	signers, public = make([]client.Signer, len(names)), make([][]*identityv1.Key, len(names))
	wrong := make([]error, len(names))
	room := make(chan struct{}, keysAtOnce)
	var all sync.WaitGroup
	for i, n := range names {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if public[i], wrong[i] = d.newKeys(n.org, keyring.Root); wrong[i] != nil {
				return
			}
			var key sm.PrivateKey
			key, wrong[i] = d.Keys.Key(n.org, keyring.Root)
			signers[i] = client.Signer{Account: n.org, Key: key}
		})
	}
	all.Wait()
	for _, err := range wrong {
		if err != nil {
			return nil, nil, err // the disk is full for all of them
		}
	}
	return signers, public, nil
}

// keysAtOnce keys are made at once: so many writes the disk puts together.
const keysAtOnce = 16

// above is level and region of provisional organisations: what the order says, else
// those of the authority.
func (d *Desk) above(ctx context.Context, authority string, said *identityv1.OrgProfile) (*identityv1.OrgProfile, error) {
	var acc identityv1.Account
	if _, err := d.Client.Get(ctx, "identity/account/"+authority, &acc); err != nil {
		return nil, err
	}
	p := &identityv1.OrgProfile{Level: acc.GetProfile().GetLevel(), Region: acc.GetProfile().GetRegion()}
	if said.GetLevel() != 0 {
		p.Level = said.GetLevel()
	}
	if said.GetRegion() != "" {
		p.Region = said.GetRegion()
	}
	if p.Level == 0 || p.Region == "" {
		return nil, fault.Newf(fault.Missing, "%s", d.Lang.Say("没有级别或区划：用 --level 和 --region 指定", "no level or no region: name them with --level and --region"))
	}
	return p, nil
}
