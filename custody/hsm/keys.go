//go:build cgo

package hsm

import (
	"crypto/ecdh"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/miekg/pkcs11"

	"mulian/internal/sm"
)

// oidP256 is prime256v1 in DER, as CKA_EC_PARAMS wants it (RFC 5480).
var oidP256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// Generate makes a P-256 key pair in the module that signs, and returns its public key. label
// is for the module's own operators and for [Device.Labelled]; it names no person.
func (d *Device) Generate(label string) (sm.PublicKey, error) {
	return d.generate(label, pkcs11.CKA_VERIFY, pkcs11.CKA_SIGN)
}

// GenerateOpening is Generate for a key that opens what was closed to it ([Device.Opening]),
// and signs nothing.
func (d *Device) GenerateOpening(label string) (sm.PublicKey, error) {
	return d.generate(label, pkcs11.CKA_DERIVE, pkcs11.CKA_DERIVE)
}

func (d *Device) generate(label string, publicUse, privateUse uint) (k sm.PublicKey, err error) {
	err = d.use(func() error {
		k, err = d.pair(label, publicUse, privateUse)
		return err
	})
	return k, err
}

// pair makes a key pair and gives both halves the key's id, without which nobody finds them.
func (d *Device) pair(label string, publicUse, privateUse uint) (sm.PublicKey, error) {
	public, private, err := d.module.GenerateKeyPair(d.session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, oidP256),
			pkcs11.NewAttribute(publicUse, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		},
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
			pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
			pkcs11.NewAttribute(pkcs11.CKA_SIGN, privateUse == pkcs11.CKA_SIGN), pkcs11.NewAttribute(pkcs11.CKA_DERIVE, privateUse == pkcs11.CKA_DERIVE),
			pkcs11.NewAttribute(pkcs11.CKA_LABEL, label),
		})
	if err != nil {
		return sm.PublicKey{}, fmt.Errorf("make a key: %w", err)
	}
	k, err := d.public(public)
	if err == nil {
		for _, h := range []pkcs11.ObjectHandle{public, private} {
			if err == nil {
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
	return d.one(class, pkcs11.CKA_ID, keyID)
}

// one returns the only object of that class that has this attribute.
func (d *Device) one(class, attribute uint, value string) (pkcs11.ObjectHandle, error) {
	found, err := d.all(class, attribute, value, 2)
	if err != nil {
		return 0, err
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("key %s, of which there are %d: %w", value, len(found), ErrNoKey)
	}
	return found[0], nil
}

// all returns the objects of that class that have this attribute, up to a bound.
func (d *Device) all(class, attribute uint, value string, limit int) ([]pkcs11.ObjectHandle, error) {
	err := d.module.FindObjectsInit(d.session, []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class), pkcs11.NewAttribute(attribute, []byte(value)),
	})
	if err != nil {
		return nil, fmt.Errorf("look for key %s: %w", value, err)
	}
	found, _, err := d.module.FindObjects(d.session, limit)
	if err = errors.Join(err, d.module.FindObjectsFinal(d.session)); err != nil {
		return nil, fmt.Errorf("look for key %s: %w", value, err)
	}
	return found, nil
}

// Labelled returns the public key with that label: [ErrNoKey] if there is none, [ErrManyKeys]
// if there are several. After a crash a key is found by it that the ledger does not know yet;
// one that the crash left without its id is none.
func (d *Device) Labelled(label string) (k sm.PublicKey, err error) {
	err = d.use(func() error {
		k, err = d.labelled(label)
		return err
	})
	return k, err
}

// maxLabelled is how many keys of one label are looked at: each but the last is what a power
// cut has left.
const maxLabelled = 100

