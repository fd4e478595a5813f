package gateway

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// patient bounds how long a client may take for each piece that it sends or takes: one
// that goes silent in the middle of a page or of its own request must not keep a place
// for ever. A stream as a whole has no bound.
func patient(h http.Handler, most time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), most: most}
		out.more()
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &patientBody{ReadCloser: r.Body, out: out}
		}
		h.ServeHTTP(out, r)
	})
}

type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	most    time.Duration
}

// more begins a wait. What cannot be bounded (a test's recorder) is not.
func (w *patientWriter) more() { _ = w.control.SetWriteDeadline(time.Now().Add(w.most)) }

// maxPiece is what may take so long: a line of 1 KiB a second is slow, not silent.
const maxPiece = 64 << 10

func (w *patientWriter) Write(b []byte) (written int, err error) {
	for err == nil {
		w.more()
		var n int
		n, err = w.ResponseWriter.Write(b[:min(len(b), maxPiece)])
		written += n
		if b = b[n:]; len(b) == 0 {
			break
		}
	}
	return written, err
}

func (w *patientWriter) Flush() { _ = w.FlushError() }

// FlushError is what [http.ResponseController] calls.
func (w *patientWriter) FlushError() error {
	w.more()
	return w.control.Flush()
}

func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

type patientBody struct {
	io.ReadCloser
	out *patientWriter
}

func (b *patientBody) Read(p []byte) (int, error) {
	_ = b.out.control.SetReadDeadline(time.Now().Add(b.out.most))
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		// All of it is here. The server goes on reading, to see whether the client leaves.
		_ = b.out.control.SetReadDeadline(time.Time{})
	case errors.Is(err, os.ErrDeadlineExceeded):
		b.out.Header().Set("Connection", "close") // the rest of it may still come
	}
	return n, err
}
