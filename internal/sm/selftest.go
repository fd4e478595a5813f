package sm

import (
	"encoding/hex"
	"errors"
	"fmt"
)

// vector is one published example of an algorithm.
type vector struct {
	source         string
	alg            Algorithm
	key, seed      string // hex; seed is the private scalar or Ed25519 seed
	msg, signature string // msg as text, signature in hex
}

var vectors = []vector{
	{
		"GB/T 32918.5-2017 A.2", SM2,
		"0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
		"3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8", "message digest",
		"3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa",
	},
	{
		"RFC 6979 A.2.5, SHA-256, s replaced by n-s", P256,
		"0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
		"c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", "sample",
		"3045022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf371602200834e36ad29a83bf2bc9385e491d6099c8fdf9d1ed67aa7ea5f51f93782857a9",
	},
	{
		"RFC 8032 7.1, test 2", Ed25519,
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
		"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "\x72",
		"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
	},
}

// SelfTest runs the published examples of every algorithm of this package and a
// fresh signature of each kind. It is for `mulian doctor`; an error means that the
// binary or the machine computes wrongly and must not sign.
func SelfTest() error {
	errs := []error{selfTestHashes(), selfTestSM4(), selfTestWrap()}
	for _, v := range vectors {
		if err := v.run(); err != nil {
			errs = append(errs, fmt.Errorf("%s (%s): %w", v.alg, v.source, err))
		}
	}
	return errors.Join(errs...)
}

func (v vector) run() error {
	var seed [32]byte
	copy(seed[:], unhex(v.seed))
	k, err := FromSeed(v.alg, seed)
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(k.Public().Bytes()); got != v.key {
		return fmt.Errorf("public key %s, want %s", got, v.key)
	}
	if err := k.Public().Check([]byte(v.msg), unhex(v.signature)); err != nil {
		return fmt.Errorf("published signature: %w", err)
	}
	sig, err := k.Sign([]byte(v.msg))
	if err != nil {
		return err
	}
	if err := k.Public().Check([]byte(v.msg), sig); err != nil {
		return fmt.Errorf("fresh signature: %w", err)
	}
	if k.Public().Verify([]byte(v.msg+"."), sig) {
		return errors.New("a signature is accepted for another message")
	}
	return nil
}

func selfTestHashes() error {
	if got := SM3([]byte("abc")); hex.EncodeToString(got[:]) != "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" {
		return fmt.Errorf("SM3 (GB/T 32905-2016 A.1): %x", got)
	}
	if got := SHA256([]byte("abc")); hex.EncodeToString(got[:]) != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		return fmt.Errorf("SHA-256 (FIPS 180-2 B.1): %x", got)
	}
	return nil
}

// selfTestSM4 runs RFC 8998 A.1, SM4-GCM.
func selfTestSM4() error {
	aead, err := NewSM4GCM(unhex("0123456789abcdeffedcba9876543210"))
	if err != nil {
		return err
	}
	plain := unhex("aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccddddddddddddddddeeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa")
	box := aead.Seal(nil, unhex("00001234567800000000abcd"), plain, unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2"))
	const want = "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d83de3541e4c2b58177e065a9bf7b62ec"
	if got := hex.EncodeToString(box); got != want {
		return fmt.Errorf("SM4-GCM (RFC 8998 A.1): %s", got)
	}
	return nil
}

// selfTestWrap opens the example of GB/T 32918.5-2017 C.2, put into ASN.1 form, and
// a fresh ciphertext.
func selfTestWrap() error {
	const text = "encryption standard"
	published := unhex("307c" +
		"022004ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73" +
		"022100e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0" +
		"042059983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766" +
		"041321886ca989ca9c7d58087307ca93092d651efa")
	var seed [32]byte
	copy(seed[:], unhex(vectors[0].seed))
	k, err := FromSeed(SM2, seed)
	if err != nil {
		return err
	}
	fresh, err := k.Public().EncryptSM2([]byte(text))
	if err != nil {
		return err
	}
	for _, box := range [][]byte{published, fresh} {
		if got, err := k.DecryptSM2(box); err != nil {
			return fmt.Errorf("SM2 encryption (GB/T 32918.5-2017 C.2): %w", err)
		} else if string(got) != text {
			return fmt.Errorf("SM2 encryption (GB/T 32918.5-2017 C.2): got %q", got)
		}
	}
	return nil
}

// unhex reads a constant of this file.
func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic("a constant of the self-test is not hex: " + s)
	}
	return b
}
