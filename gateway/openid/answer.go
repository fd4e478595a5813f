package openid

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"mulian/internal/jwe"
	"mulian/internal/sdjwt"
)

// Code is an error code of the protocols, as it stands in their texts.
type Code string

// The codes that are sent or understood: RFC 6749, OpenID4VCI 8.3.1 and 11.3, OpenID4VP 8.5.
const (
	InvalidRequest       Code = "invalid_request"
	InvalidClient        Code = "invalid_client"
	InvalidGrant         Code = "invalid_grant"
	UnsupportedGrant     Code = "unsupported_grant_type"
	InvalidToken         Code = "invalid_token"
	AccessDenied         Code = "access_denied"
	UnavailableNow       Code = "temporarily_unavailable"
	InvalidCredential    Code = "invalid_credential_request"
	UnknownConfiguration Code = "unknown_credential_configuration"
	InvalidProof         Code = "invalid_proof"
	InvalidNonce         Code = "invalid_nonce"
	CredentialDenied     Code = "credential_request_denied"
	InvalidNotified      Code = "invalid_notification_request"
	InvalidNotifiedID    Code = "invalid_notification_id"
	FormatsNotSupported  Code = "vp_formats_not_supported"
	InvalidURIMethod     Code = "invalid_request_uri_method"
	InvalidTransaction   Code = "invalid_transaction_data"
	WalletUnavailable    Code = "wallet_unavailable"
)

// Error is a refusal that the other side is told.
type Error struct {
	Code Code
	Text string // one sentence, without anything of a person
}

func (e *Error) Error() string { return string(e.Code) + ": " + e.Text }

func refuse(c Code, text string) error { return &Error{c, text} }

// refused writes err, as a bearer challenge where the token was the trouble.
func refused(w http.ResponseWriter, err error) {
	e, ok := err.(*Error) //nolint:errorlint // only what refuse made is told
	if !ok {
		e = &Error{UnavailableNow, "something of ours does not work; come again"}
	}
	status := http.StatusBadRequest
	switch e.Code {
	case InvalidToken:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	case UnavailableNow:
		status = http.StatusServiceUnavailable
	}
	written(w, status, map[string]string{"error": string(e.Code), "error_description": e.Text})
}

// written sends JSON that no cache may keep.
func written(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller has gone
}

// maxBody bounds what is read of a request: a form with an encrypted answer.
const maxBody = jwe.MaxText + 16<<10

// body reads a request's body of the wanted type.
func body(w http.ResponseWriter, r *http.Request, wanted string) ([]byte, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != wanted {
		return nil, refuse(InvalidRequest, "the content type is not "+wanted)
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, refuse(InvalidRequest, "the body is too long or ends early")
	}
	return raw, nil
}

// form reads a form in which each name stands once.
func form(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	raw, err := body(w, r, "application/x-www-form-urlencoded")
	if err != nil {
		return nil, err
	}
	q, err := url.ParseQuery(string(raw))
	if err != nil {
		return nil, refuse(InvalidRequest, "the form cannot be read")
	}
	for name, v := range q {
		if len(v) != 1 {
			return nil, refuse(InvalidRequest, strings.ToValidUTF8(name[:min(len(name), 64)], "?")+" stands twice")
		}
	}
	return q, nil
}

// object reads a JSON object.
func object(w http.ResponseWriter, r *http.Request) (sdjwt.Object, error) {
	raw, err := body(w, r, "application/json")
	if err != nil {
		return nil, err
	}
	o, err := sdjwt.ParseObject(raw)
	if err != nil {
		return nil, refuse(InvalidRequest, "the body is no JSON object")
	}
	return o, nil
}

// list and object fields of a message.
func arrayOf(o sdjwt.Object, name string) sdjwt.Array {
	v, _ := o.Get(name)
	a, _ := v.(sdjwt.Array)
	return a
}

func objectOf(o sdjwt.Object, name string) sdjwt.Object {
	v, _ := o.Get(name)
	m, _ := v.(sdjwt.Object)
	return m
}
