package ledger

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	cmted25519 "github.com/cometbft/cometbft/crypto/ed25519"
	"github.com/cometbft/cometbft/p2p"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// The files of a home directory. Keys are PKCS#8 in PEM, mode 0600.
const (
	validatorKeyFile   = "validator.pem"        // Ed25519: votes
	sm2KeyFile         = "sm2.pem"              // SM2: second signature of every vote
	nodeKeyFile        = "node.pem"             // Ed25519: the node's name among peers
	genesisFile        = "genesis.bin"          // the signed genesis, as it came
	validatorStateFile = "validator_state.json" // the last vote: never sign two things
	unusedFile         = "validator_unused"     // public key of the validator that was made here and has signed nothing
	storeDir           = "store"                // Pebble
	walDir             = "wal"                  // the engine's write-ahead log, up to 1 GB
	maxGenesisBytes    = 64 << 20
)

// Identity is who a node is. It holds no secret.
type Identity struct {
	Validator [32]byte     // Ed25519 public key, for the genesis or a vote
	SM2       sm.PublicKey // that signs the votes a second time
	NodeID    string       // for "<id>@host:port" in other nodes' Peers
}

// keys are the secrets of a home directory.
type keys struct {
	validator cmted25519.PrivKey
	node      p2p.NodeKey
	sm2       sm.PrivateKey
}

func (k keys) identity() Identity {
	return Identity{Validator: [32]byte(k.validator.PubKey().Bytes()), SM2: k.sm2.Public(), NodeID: string(k.node.ID())}
}

// InitHome makes the directory and the node's keys, those of them that are not
// there yet, and returns who the node is. Called again it changes nothing. What it
// made is durable when it returns.
func InitHome(home string) (Identity, error) {
	if err := durable.MkdirPrivate(home); err != nil {
		return Identity{}, storeFault(err, "make the node's directory %s", home)
	}
	for name, alg := range map[string]sm.Algorithm{validatorKeyFile: sm.Ed25519, nodeKeyFile: sm.Ed25519, sm2KeyFile: sm.SM2} {
		path := filepath.Join(home, name)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		key, err := sm.Generate(alg)
		if err != nil {
			return Identity{}, storeFault(err, "make key %s", name)
		}
		if name == validatorKeyFile { // before the key: whatever is interrupted, no key counts as unused that is not
			if err := markUnused(home, key.Public()); err != nil {
				return Identity{}, err
			}
		}
		if err := sm.SavePrivate(path, key); err != nil && !errors.Is(err, fs.ErrExist) {
			return Identity{}, storeFault(err, "save key %s", path)
		}
	}
	return ReadIdentity(home)
}

func markUnused(home string, key sm.PublicKey) error {
	path := filepath.Join(home, unusedFile)
	return storeFault(durable.ReplaceFile(path, []byte(hex.EncodeToString(key.Bytes())+"\n"), 0o600), "write %s", path)
}

// unused reports whether the validator's key was made in this home and no node has run
// with it: only then it is certain that it has signed nothing. A key that was copied
// there, or that is older than this record, is not.
func unused(home string, validator [32]byte) (bool, error) {
	path := filepath.Join(home, unusedFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && string(raw) == hex.EncodeToString(validator[:])+"\n", storeFault(err, "read %s", path)
}

// markUsed comes, durably, before the first signature that the validator could give.
func markUsed(home string) error {
	path := filepath.Join(home, unusedFile)
	if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return storeFault(err, "remove %s", path)
	}
	return storeFault(durable.SyncDir(home), "remove %s", path)
}

// ReadIdentity returns who the node in that directory is. NotFound if it has no
// keys.
func ReadIdentity(home string) (Identity, error) {
	k, err := loadKeys(home)
	if err != nil {
		return Identity{}, err
	}
	return k.identity(), nil
}

// InstallGenesis puts the signed genesis into the directory, unchanged. The same
// bytes again are accepted; another genesis is AlreadyExists.
func InstallGenesis(home string, signed []byte) error {
	if len(signed) == 0 || len(signed) > maxGenesisBytes {
		return fault.Newf(fault.TooLong, "a genesis of %d bytes: it must have 1 to %d", len(signed), maxGenesisBytes)
	}
	path := filepath.Join(home, genesisFile)
	err := durable.CreateFile(path, signed, 0o600)
	if !errors.Is(err, fs.ErrExist) {
		return storeFault(err, "write %s", path)
	}
	there, err := ReadGenesis(home)
	if err != nil {
		return err
	}
	if string(there) != string(signed) {
		return fault.Newf(fault.AlreadyExists, "%s holds another genesis; a node belongs to one chain: use another directory", path)
	}
	return nil
}

// ReadGenesis returns the signed genesis of the directory, NotFound if there is none.
func ReadGenesis(home string) ([]byte, error) {
	path := filepath.Join(home, genesisFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "no genesis in %s; put it there with mulian node init", home)
	}
	if err != nil {
		return nil, storeFault(err, "read %s", path)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxGenesisBytes+1))
	if err != nil {
		return nil, storeFault(err, "read %s", path)
	}
	if len(b) == 0 || len(b) > maxGenesisBytes {
		return nil, fault.Newf(fault.Damaged, "%s has %d bytes or more", path, len(b))
	}
	return b, nil
}

func loadKeys(home string) (k keys, err error) {
	if k.validator, err = loadEd25519(filepath.Join(home, validatorKeyFile)); err != nil {
		return k, err
	}
	node, err := loadEd25519(filepath.Join(home, nodeKeyFile))
	if err != nil {
		return k, err
	}
	k.node = p2p.NodeKey{PrivKey: node}
	k.sm2, err = loadKey(filepath.Join(home, sm2KeyFile), sm.SM2)
	return k, err
}

func loadKey(path string, alg sm.Algorithm) (sm.PrivateKey, error) {
	key, err := sm.LoadPrivate(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return key, fault.Newf(fault.NotFound, "no key %s; make the node's keys with mulian node init", path)
	case err != nil:
		return key, &fault.Fault{Code: fault.Damaged, Text: "the key " + path + " cannot be used", Err: err}
	case key.Algorithm() != alg:
		return key, fault.Newf(fault.Damaged, "the key %s is %s, it must be %s", path, key.Algorithm(), alg)
	}
	return key, nil
}

// loadEd25519 reads a key in the form that the engine wants: seed and public key.
func loadEd25519(path string) (cmted25519.PrivKey, error) {
	key, err := loadKey(path, sm.Ed25519)
	if err != nil {
		return nil, err
	}
	text, err := key.Marshal()
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("read key %s: %w", path, err)
	}
	return cmted25519.PrivKey(parsed.(ed25519.PrivateKey)), nil
}
