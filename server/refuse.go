package server

import (
	"net/http"

	"mulian/internal/fault"
	"mulian/internal/wire"
)

// refusing gives a code of ours to the refusals that never reach our handlers: a
// body that is no message, another content type, another method, a page that is not
// there. It stands in the header Mulian-Code, as with every other refusal.
type refusing struct {
	http.ResponseWriter
}

// WriteHeader implements http.ResponseWriter.
func (w refusing) WriteHeader(status int) {
	if h := w.Header(); status >= http.StatusBadRequest && h.Get("Mulian-Code") == "" {
		h.Set("Mulian-Code", codeOfStatus(status).String())
		h.Set("Mulian-Reference", wire.Reference())
	}
	w.ResponseWriter.WriteHeader(status)
}

// Flush implements http.Flusher: streams need it.
func (w refusing) Flush() {
	if f, ok := w.ResponseWriter.(http.Flusher); ok {
		f.Flush()
	}
}

// Unwrap is for http.ResponseController.
func (w refusing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func codeOfStatus(status int) fault.Code {
	switch status {
	case http.StatusNotFound:
		return fault.NotFound
	case http.StatusRequestEntityTooLarge, http.StatusRequestHeaderFieldsTooLarge, http.StatusTooManyRequests:
		return fault.TooLong
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return fault.Timeout
	case http.StatusServiceUnavailable:
		return fault.Unreachable
	}
	if status >= http.StatusInternalServerError {
		return fault.Internal
	}
	return fault.Malformed
}
