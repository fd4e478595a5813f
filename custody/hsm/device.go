//go:build cgo

package hsm

import (
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/miekg/pkcs11"

	"mulian/internal/sm"
)

// oidP256 is prime256v1 in DER, as CKA_EC_PARAMS wants it (RFC 5480).
var oidP256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// Device is a token that is open. It may be used by many goroutines: calls wait for each
// other.
type Device struct {
	mu      sync.Mutex // guards the session
	module  *pkcs11.Ctx
	session pkcs11.SessionHandle
}

// Open loads the module, finds the token by its label and logs in as its user.
func Open(c Config) (*Device, error) {
	pin, err := c.pin()
	if err != nil {
		return nil, err
	}
	module := pkcs11.New(c.Module)
	if module == nil {
		return nil, fmt.Errorf("load the PKCS#11 module %s: not a library, or it lacks C_GetFunctionList", c.Module)
	}
	d := &Device{module: module}
	if err := module.Initialize(); err != nil {
		module.Destroy()
		return nil, fmt.Errorf("initialise %s: %w", c.Module, err)
	}
	if err := d.login(c.Token, pin); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *Device) login(token, pin string) error {
	slots, err := d.module.GetSlotList(true)
	if err != nil {
		return fmt.Errorf("list the tokens: %w", err)
	}
	for _, s := range slots {
		t, err := d.module.GetTokenInfo(s)
		if err != nil || t.Label != token {
			continue
		}
		if d.session, err = d.module.OpenSession(s, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION); err != nil {
			return fmt.Errorf("open token %s: %w", token, err)
		}
		if err := d.module.Login(d.session, pkcs11.CKU_USER, pin); err != nil {
			return fmt.Errorf("log in to token %s: %w", token, err)
		}
		return nil
	}
	return fmt.Errorf("there is no token %q", token)
}

// Close logs out and unloads the module.
func (d *Device) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.module == nil {
		return nil
	}
	err := d.module.Finalize() // closes sessions and logs out
	d.module.Destroy()
	d.module = nil
	return err
}

// Generate makes a P-256 key pair in the module and returns its public key. label is for the
// module's own operators; it names no person.
func (d *Device) Generate(label string) (sm.PublicKey, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.module == nil {
		return sm.PublicKey{}, pkcs11.Error(pkcs11.CKR_SESSION_CLOSED)
	}
	public, private, err := d.module.GenerateKeyPair(d.session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, oidP256),
			pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		})
	if err != nil {
		return sm.PublicKey{}, fmt.Errorf("make a key: %w", err)
	}
	k, err := d.public(public)
	if err == nil {
		for _, h := range []pkcs11.ObjectHandle{public, private} {
			if err == nil { // a key without its id could not be found again
				err = d.module.SetAttributeValue(d.session, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(k.ID()))})
			}
		}
	}
	if err != nil {
		return sm.PublicKey{}, errors.Join(fmt.Errorf("name the key: %w", err), d.module.DestroyObject(d.session, private), d.module.DestroyObject(d.session, public))
	}
	return k, nil
}

// public reads a public key.
func (d *Device) public(h pkcs11.ObjectHandle) (sm.PublicKey, error) {
	attributes, err := d.module.GetAttributeValue(d.session, h, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_POINT, nil)})
	if err != nil {
		return sm.PublicKey{}, err
	}
	var point []byte // the point stands in an OCTET STRING
	if rest, err := asn1.Unmarshal(attributes[0].Value, &point); err != nil || len(rest) > 0 {
		return sm.PublicKey{}, errors.New("the module's point is not in an OCTET STRING")
	}
	return sm.ParsePublic(sm.P256, point)
}

// find returns the object of that class with the key's id: [ErrNoKey] if there is none.
func (d *Device) find(class uint, keyID string) (pkcs11.ObjectHandle, error) {
	err := d.module.FindObjectsInit(d.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(keyID)),
	})
	if err != nil {
		return 0, fmt.Errorf("look for key %s: %w", keyID, err)
	}
	found, _, err := d.module.FindObjects(d.session, 2)
	if err = errors.Join(err, d.module.FindObjectsFinal(d.session)); err != nil {
		return 0, fmt.Errorf("look for key %s: %w", keyID, err)
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("key %s: %w", keyID, ErrNoKey)
	}
	return found[0], nil
}

// Sign signs the message with the key of that id, in the form that sm.PublicKey.Verify takes.
func (d *Device) Sign(keyID string, message []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.module == nil {
		return nil, pkcs11.Error(pkcs11.CKR_SESSION_CLOSED)
	}
	private, err := d.find(pkcs11.CKO_PRIVATE_KEY, keyID)
	if err != nil {
		return nil, err
	}
	handle, err := d.find(pkcs11.CKO_PUBLIC_KEY, keyID)
	if err != nil {
		return nil, err
	}
	public, err := d.public(handle)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", keyID, err)
	}
	if err := d.module.SignInit(d.session, []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDSA, nil)}, private); err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", keyID, err)
	}
	digest := sm.SHA256(message)
	raw, err := d.module.Sign(d.session, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign with key %s: %w", keyID, err)
	}
	sig, err := encode(raw)
	if err != nil {
		return nil, err
	}
	if err := public.Check(message, sig); err != nil {
		return nil, fmt.Errorf("what the module signed with key %s does not verify: %w", keyID, err)
	}
	return sig, nil
}

// encode writes r and s, as a module gives them, in DER with the lower s.
func encode(raw []byte) ([]byte, error) {
	if len(raw) != 64 {
		return nil, fmt.Errorf("the module's signature has %d bytes, not 64", len(raw))
	}
	r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
	n := elliptic.P256().Params().N
	if s.Cmp(new(big.Int).Rsh(n, 1)) > 0 {
		s.Sub(n, s)
	}
	return asn1.Marshal(struct{ R, S *big.Int }{r, s})
}
