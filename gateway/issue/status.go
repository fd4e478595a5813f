package issue

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	credentialv1 "mulian/gen/mulian/credential/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
	"mulian/internal/statuslist"
)

// Desk tells verifiers what they need: status lists, signed, and the issuer's keys. All of it
// comes from the ledger, with proof where Get has it.
type Desk struct {
	Org string
	Key sdjwt.Signer // P-256, a key of one of the issuer's accounts
	Get func(ctx context.Context, key string, m proto.Message) (bool, error)
	Now func() time.Time // nil: time.Now

	mu   sync.Mutex // guards kept
	kept map[uint64]kept
}

type kept struct {
	token string
	until time.Time
}

const (
	// TTL is how long a verifier may keep a list (spec 3.9), and lasts how long a token is
	// good when the gateway cannot be asked: a day, as the ARF lets a suspension take.
	TTL   = 5 * time.Minute
	lasts = 24 * time.Hour
	// renew is how long one token is handed out: a change is seen after it and the TTL.
	renew     = 15 * time.Second
	pages     = ListEntries / PageEntries
	keptLists = 16
)

// Handler serves GET <prefix><organisation>/<list> and GET /.well-known/jwt-vc-issuer, to
// pages of any origin.
func (d *Desk) Handler(prefix string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix+"{org}/{list}", d.serveList)
	mux.HandleFunc("GET /.well-known/jwt-vc-issuer", d.serveKeys)
	return mux
}

func (d *Desk) serveList(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	list, err := strconv.ParseUint(r.PathValue("list"), 10, 20)
	if err != nil || r.PathValue("org") != d.Org {
		http.NotFound(w, r)
		return
	}
	token, err := d.List(r.Context(), list)
	switch {
	case fault.Is(err, fault.NotFound):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, fault.CodeOf(err).String(), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", statuslist.ContentType)
	w.Header().Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(TTL/time.Second)))
	_, _ = w.Write([]byte(token))
}

// List returns the signed token of a list. NotFound if there is none; StaleHeight and the like
// if the ledger cannot be seen.
func (d *Desk) List(ctx context.Context, list uint64) (string, error) {
	now := time.Now()
	if d.Now != nil {
		now = d.Now()
	}
	d.mu.Lock()
	k, ok := d.kept[list]
	d.mu.Unlock()
	if ok && now.Before(k.until) {
		return k.token, nil
	}
	issuer, raw, err := d.read(ctx, list)
	if err != nil {
		return "", err
	}
	uri := fmt.Sprintf("%s/%s/%d", issuer.GetStatusUrl(), d.Org, list)
	token, err := statuslist.Token{URI: uri, KeyID: d.Key.Public().ID(), Issued: now, Expires: now.Add(lasts), TTL: TTL}.Sign(statuslist.List{Bits: 2, Raw: raw}, d.Key)
	if err != nil {
		return "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.kept) >= keptLists || d.kept == nil {
		d.kept = map[uint64]kept{}
	}
	d.kept[list] = kept{token, now.Add(renew)}
	return token, nil
}

// read puts the pages of a list together.
func (d *Desk) read(ctx context.Context, list uint64) (*credentialv1.Issuer, []byte, error) {
	issuer := &credentialv1.Issuer{}
	if ok, err := d.Get(ctx, "credential/issuer/"+d.Org, issuer); err != nil || !ok {
		return nil, nil, orElse(err, fault.NotFound, "%s is not known as issuer", d.Org)
	}
	if ok, err := d.Get(ctx, fmt.Sprintf("credential/list/%s/%016x", d.Org, list), &credentialv1.StatusList{}); err != nil || !ok {
		return nil, nil, orElse(err, fault.NotFound, "%s has no status list %d", d.Org, list)
	}
	raw := make([]byte, ListEntries/4)
	for n := range uint64(pages) {
		p := &credentialv1.StatusPage{}
		ok, err := d.Get(ctx, fmt.Sprintf("credential/page/%s/%016x/%016x", d.Org, list, n), p)
		if err != nil {
			return nil, nil, err
		}
		if ok {
			copy(raw[n*PageEntries/4:(n+1)*PageEntries/4], p.GetStatuses())
		}
	}
	return issuer, raw, nil
}

