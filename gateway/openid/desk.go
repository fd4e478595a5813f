package openid

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"mulian/internal/dcql"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
)

// The desk is where the department's own system asks for offers and requests, with a bearer
// token. What it gets goes onto a screen or paper.
//
//	POST /desk/offer         {subject, configurations[], code}            -> {link, tx_code, expires}
//	POST /desk/authorize     {interaction, subject}                       -> {redirect}
//	POST /desk/request       {session, query, grant{id, request}, plain,
//	                          return}                                     -> {id, link, code, number, expires}
//	GET  /desk/request/{id}?session=…                                     -> {state, code, reason, presented[]}
//
// code is a short code with its match number, for another device; link is for this one.

// desk lets the department's own system in.
func (d *Door) desk(h func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if !strings.EqualFold(scheme, "Bearer") || !equal(token, d.token) {
			refused(w, refuse(InvalidToken, "the token is not that of the desk"))
			return
		}
		if err := h(w, r); err != nil {
			refused(w, err)
		}
	}
}

func (d *Door) deskOffer(w http.ResponseWriter, r *http.Request) error {
	o, err := object(w, r)
	if err != nil {
		return err
	}
	if d.Issuer == nil {
		return refuse(UnavailableNow, "nothing is issued here")
	}
	var ids []string
	for _, v := range arrayOf(o, "configurations") {
		id, _ := v.(string)
		ids = append(ids, id)
	}
	withCode, _ := o.Get("code")
	subject, err := subjectOf(o)
	if err != nil {
		return err
	}
	if subject == "" || len(ids) > MaxBatch {
		return refuse(InvalidRequest, "subject or configurations")
	}
	offer, err := d.Issuer.Offer(subject, withCode == true, ids...)
	if err != nil {
		return told(err)
	}
	link, err := qr.OfferLink(offer.URI)
	if err != nil {
		return told(err)
	}
	written(w, http.StatusOK, map[string]any{"link": link.String(), "tx_code": offer.Code, "expires": offer.Expires.Format(time.RFC3339)})
	return nil
}

// deskAuthorize is told by the department's log-in who came of an interaction. Without a
// subject the wallet is told that it was refused.
func (d *Door) deskAuthorize(w http.ResponseWriter, r *http.Request) error {
	o, err := object(w, r)
	if err != nil {
		return err
	}
	if d.Issuer == nil {
		return refuse(UnavailableNow, "nothing is issued here")
	}
	subject, err := subjectOf(o)
	if err != nil {
		return err
	}
	to, err := d.Issuer.Authorize(o.Text("interaction"), subject)
	if err != nil {
		return err
	}
	written(w, http.StatusOK, map[string]string{"redirect": to})
	return nil
}

// subjectOf is whose data it is: a text, or an object, which is passed on as it is.
func subjectOf(o sdjwt.Object) (string, error) {
	v, _ := o.Get("subject")
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case sdjwt.Object:
		return string(sdjwt.AppendJSON(nil, v)), nil
	}
	return "", refuse(InvalidRequest, "subject is a text or an object")
}

// told makes an error one that the desk may read: it is the department itself.
func told(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return refuse(InvalidRequest, err.Error())
}

func (d *Door) deskRequest(w http.ResponseWriter, r *http.Request) error {
	o, err := object(w, r)
	if err != nil {
		return err
	}
	if d.Verifier == nil {
		return refuse(UnavailableNow, "nobody is asked here")
	}
	q := Question{Session: o.Text("session"), Return: o.Text("return")}
	if q.Query, err = dcql.FromObject(objectOf(o, "query")); err != nil {
		return told(err)
	}
	if g := objectOf(o, "grant"); g != nil {
		q.Grant = &GrantReference{ID: g.Text("id"), Request: g.Text("request")}
	}
	plain, _ := o.Get("plain")
	q.Plain = plain == true
	asked, err := d.Verifier.Ask(q)
	if err != nil {
		return told(err)
	}
	link, err := qr.RequestLink(d.url+"/a", asked.ClientID, asked.RequestURI)
	if err != nil {
		return told(err)
	}
	code, err := d.Codes.Ask(asked.ClientID, q.Session, []byte(link.String()), RequestLife)
	if err != nil {
		return told(err)
	}
	written(w, http.StatusOK, map[string]any{"id": asked.ID, "link": link.String(), "code": code.Payload.String(), "number": code.Number, "expires": asked.Expires.Format(time.RFC3339)})
	return nil
}

