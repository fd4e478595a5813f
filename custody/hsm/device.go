//go:build cgo

package hsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"
)

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