func (d *Device) labelled(label string) (sm.PublicKey, error) {
	handles, err := d.all(pkcs11.CKO_PUBLIC_KEY, pkcs11.CKA_LABEL, label, maxLabelled)
	if err != nil {
		return sm.PublicKey{}, err
	}
	var whole []sm.PublicKey
	for _, h := range handles {
		k, err := d.public(h)
		if err != nil {
			return sm.PublicKey{}, fmt.Errorf("key %q: %w", label, err)
		}
		for _, class := range []uint{pkcs11.CKO_PUBLIC_KEY, pkcs11.CKO_PRIVATE_KEY} {
			if err == nil {
				_, err = d.find(class, k.ID())
			}
		}
		switch {
		case err == nil:
			whole = append(whole, k)
		case !errors.Is(err, ErrNoKey):
			return sm.PublicKey{}, err
		}
	}
	switch len(whole) {
	case 0:
		return sm.PublicKey{}, fmt.Errorf("key %q: %w", label, ErrNoKey)
	case 1:
		return whole[0], nil
	}
	return sm.PublicKey{}, fmt.Errorf("key %q: %w", label, ErrManyKeys)
}

// Opening returns the key of that id as package crypto/hpke takes it: what opens is agreed in
// the module. A key that signs does not do it.
func (d *Device) Opening(keyID string) (x ecdh.KeyExchanger, err error) {
	err = d.use(func() error {
		handle, err := d.find(pkcs11.CKO_PUBLIC_KEY, keyID)
		if err != nil {
			return err
		}
		k, err := d.public(handle)
		if err != nil {
			return fmt.Errorf("key %s: %w", keyID, err)
		}
		public, err := ecdh.P256().NewPublicKey(k.Bytes())
		if err != nil {
			return fmt.Errorf("key %s: %w", keyID, err)
		}
		x = &exchanger{d, keyID, public}
		return nil
	})
	return x, err
}

// exchanger is a private key in the module.
type exchanger struct {
	device *Device
	id     string
	public *ecdh.PublicKey
}

// PublicKey implements [ecdh.KeyExchanger].
func (e *exchanger) PublicKey() *ecdh.PublicKey { return e.public }

// Curve implements [ecdh.KeyExchanger].
func (e *exchanger) Curve() ecdh.Curve { return ecdh.P256() }

// ECDH implements [ecdh.KeyExchanger]: the secret of this one agreement leaves the module, the
// key does not.
func (e *exchanger) ECDH(peer *ecdh.PublicKey) (secret []byte, err error) {
	err = e.device.use(func() error {
		secret, err = e.agree(peer)
		return err
	})
	return secret, err
}

func (e *exchanger) agree(peer *ecdh.PublicKey) (secret []byte, err error) {
	d := e.device
	private, err := d.find(pkcs11.CKO_PRIVATE_KEY, e.id)
	if err != nil {
		return nil, err
	}
	derived, err := d.module.DeriveKey(d.session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_ECDH1_DERIVE, pkcs11.NewECDH1DeriveParams(pkcs11.CKD_NULL, nil, peer.Bytes()))}, private,
		[]*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_GENERIC_SECRET),
			pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, false), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, true),
			pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, 32),
		})
	if err != nil {
		return nil, fmt.Errorf("agree with key %s: %w", e.id, err)
	}
	defer func() { err = errors.Join(err, d.module.DestroyObject(d.session, derived)) }()
	value, err := d.module.GetAttributeValue(d.session, derived, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_VALUE, nil)})
	if err != nil {
		return nil, fmt.Errorf("agree with key %s: %w", e.id, err)
	}
	if len(value[0].Value) != 32 {
		return nil, fmt.Errorf("the module agreed with key %s on %d bytes", e.id, len(value[0].Value))
	}
	return value[0].Value, nil
}

// Sign signs the message with the key of that id, in the form that sm.PublicKey.Verify takes.
func (d *Device) Sign(keyID string, message []byte) (sig []byte, err error) {
	err = d.use(func() error {
		sig, err = d.sign(keyID, message)
		return err
	})
	return sig, err
}

func (d *Device) sign(keyID string, message []byte) ([]byte, error) {
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
