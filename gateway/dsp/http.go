package dsp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"mulian/internal/fault"
	"mulian/internal/wire"
)

// call answers one message of a participant.
type call func(http.ResponseWriter, *http.Request, *participant) error

// requestWait bounds the answer to one message.
const requestWait = 60 * time.Second

// Handler answers below /dsp/ and at /.well-known/dspace-version.
func (f *Facade) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/dspace-version", f.versions)
	post := func(path, errorType string, c call) { mux.Handle("POST /dsp/"+path, f.route(errorType, c)) }
	get := func(path, errorType string, c call) { mux.Handle("GET /dsp/"+path, f.route(errorType, c)) }
	post("catalog/request", "CatalogError", f.catalog)
	get("catalog/datasets/{id}", "CatalogError", f.oneDataset)
	const negotiationError, transferError = "ContractNegotiationError", "TransferError"
	n := f.negotiating()
	post("negotiations/request", negotiationError, f.request)
	get("negotiations/{pid}", negotiationError, n.show(f))
	post("negotiations/{pid}/request", negotiationError, n.step(f, "ContractRequestMessage", f.counter))
	post("negotiations/{pid}/events", negotiationError, n.step(f, "ContractNegotiationEventMessage", f.accept))
	post("negotiations/{pid}/agreement/verification", negotiationError, n.step(f, "ContractAgreementVerificationMessage", f.verify))
	post("negotiations/{pid}/termination", negotiationError, n.step(f, "ContractNegotiationTerminationMessage", f.terminate))
	t := f.transferring()
	post("transfers/request", transferError, f.requestTransfer)
	get("transfers/{pid}", transferError, t.show(f))
	for path, kind := range map[string]string{
		"start": "TransferStartMessage", "suspension": "TransferSuspensionMessage",
		"completion": "TransferCompletionMessage", "termination": "TransferTerminationMessage",
	} {
		post("transfers/{pid}/"+path, transferError, t.step(f, kind, f.move))
	}
	mux.Handle("GET /dsp/data/{pid}", f.bounded(transferError, f.rows))
	return mux
}

func (f *Facade) versions(w http.ResponseWriter, _ *http.Request) {
	_ = write(w, http.StatusOK, map[string]any{"protocolVersions": []any{map[string]string{"version": Version, "path": "/dsp", "binding": "HTTPS"}}}) // the caller has gone
}

// route finds out who calls before anything of the message is read.
func (f *Facade) route(errorType string, c call) http.Handler {
	return f.bounded(errorType, func(w http.ResponseWriter, r *http.Request) error {
		p := f.who(r)
		if p == nil {
			return fault.Newf(fault.BadAuthorisation, "no connector here has this token")
		}
		return p.turn(func() error { return c(w, r, p) })
	})
}

// turn lets a participant make so many calls at once, and no more: one that is slow or
// hostile takes nobody else's place.
func (p *participant) turn(c func() error) error {
	select {
	case p.calls <- struct{}{}:
		defer func() { <-p.calls }()
		return c()
	default:
		return fault.Newf(fault.Busy, "%d messages of this connector are being answered", maxEach)
	}
}

// bounded bounds number, time and size of calls, and writes refusals as the protocol
// has them.
func (f *Facade) bounded(errorType string, c func(http.ResponseWriter, *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestWait)
		defer cancel()
		r = r.WithContext(ctx)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody+1)
		var err error
		select {
		case f.calls <- struct{}{}:
			defer func() { <-f.calls }()
			err = c(w, r)
		default:
			err = fault.Newf(fault.Busy, "%d messages are being answered", maxCalls)
		}
		if err != nil {
			f.refuse(w, r, errorType, err)
		}
	})
}

// who finds the participant by its token; every token is compared, in constant time.
func (f *Facade) who(r *http.Request) (found *participant) {
	token := bearer(r)
	for _, p := range f.participants {
		if p.token.is(token) {
			found = p
		}
	}
	return found
}

// bearer is the token of a request. Some data planes show it without its scheme.
func bearer(r *http.Request) string {
	h := r.Header.Get("Authorization")
	if scheme, token, ok := strings.Cut(h, " "); ok && strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(token)
	}
	return h
}

// pidError is a refusal of a negotiation or transfer that is known.
type pidError struct {
	provider, consumer string
	error
}

func (e pidError) Unwrap() error { return e.error }

func (f *Facade) refuse(w http.ResponseWriter, r *http.Request, kind string, err error) {
	known, _ := errors.AsType[pidError](err)
	if known.provider == "" {
		known.provider = r.PathValue("pid")
	}
	status := statusOf(fault.CodeOf(err))
	f.log.Info("refused", "path", r.URL.Path[:min(len(r.URL.Path), maxLogged)], "code", fault.CodeOf(err).String(), "status", status)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	}
	_ = write(w, status, refusal(kind, known.provider, known.consumer, err)) // the caller has gone
}

// reasons are a refusal's number and text. What is ours alone stays here.
func reasons(err error) (string, []any) {
	code := fault.CodeOf(err)
	text := "an error of this gateway; its log says more"
	if x, ok := errors.AsType[*fault.Fault](err); ok && statusOf(code) != http.StatusInternalServerError {
		text = x.Text
	}
	return code.String(), []any{text}
}

func statusOf(c fault.Code) int {
	switch c {
	case fault.BadAuthorisation, fault.Expired:
		return http.StatusUnauthorized
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Forbidden, fault.NotWhitelisted, fault.KeyRevoked, fault.Suspended:
		return http.StatusForbidden
	case fault.DailyLimit, fault.TotalLimit:
		return http.StatusTooManyRequests
	case fault.Busy, fault.Unreachable, fault.Timeout, fault.StaleHeight, fault.SourceUnreachable, fault.Cancelled:
		return http.StatusServiceUnavailable
	case fault.Internal, fault.Damaged, fault.DiskFull, fault.VerificationFailed, fault.Inaccessible:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// passing tells whether the same bytes may have another outcome later.
func passing(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Busy, fault.Unreachable, fault.Timeout, fault.Cancelled:
		return true
	}
	return false
}

// answered turns the error of a server's answer into a fault.
func answered(err error) error { return wire.Fault(err) }

func write(w http.ResponseWriter, status int, m any) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the caller has gone
	return nil
}