// serveKeys answers as SD-JWT VC, section 5, asks: the issuer and its keys. Foreign verifiers
// get those of P-256 only: others would not know what to do with the rest.
func (d *Desk) serveKeys(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	issuer, keys, err := Keys(r.Context(), d.Get, d.Org)
	if err != nil {
		http.Error(w, fault.CodeOf(err).String(), http.StatusServiceUnavailable)
		return
	}
	var list sdjwt.Array
	for _, k := range keys {
		if k.Public.Algorithm() != sm.P256 {
			continue
		}
		jwk, err := sdjwt.JWK(k.Public)
		if err != nil {
			continue
		}
		list = append(list, append(jwk, sdjwt.Member{Name: "kid", Value: k.Public.ID()}, sdjwt.Member{Name: "use", Value: "sig"}, sdjwt.Member{Name: "alg", Value: "ES256"}))
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(sdjwt.Object{{Name: "issuer", Value: issuer.GetUrl()}, {Name: "jwks", Value: sdjwt.Object{{Name: "keys", Value: list}}}})
}

// Key is a key with which an issuer signs, or signed.
type Key struct {
	Public    sm.PublicKey
	RevokedMs int64 // 0: it is in use
}

// Keys returns an issuer with its keys as the ledger has them, those that were rotated too: what
// they signed before still holds.
func Keys(ctx context.Context, get func(context.Context, string, proto.Message) (bool, error), org string) (*credentialv1.Issuer, []Key, error) {
	issuer := &credentialv1.Issuer{}
	if ok, err := get(ctx, "credential/issuer/"+org, issuer); err != nil || !ok {
		return nil, nil, orElse(err, fault.IssuerNotAuthorised, "%s is not known as issuer", org)
	}
	var out []Key
	for _, id := range issuer.GetAccounts() {
		acc := &identityv1.Account{}
		if _, err := get(ctx, "identity/account/"+id, acc); err != nil {
			return nil, nil, err
		}
		for _, k := range acc.GetKeys() {
			alg := sm.Algorithm(k.GetAlgorithm())
			if k.GetLevel() != identityv1.KeyLevel_KEY_LEVEL_MACHINE || alg != sm.P256 && alg != sm.SM2 {
				continue
			}
			if public, err := sm.ParsePublic(alg, k.GetPublicKey()); err == nil {
				out = append(out, Key{public, k.GetRevokedMs()})
			}
		}
	}
	return issuer, out, nil
}

// Trust returns what a verifier's policy needs for the credentials of one issuer: its keys by
// "kid". A key that was revoked counts for what says that it was signed before.
func Trust(issuer *credentialv1.Issuer, keys []Key) func(sdjwt.Signature) (sm.PublicKey, error) {
	return func(s sdjwt.Signature) (sm.PublicKey, error) {
		if s.Issuer != issuer.GetUrl() {
			return sm.PublicKey{}, fault.Newf(fault.IssuerNotAuthorised, "%.100q is not %s", s.Issuer, issuer.GetUrl())
		}
		for _, k := range keys {
			if alg, err := sdjwt.AlgorithmOf(k.Public); err != nil || alg != s.Algorithm || k.Public.ID() != s.KeyID {
				continue
			}
			if k.RevokedMs != 0 && s.IssuedAt*1000 >= k.RevokedMs {
				return sm.PublicKey{}, fault.Newf(fault.KeyRevoked, "key %s was revoked before it signed this", s.KeyID)
			}
			return k.Public, nil
		}
		return sm.PublicKey{}, fault.Newf(fault.IssuerNotAuthorised, "%s has no key %.40q", issuer.GetUrl(), s.KeyID)
	}
}

// StatusOf reads the status of a credential from the ledger itself, without asking the
// issuer: nobody learns that it is being checked but the member that is asked for a page.
func StatusOf(ctx context.Context, get func(context.Context, string, proto.Message) (bool, error), issuer *credentialv1.Issuer, at sdjwt.StatusAt) (sdjwt.Status, error) {
	rest, ok := strings.CutPrefix(at.URI, issuer.GetStatusUrl()+"/"+issuer.GetOrg()+"/")
	list, err := strconv.ParseUint(rest, 10, 20)
	if !ok || err != nil || at.Index < 0 || at.Index >= ListEntries {
		return 0, fault.Newf(fault.Malformed, "%.200q is no status list of %s", at.URI, issuer.GetOrg())
	}
	p := &credentialv1.StatusPage{}
	n := uint64(at.Index) % PageEntries
	there, err := get(ctx, fmt.Sprintf("credential/page/%s/%016x/%016x", issuer.GetOrg(), list, uint64(at.Index)/PageEntries), p)
	switch {
	case err != nil:
		return 0, err
	case !there || len(p.GetTaken()) != PageEntries/8 || len(p.GetStatuses()) != PageEntries/4 || p.GetTaken()[n/8]>>(n%8)&1 == 0:
		return 0, fault.Newf(fault.NotFound, "the ledger knows of no credential there: it was never anchored")
	}
	return sdjwt.Status(p.GetStatuses()[n/4] >> (n % 4 * 2) & 3), nil
}
