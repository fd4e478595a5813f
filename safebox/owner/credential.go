package owner

import (
	"crypto/sha256"
	"encoding/json"
	"strings"

	"mulian/client/wallet"
	"mulian/internal/fault"
	"mulian/internal/sdjwt"
	"mulian/internal/sm"
)

// Media types of what a box holds of credentials.
const (
	// CredentialType is a credential with the key that it is bound to: it never leaves the
	// box as it is.
	CredentialType = "application/vnd.mulian.credential+json"
	// SDJWTType is a credential's text.
	SDJWTType = "application/dc+sd-jwt"
	// CredentialSchema is the kind of such items.
	CredentialSchema = "credential/1"
)

// stored is the content of a credential's item.
type stored struct {
	Credential string `json:"credential"` // SD-JWT VC with all disclosures
	Key        string `json:"key"`        // private, in the form of mulian/internal/sm
	Issuer     string `json:"issuer"`     // URL that issued it
}

// KeepCredential is the content under which a received credential is kept, with its key.
func KeepCredential(r wallet.Received, key sm.PrivateKey, issuer string) ([]byte, error) {
	text, err := key.Marshal()
	if err != nil {
		return nil, err
	}
	return json.Marshal(stored{Credential: r.Text, Key: string(text), Issuer: issuer})
}

// ReadCredential reads what KeepCredential made. Damaged.
func ReadCredential(raw []byte) (wallet.Held, error) {
	var s stored
	if err := json.Unmarshal(raw, &s); err != nil {
		return wallet.Held{}, fault.Newf(fault.Damaged, "the credential in the box cannot be read")
	}
	key, err := sm.ParsePrivate([]byte(s.Key))
	if err != nil {
		return wallet.Held{}, fault.Newf(fault.Damaged, "the key of the credential in the box cannot be read")
	}
	return wallet.Held{Text: s.Credential, Holder: key}, nil
}

// narrow leaves of content the named fields, and returns its media type. A credential loses
// the holder's key, whatever is named.
func narrow(raw []byte, mediaType string, fields []string) ([]byte, string, error) {
	switch mediaType {
	case CredentialType:
		held, err := ReadCredential(raw)
		if err != nil {
			return nil, "", err
		}
		text, err := disclose(held.Text, fields)
		return []byte(text), SDJWTType, err
	case SDJWTType:
		text, err := disclose(strings.TrimSpace(string(raw)), fields)
		return []byte(text), SDJWTType, err
	}
	o, err := sdjwt.ParseObject(raw)
	if err != nil {
		return nil, "", fault.Newf(fault.Malformed, "only a JSON object or a credential can be given in part; this is %.60q: give it whole", mediaType)
	}
	var out sdjwt.Object
	for _, name := range fields {
		v, ok := o.Get(name)
		if !ok {
			return nil, "", fault.Newf(fault.NotFound, "there is no field %.60q in it", name)
		}
		out = append(out, sdjwt.Member{Name: name, Value: v})
	}
	return sdjwt.AppendJSON(nil, out), mediaType, nil
}

// disclose leaves of a credential the disclosures of the fields; none named: all.
func disclose(text string, fields []string) (string, error) {
	t, err := sdjwt.Parse(text)
	if err != nil {
		return "", fault.Newf(fault.Damaged, "the credential in the box cannot be read")
	}
	if len(fields) == 0 {
		return text, nil
	}
	out, err := t.Present(Paths(fields)...)
	if err != nil {
		return "", fault.Newf(fault.NotFound, "the credential lacks one of these fields: %s", strings.Join(fields, ", "))
	}
	return out, nil
}

// Paths are the paths of fields as people name them: "address.city" is below address.
func Paths(fields []string) (out []sdjwt.Path) {
	for _, f := range fields {
		var p sdjwt.Path
		for _, step := range strings.Split(f, ".") {
			p = append(p, step)
		}
		out = append(out, p)
	}
	return out
}

func digestOf(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:]
}
