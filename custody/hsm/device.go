//go:build cgo

package hsm

import (
	"errors"
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"
)

// Device is a token that is open. It may be used by many goroutines: calls wait for each
// other. After a call that the module failed, the next one logs in anew.
type Device struct {
	cfg Config

	mu      sync.Mutex // guards what follows
	module  *pkcs11.Ctx
	session pkcs11.SessionHandle
	failed  bool
	refused error // by the token, of the PIN: more tries would lock it
}

// Open loads the module, finds the token by its label and logs in as its user.
func Open(c Config) (*Device, error) {
	if _, err := c.pin(); err != nil {
		return nil, err
	}
	module := pkcs11.New(c.Module)
	if module == nil {
		return nil, fmt.Errorf("load the PKCS#11 module %s: not a library, or it lacks C_GetFunctionList", c.Module)
	}
	d := &Device{cfg: c, module: module}
	if err := module.Initialize(); err != nil {
		module.Destroy()
		return nil, fmt.Errorf("initialise %s: %w", c.Module, err)
	}
	if err := d.login(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// use calls the module, one at a time. What the module itself failed is [ErrDevice].
func (d *Device) use(do func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.module == nil {
		return pkcs11.Error(pkcs11.CKR_SESSION_CLOSED)
	}
	if d.refused != nil {
		return d.refused
	}
	if d.failed {
		_ = d.module.Finalize() // what was left of it: it may be gone
		if err := d.module.Initialize(); err != nil {
			return fmt.Errorf("%w: initialise %s: %w", ErrDevice, d.cfg.Module, err)
		}
		if err := d.login(); err != nil {
			err = fmt.Errorf("%w: %w", ErrDevice, err)
			if errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_INCORRECT)) || errors.Is(err, pkcs11.Error(pkcs11.CKR_PIN_LOCKED)) {
				d.refused = err
			}
			return err
		}
		d.failed = false
	}
	err := do()
	if _, ok := errors.AsType[pkcs11.Error](err); ok {
		d.failed = true
		return fmt.Errorf("%w: %w", ErrDevice, err)
	}
	return err
}

func (d *Device) login() error {
	token := d.cfg.Token
	pin, err := d.cfg.pin()
	if err != nil {
		return err
	}
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
