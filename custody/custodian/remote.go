package custodian

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	custodyv1 "mulian/gen/mulian/custody/v1"
	"mulian/internal/custody"
	"mulian/internal/fault"
	"mulian/safebox"
)

// Remote is a custodian as a counter's terminal sees it: [safebox.Custodian]. To close a vault
// to it takes only the arrangement; to open one, all of it.
type Remote struct {
	Arrangement *custodyv1.Custody

	URL        string            // of the custodian's door
	Asked      *custodyv1.Unwrap // as it stands on the ledger
	KeyVersion uint64            // of the vault file
	Terminal   *ecdh.PrivateKey  // whose public key is the receiver; used for this once
	HTTP       *http.Client
}

var _ safebox.Custodian = (*Remote)(nil)

// Account implements [safebox.Custodian].
func (r *Remote) Account() string { return r.Arrangement.GetCustodian() }

// Wrap implements [safebox.Custodian]: nobody is asked, for the key is public.
func (r *Remote) Wrap(_ context.Context, secret, bound []byte) ([]byte, error) {
	return seal(r.Arrangement.GetSealKey(), bound, secret)
}

// Unwrap implements [safebox.Custodian]: the custodian opens the box if the ledger has asked
// him, and answers to this terminal alone. Unreachable; the custodian's own refusals;
// VerificationFailed if the answer is not for this terminal and opening.
func (r *Remote) Unwrap(ctx context.Context, box, _ []byte) ([]byte, error) {
	if r.Asked == nil || r.Terminal == nil || !bytes.Equal(r.Terminal.PublicKey().Bytes(), r.Asked.GetReceiver()) {
		return nil, fault.Newf(fault.Missing, "this terminal has not asked for an opening of the vault of %s", r.Arrangement.GetAccount())
	}
	raw, err := json.Marshal(Ask{Account: r.Asked.GetAccount(), Number: r.Asked.GetNumber(), KeyVersion: r.KeyVersion, Box: box})
	if err != nil {
		return nil, fmt.Errorf("ask the custodian: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(r.URL, "/")+UnwrapPath, bytes.NewReader(raw))
	if err != nil {
		return nil, fault.Wrap(fault.Usage, err, "the custodian's address")
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := r.HTTP.Do(req)
	if err != nil {
		return nil, fault.Wrap(fault.Unreachable, err, "the custodian")
	}
	defer res.Body.Close()
	var answer Answer
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAsk)).Decode(&answer); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the custodian's answer (HTTP %d)", res.StatusCode)
	}
	if answer.Code != 0 {
		return nil, fault.Newf(fault.Code(answer.Code), "%.500s", answer.Error)
	}
	private, err := hpke.NewDHKEMPrivateKey(r.Terminal)
	if err != nil {
		return nil, fmt.Errorf("the terminal's key: %w", err)
	}
	secret, err := hpke.Open(private, hpke.HKDFSHA256(), hpke.AES256GCM(), custody.Handed(r.Asked.GetAccount(), r.Asked.GetNumber(), r.Asked.GetTxId()), answer.Sealed)
	if err != nil || len(answer.Sealed) > maxSealed {
		return nil, fault.Newf(fault.VerificationFailed, "the custodian's answer is not for this terminal and this opening")
	}
	return secret, nil
}
