package annotated

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

func same(a, b []byte) bool { return len(a) > 0 && subtle.ConstantTimeCompare(a, b) == 1 }

// CheckCode holds the code of a paper against its record, at a time: CopyCode, CopyForwarded
// (presenter is not whom it is for; not asked if presenter is empty), CopyEnded, Expired.
func CheckCode(r *credentialv1.AnnotatedCopy, p qr.Payload, presenter string, nowMs int64) error {
	switch {
	case r.GetId() != ID(p.Short) || !same(r.GetMacHash(), digest(macDomain, p.Short, []byte(p.Mac))):
		return fault.Newf(fault.CopyCode, "the letters %s are not those of this copy", p.Mac)
	case presenter != "" && !same(r.GetRecipientHash(), digest(recipientDomain, p.Short, []byte(presenter))):
		return fault.Newf(fault.CopyForwarded, "the copy was not made for %s", presenter)
	case r.GetState() != credentialv1.CopyState_COPY_STATE_MADE:
		return fault.Newf(fault.CopyEnded, "its maker ended the copy at %s", moment(r.GetEndedMs()))
	case nowMs >= r.GetExpiresMs():
		return fault.Newf(fault.Expired, "the copy ended at %s", moment(r.GetExpiresMs()))
	}
	return nil
}

// CheckCredential refuses a credential that does not hold now: StatusInvalid,
// StatusSuspended, PresentationExpired; NotFound if it is nil.
func CheckCredential(c *credentialv1.Credential, nowMs int64) error {
	switch {
	case c == nil:
		return fault.Newf(fault.NotFound, "the ledger knows of no such credential")
	case c.GetState() == credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED:
		return fault.Newf(fault.StatusSuspended, "the credential is suspended since %s", moment(c.GetStateMs()))
	case c.GetState() != credentialv1.CredentialState_CREDENTIAL_STATE_VALID:
		return fault.Newf(fault.StatusInvalid, "the credential does not hold since %s", moment(c.GetStateMs()))
	case c.GetExpiresMs() != 0 && nowMs >= c.GetExpiresMs():
		return fault.Newf(fault.PresentationExpired, "the credential ended at %s", moment(c.GetExpiresMs()))
	}
	return nil
}

// Check checks the whole file of a copy against its record and its credential's anchor.
// keys resolves the issuer's key. Malformed; then as [CheckCode]; VerificationFailed (an
// annotation was changed); as [CheckCredential]; and what [sdjwt.Verify] refuses with.
func (c *Copy) Check(ctx context.Context, r *credentialv1.AnnotatedCopy, anchor *credentialv1.Credential, presenter string, now time.Time, keys func(sdjwt.Signature) (sm.PublicKey, error)) (*sdjwt.Verified, error) {
	p, err := payload(c.Code)
	if err != nil {
		return nil, err
	}
	if err := CheckCode(r, p, presenter, now.UnixMilli()); err != nil {
		return nil, err
	}
	want, err := c.Record()
	if err != nil {
		return nil, err
	}
	sum := c.annotated()
	if p.Mac != letters(p.Short, sum) || !same(r.GetCommitment(), want.GetCommitment()) || !same(r.GetRecipientHash(), want.GetRecipientHash()) ||
		c.ExpiresMs != r.GetExpiresMs() || c.Maker != r.GetMaker() || hex.EncodeToString(masked(p.Short, r.GetCredential())) != c.Credential {
		return nil, fault.Newf(fault.VerificationFailed, "the file is not the copy that was recorded: an annotation was changed")
	}
	if err := CheckCredential(anchor, now.UnixMilli()); err != nil {
		return nil, err
	}
	return c.verify(ctx, anchor, ID(p.Short), now, keys)
}

// verify checks the presentation in the copy: it is the credential that the ledger has, and
// shows what the paper says.
func (c *Copy) verify(ctx context.Context, anchor *credentialv1.Credential, id string, now time.Time, keys func(sdjwt.Signature) (sm.PublicKey, error)) (*sdjwt.Verified, error) {
	policy := sdjwt.Policy{
		Keys: keys, Now: now, Accept: []string{c.Type}, Holder: c.Bound, Request: sdjwt.Request{Audience: Audience(c.Recipient), Nonce: id},
		MaxAge: now.Sub(time.UnixMilli(c.MadeMs)) + time.Minute,
		Status: func(_ context.Context, at sdjwt.StatusAt) (sdjwt.Status, error) {
			if at.Index < 0 || uint64(at.Index) != anchor.GetIndex() || !strings.HasSuffix(at.URI, fmt.Sprintf("/%s/%d", anchor.GetIssuer(), anchor.GetList())) {
				return 0, fault.Newf(fault.VerificationFailed, "the copy shows another credential than it names")
			}
			return 0, nil // its state was read from its anchor
		},
	}
	for _, f := range c.Fields {
		policy.Require = append(policy.Require, sdjwt.Path{f.Name})
	}
	v, err := sdjwt.Verify(ctx, c.Text, policy)
	if err != nil {
		return nil, refused(err)
	}
	switch {
	case v.StatusAt == nil:
		return nil, fault.Newf(fault.StatusUnreachable, "the credential names no status")
	case !c.Bound && !v.Holder.IsZero():
		return nil, fault.Newf(fault.KeyBindingMissing, "the credential has a holder's key, which has not signed the copy")
	}
	for _, f := range c.Fields {
		if value, ok := v.Claims.Get(f.Name); !ok || printed(value) != f.Value {
			return nil, fault.Newf(fault.VerificationFailed, "field %s is not what the credential says", f.Name)
		}
	}
	return v, nil
}

// refused gives a refusal of sdjwt its code.
func refused(err error) error {
	if r, ok := err.(*sdjwt.Refusal); ok { //nolint:errorlint // Verify returns it as it is
		return fault.Newf(r.Reason.Fault(), "%s: %v", r.Reason, r.Err)
	}
	return err
}

// moment is a time in Beijing.
func moment(ms int64) string {
	return time.UnixMilli(ms).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04:05")
}
