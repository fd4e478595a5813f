package openid

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/http"
	"time"

	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

const nonceLife = 5 * time.Minute

// nonces are made without memory and remembered once used: time || chance || MAC.
type nonces struct {
	key  [32]byte
	now  func() time.Time
	used *shelf[struct{}]
}

// maxUsed bounds the nonces that were used within their life; each belongs to a token.
const maxUsed = 100_000

func newNonces(now func() time.Time) *nonces {
	n := &nonces{now: now, used: newShelf[struct{}](maxUsed, now)}
	_, _ = rand.Read(n.key[:]) // never fails (crypto/rand)
	return n
}

func (n *nonces) mac(b []byte) []byte {
	h := hmac.New(sha256.New, n.key[:])
	h.Write(b)
	return h.Sum(nil)[:16]
}

func (n *nonces) fresh() string {
	b := binary.BigEndian.AppendUint64(nil, uint64(n.now().Add(nonceLife).Unix()))
	b = append(b, make([]byte, 16)...)
	_, _ = rand.Read(b[8:])
	return sdjwt.Encode(append(b, n.mac(b)...))
}

// alive reports whether text is a nonce of ours whose time has not ended.
func (n *nonces) alive(text string) bool {
	b, err := sdjwt.Decode(text)
	if err != nil || len(b) != 40 || !hmac.Equal(b[24:], n.mac(b[:24])) {
		return false
	}
	return n.now().Unix() < int64(binary.BigEndian.Uint64(b))
}

// spend is true for the first caller of each nonce.
func (n *nonces) spend(text string) bool { return n.used.keep(text, struct{}{}, nonceLife) }

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// credential checks the proofs and gives a credential for each key.
func (i *Issuer) credential(w http.ResponseWriter, r *http.Request) {
	o, err := i.bearer(r)
	if err != nil {
		refused(w, err)
		return
	}
	asked, err := object(w, r)
	if err != nil {
		refused(w, refuse(InvalidCredential, "the body is no JSON object"))
		return
	}
	c, err := i.configured(o, asked)
	if err != nil {
		refused(w, err)
		return
	}
	holders, nonce, err := i.holders(asked)
	if err != nil {
		refused(w, err)
		return
	}
	if !i.nonces.spend(nonce) {
		refused(w, refuse(InvalidNonce, "the nonce was used"))
		return
	}
	order := Order{Subject: o.subject, Configuration: c.ID, Holders: holders, ID: fresh()}
	made, err := i.cfg.Issue(r.Context(), order)
	if err != nil || len(made) == 0 || len(made) > len(holders) {
		refused(w, err)
		return
	}
	out := map[string]any{}
	credentials := []map[string]string{}
	for _, text := range made {
		credentials = append(credentials, map[string]string{"credential": text})
	}
	out["credentials"] = credentials
	if id, ok := i.given.put(Notice{Subject: o.subject, Configuration: c.ID, Order: order.ID}, noticeLife); ok {
		out["notification_id"] = id
	}
	written(w, http.StatusOK, out)
}

// holders are the keys that the proofs prove; each has one nonce, the same for all.
func (i *Issuer) holders(asked sdjwt.Object) (keys []sm.PublicKey, nonce string, err error) {
	if _, encrypted := asked.Get("credential_response_encryption"); encrypted {
		return nil, "", refuse("invalid_encryption_parameters", "answers are not encrypted beyond TLS")
	}
	proofs := objectOf(asked, "proofs")
	texts := arrayOf(proofs, "jwt")
	if len(proofs) != 1 || len(texts) == 0 || len(texts) > MaxBatch {
		return nil, "", refuse(InvalidProof, "proofs has one member, jwt, with 1 to 10 proofs")
	}
	seen := map[string]bool{}
	for _, t := range texts {
		text, _ := t.(string)
		key, n, err := i.proof(text)
		if err != nil {
			return nil, "", err
		}
		if nonce != "" && n != nonce || seen[string(key.Bytes())] {
			return nil, "", refuse(InvalidProof, "the proofs have different nonces, or a key comes twice")
		}
		nonce, seen[string(key.Bytes())] = n, true
		keys = append(keys, key)
	}
	return keys, nonce, nil
}

// proof checks one JWT proof (OpenID4VCI, annex F.1) and returns its key and nonce.
func (i *Issuer) proof(text string) (key sm.PublicKey, nonce string, err error) {
	j, err := sdjwt.ParseJWS(text)
	if err != nil || j.Type() != "openid4vci-proof+jwt" {
		return key, "", refuse(InvalidProof, "a proof is no JWT of type openid4vci-proof+jwt with ES256")
	}
	if key, err = sdjwt.ParseJWK(objectOf(j.Header, "jwk")); err != nil {
		return key, "", refuse(InvalidProof, "a proof has no usable jwk in its header")
	}
	if err := j.Check(key); err != nil {
		return key, "", refuse(InvalidProof, "the signature of a proof does not hold")
	}
	iat, _ := j.Payload.Whole("iat")
	now := i.cfg.Now()
	switch age := now.Sub(time.Unix(iat, 0)); {
	case j.Payload.Text("aud") != i.cfg.URL:
		return key, "", refuse(InvalidProof, "a proof is for another issuer")
	case age > proofMaxAge || age < -proofMaxAge:
		return key, "", refuse(InvalidProof, "a proof is too old, or from the future")
	}
	if nonce = j.Payload.Text("nonce"); !i.nonces.alive(nonce) {
		return key, "", refuse(InvalidNonce, "the nonce has ended: ask for another one")
	}
	return key, nonce, nil
}
