package witness

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"mulian/internal/fault"
)

// Handler serves the protocol (C2SP tlog-witness) and, for monitors, which the standard
// leaves open, the last cosigned checkpoint of each log:
//
//	POST /add-checkpoint
//	GET  /checkpoint/HASH   SHA-256 of the origin in hex
func (w *Witness) Handler(log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", func(out http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(http.MaxBytesReader(out, r.Body, maxRequest))
		if err != nil {
			http.Error(out, "the request is cut or too long", http.StatusBadRequest)
			return
		}
		old, path, note, err := parseRequest(string(raw))
		if err != nil {
			http.Error(out, err.Error(), http.StatusBadRequest)
			return
		}
		v, err := w.add(old, path, note)
		if err != nil {
			log.Error("checkpoint not judged", "err", err)
			http.Error(out, "the witness cannot use its disk", http.StatusInternalServerError)
			return
		}
		origin, _, _ := strings.Cut(string(note), "\n")
		log.Info("checkpoint", "origin", origin, "old", old, "status", v.status)
		kind := "text/plain; charset=utf-8"
		if v.status == http.StatusConflict {
			kind = "text/x.tlog.size"
		}
		out.Header().Set("Content-Type", kind)
		out.WriteHeader(v.status)
		io.WriteString(out, v.body)
	})
	mux.HandleFunc("GET /checkpoint/{hash}", func(out http.ResponseWriter, r *http.Request) {
		for origin := range w.logs { // any order: one at most has the hash
			if hashOf(origin) != r.PathValue("hash") {
				continue
			}
			if _, raw, err := w.last(origin); err == nil && raw != nil {
				out.Header().Set("Content-Type", "text/plain; charset=utf-8")
				out.Write(raw)
				return
			}
		}
		http.Error(out, "this witness has cosigned no such log", http.StatusNotFound)
	})
	return mux
}

var errRequest = errors.New("the request is not of the form of add-checkpoint")

// parseRequest takes the body of add-checkpoint apart.
func parseRequest(body string) (old uint64, path [][]byte, note []byte, err error) {
	head, rest, found := strings.Cut(body, "\n\n")
	lines := strings.Split(head, "\n")
	size, ok := strings.CutPrefix(lines[0], "old ")
	old, err = strconv.ParseUint(size, 10, 64)
	if !found || !ok || err != nil || strconv.FormatUint(old, 10) != size || old > maxSize || len(lines)-1 > maxHashes || len(rest) > maxNote {
		return 0, nil, nil, errRequest
	}
	for _, line := range lines[1:] {
		h, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(h) != 32 {
			return 0, nil, nil, errRequest
		}
		path = append(path, h)
	}
	return old, path, []byte(rest), nil
}

// hashOf names a log in a path.
func hashOf(origin string) string { return hex.EncodeToString(sumOf(origin)) }

// Refusals of a witness, for who pushes.
var (
	// errForked: the witness has cosigned another log than this one.
	errForked = fault.Newf(fault.VerificationFailed, "the witness has cosigned a log that this checkpoint does not continue: somebody was shown another one")
)