var stateNames = map[State]string{Waiting: "waiting", Fetched: "fetched", Answered: "answered", Refused: "refused", Failed: "failed"}

func (d *Door) deskResult(w http.ResponseWriter, r *http.Request) error {
	if d.Verifier == nil {
		return refuse(UnavailableNow, "nobody is asked here")
	}
	res, err := d.Verifier.Result(r.PathValue("id"), r.URL.Query().Get("session"))
	if err != nil {
		return refuse(InvalidRequest, err.Error())
	}
	presented := []any{}
	for _, p := range res.Presented {
		presented = append(presented, map[string]any{"id": p.ID, "issuer": p.Signature.Issuer, "type": p.Signature.Type, "claims": p.Claims})
	}
	written(w, http.StatusOK, map[string]any{"state": stateNames[res.State], "code": string(res.Code), "reason": string(res.Reason), "presented": presented})
	return nil
}

// resolve gives what a short code leads to, to the first device; its ticket proves later
// that it is the same one.
func (d *Door) resolve(w http.ResponseWriter, r *http.Request) {
	p, err := code(r)
	if err != nil {
		codeRefused(w, err)
		return
	}
	bearer := fresh()
	s, err := d.Codes.Resolve(p, bearer)
	if err != nil {
		codeRefused(w, err)
		return
	}
	written(w, http.StatusOK, map[string]any{"ticket": bearer, "asker": s.Asker, "number": s.Number, "expires": s.Expires.Format(time.RFC3339)})
}

// code reads the short code of the path: those to show a licence are for logged-in
// verifiers and not resolved at this door.
func code(r *http.Request) (qr.Payload, error) {
	p, err := qr.Parse("MULIAN:R/" + r.PathValue("code"))
	if err != nil || p.Kind != qr.Request {
		return p, fault.Newf(fault.Malformed, "the code is mistyped, or none of this kind")
	}
	return p, nil
}

// match takes the number that the person typed, and gives the link: what is asked is seen
// by nobody who does not stand before the asker's screen.
func (d *Door) match(w http.ResponseWriter, r *http.Request) {
	p, err := code(r)
	if err != nil {
		codeRefused(w, err)
		return
	}
	o, err := object(w, r)
	if err != nil {
		refused(w, err)
		return
	}
	content, err := d.Codes.Match(p, o.Text("ticket"), o.Text("number"))
	if err != nil {
		codeRefused(w, err)
		return
	}
	written(w, http.StatusOK, map[string]string{"link": string(content)})
}

func (d *Door) notMe(w http.ResponseWriter, r *http.Request) {
	p, err := code(r)
	if err != nil {
		codeRefused(w, err)
		return
	}
	o, err := object(w, r)
	if err != nil {
		refused(w, err)
		return
	}
	if err := d.Codes.NotMe(r.Context(), p, o.Text("ticket")); err != nil {
		codeRefused(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// codeRefused tells a device why its code leads nowhere, with our code.
func codeRefused(w http.ResponseWriter, err error) {
	c := fault.CodeOf(err)
	status := http.StatusBadRequest
	switch c {
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Expired, fault.Replayed:
		status = http.StatusGone
	case fault.Forbidden, fault.BadAuthorisation:
		status = http.StatusForbidden
	}
	written(w, status, map[string]string{"error": c.String(), "error_description": err.Error()})
}
