package openid

import (
	"context"
	"io"
	"net/http"
	"time"

	"mulian/gateway/reference"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// Showing a licence (亮证): its owner's device lays a presentation here and shows a code; a
// verifier who is registered and has logged in gets the presentation for the code, once,
// within a minute. The code says nothing, and neither does a photograph of it.
//
//	owner: POST /S/nonce ─▶ nonce ─▶ presents for it ─▶ POST /S ─▶ code ─screen─▶ verifier: POST /S/{code} ─▶ presentation
//	owner: POST /S/{code}/state ─▶ whether it was seen
//
// The door checks the presentation before it gives a code: what does not hold is not shown.
// The verifier checks it again, by himself.

// Showing is what the door needs for it.
type Showing struct {
	// Audience is what an owner binds his presentation to: the gateway's account.
	Audience string
	// Policy checks what is laid down.
	Policy sdjwt.Policy
	// Verifier tells which registered verifier asks, from what he sent; its error is told
	// to him. Required.
	Verifier func(ctx context.Context, raw []byte) (name string, err error)
}

// ShowAudience is the aud of a presentation that is shown by a code of a gateway.
func ShowAudience(gateway string) string { return "mulian:show:" + gateway }

const maxShown = reference.MaxContent

func (d *Door) showRoutes(mux *http.ServeMux) {
	if d.show == nil {
		return
	}
	mux.HandleFunc("POST /S/nonce", func(w http.ResponseWriter, _ *http.Request) {
		written(w, http.StatusOK, map[string]any{"nonce": d.nonces.fresh(), "audience": ShowAudience(d.show.Audience), "expires_in": int(nonceLife / time.Second)})
	})
	mux.HandleFunc("POST /S", d.layDown)
	mux.HandleFunc("POST /S/{code}", d.seeShown)
	mux.HandleFunc("POST /S/{code}/state", d.shownState)
}

// layDown takes a presentation and gives a code for it.
func (d *Door) layDown(w http.ResponseWriter, r *http.Request) {
	o, err := object(w, r)
	if err != nil {
		refused(w, err)
		return
	}
	text, nonce := o.Text("presentation"), o.Text("nonce")
	if len(text) > maxShown {
		codeRefused(w, fault.Newf(fault.TooLong, "a presentation of %d bytes, at most %d: show fewer fields", len(text), maxShown))
		return
	}
	stale := fault.Newf(fault.NonceStale, "the nonce has ended or was used: ask for another one")
	if !d.nonces.alive(nonce) {
		codeRefused(w, stale)
		return
	}
	policy := d.show.Policy
	policy.Now, policy.Holder, policy.Request = d.now(), true, sdjwt.Request{Audience: ShowAudience(d.show.Audience), Nonce: nonce}
	if _, err := sdjwt.Verify(r.Context(), text, policy); err != nil {
		codeRefused(w, refusedBy(err))
		return
	}
	if !d.nonces.spend(nonce) { // only now: what anybody may send uses up no memory
		codeRefused(w, stale)
		return
	}
	session := fresh()
	opened, err := d.Codes.Show("", session, []byte(text))
	if err != nil {
		codeRefused(w, err)
		return
	}
	written(w, http.StatusOK, map[string]any{"code": opened.Payload.String(), "session": session, "expires": opened.Expires.Format(time.RFC3339)})
}

// refusedBy gives a refusal of sdjwt its code.
func refusedBy(err error) error {
	if x, ok := err.(*sdjwt.Refusal); ok { //nolint:errorlint // Verify returns it as it is
		return fault.Newf(x.Reason.Fault(), "%s", x.Reason)
	}
	return err
}

// shownCode is the code of the path: one to show, no other.
func shownCode(r *http.Request) (qr.Payload, error) {
	p, err := qr.Parse("MULIAN:S/" + r.PathValue("code"))
	if err != nil || p.Kind != qr.Show {
		return p, fault.Newf(fault.Malformed, "the code is mistyped, or none of this kind")
	}
	return p, nil
}

// seeShown gives what a code leads to, to a verifier who says who he is.
func (d *Door) seeShown(w http.ResponseWriter, r *http.Request) {
	p, err := shownCode(r)
	if err != nil {
		codeRefused(w, err)
		return
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		codeRefused(w, fault.Newf(fault.TooLong, "the call is too long or ends early"))
		return
	}
	name, err := d.show.Verifier(r.Context(), raw)
	if err != nil { // before the code is looked at: whoever is not registered uses up no code
		codeRefused(w, err)
		return
	}
	shown, err := d.Codes.Resolve(p, name)
	if err != nil {
		codeRefused(w, err)
		return
	}
	written(w, http.StatusOK, map[string]any{"presentation": string(shown.Content), "audience": ShowAudience(d.show.Audience)})
}

// shownState tells the owner's device whether somebody has seen it.
func (d *Door) shownState(w http.ResponseWriter, r *http.Request) {
	p, err := shownCode(r)
	if err != nil {
		codeRefused(w, err)
		return
	}
	o, err := object(w, r)
	if err != nil {
		refused(w, err)
		return
	}
	s, err := d.Codes.State(p, o.Text("session"))
	if err != nil {
		codeRefused(w, err)
		return
	}
	written(w, http.StatusOK, map[string]bool{"seen": s == reference.Matched, "ended": s == reference.Ended})
}
