package witness

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"mulian/internal/fault"
)

func sumOf(s string) []byte { h := sha256.Sum256([]byte(s)); return h[:] }

// Push brings a signed checkpoint to a witness and returns it with the witness's cosignature.
// VerificationFailed if the witness has cosigned a log that this one does not continue;
// VersionConflict if it has seen more of it than this checkpoint has; Unreachable; Malformed or
// NotWhitelisted if it refuses the checkpoint or answers with no cosignature of its own.
func Push(ctx context.Context, client *http.Client, url string, by note.Verifier, signed []byte, way Way) ([]byte, error) {
	text, _, _ := strings.Cut(string(signed), "\n\n")
	c, err := parseCheckpoint(text + "\n")
	if err != nil {
		return nil, err
	}
	var old uint64 // a witness that knows more says so
	for range 3 {  // two, unless somebody else pushes at the same time
		var path [][]byte
		if old > 0 && old < c.Size {
			if path, err = way(ctx, old); err != nil {
				return nil, err
			}
		}
		status, body, err := post(ctx, client, url, old, path, signed)
		if err != nil {
			return nil, err
		}
		if status == http.StatusOK {
			return received(signed, body, by)
		}
		if status != http.StatusConflict {
			return nil, refusalOf(status, body)
		}
		has, err := strconv.ParseUint(strings.TrimSpace(body), 10, 53)
		switch {
		case err != nil:
			return nil, fault.Newf(fault.Malformed, "the witness answers %.80q instead of a size", body)
		case has > c.Size:
			return nil, fault.Newf(fault.VersionConflict, "the witness has cosigned %d events, this checkpoint has %d: this node is behind, or its log was cut", has, c.Size)
		case has == old:
			return nil, errForked
		}
		old = has
	}
	return nil, fault.Newf(fault.Busy, "others push to this witness at the same time; try again")
}

func refusalOf(status int, body string) error {
	switch status {
	case http.StatusUnprocessableEntity:
		return errForked
	case http.StatusForbidden, http.StatusNotFound:
		return fault.Newf(fault.NotWhitelisted, "the witness does not know this log or its key: %.200s", strings.TrimSpace(body))
	}
	return fault.Newf(fault.Malformed, "the witness refuses with status %d: %.200s", status, strings.TrimSpace(body))
}

// post sends one request of the protocol.
func post(ctx context.Context, client *http.Client, url string, old uint64, path [][]byte, signed []byte) (int, string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", old)
	for _, h := range path {
		b.WriteString(base64.StdEncoding.EncodeToString(h) + "\n")
	}
	b.WriteString("\n" + string(signed))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/add-checkpoint", strings.NewReader(b.String()))
	if err != nil {
		return 0, "", fault.Wrap(fault.Usage, err, "the address %.200q of a witness", url)
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, "", fault.Wrap(fault.Unreachable, err, "the witness %s", url)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxNote))
	return res.StatusCode, string(raw), fault.Wrap(fault.Unreachable, err, "the witness %s", url)
}

// received adds the witness's cosignature, after it was checked, and nothing else of what it
// answered.
func received(signed []byte, lines string, by note.Verifier) ([]byte, error) {
	opened, err := note.Open([]byte(string(signed)+lines), note.VerifierList(by))
	if err != nil {
		return nil, fault.Newf(fault.VerificationFailed, "the witness's answer is no cosignature of %s", by.Name())
	}
	out := string(signed)
	for _, s := range opened.Sigs {
		out += fmt.Sprintf("— %s %s\n", s.Name, s.Base64)
	}
	return []byte(out), nil
}

// Fetch reads the last checkpoint of a log that a witness has cosigned. NotFound if it has
// cosigned none, VerificationFailed if the cosignature does not hold.
func Fetch(ctx context.Context, client *http.Client, url, origin string, by note.Verifier) ([]byte, error) {
	raw, err := Get(ctx, client, strings.TrimSuffix(url, "/")+"/checkpoint/"+hashOf(origin))
	if err != nil {
		return nil, err
	}
	if _, err := note.Open(raw, note.VerifierList(by)); err != nil {
		return nil, fault.Newf(fault.VerificationFailed, "the checkpoint of %s is not cosigned by %s", origin, by.Name())
	}
	return raw, nil
}

// Get reads a published checkpoint. Its signatures are not looked at.
func Get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the address %.200q", url)
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "%s", url)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxNote+1))
	switch {
	case err != nil:
		return nil, fault.Wrap(fault.Unreachable, err, "%s", url)
	case res.StatusCode == http.StatusNotFound:
		return nil, fault.Newf(fault.NotFound, "there is no checkpoint at %s", url)
	case res.StatusCode != http.StatusOK || len(raw) > maxNote:
		return nil, fault.Newf(fault.Malformed, "%s answers with status %d and %d bytes", url, res.StatusCode, len(raw))
	}
	return raw, nil
}
