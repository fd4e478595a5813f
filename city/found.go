package city

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"mulian/city/content"
	"mulian/client"
	"mulian/client/keyring"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/internal/standard"
	"mulian/node"
)

// ChainID is the name of the demo city's chain.
const ChainID = "mulian-demo"

// Files and folders of a home, as the command line knows them.
const (
	genesisFile = "genesis.bin"
	nodeDir     = "node"
	keysDir     = "keys"
	indexFile   = "index.db"
	databaseDir = "databases"
	gatewayDir  = "gateways"
	importDir   = "import"
	logFile     = "demo.log"
)

// The three founders: data, duties and budgets, as in Beijing's catalogue chain.
var (
	authority = content.Find("政务数据局")
	staffing  = content.Find("编办")
	finance   = content.Find("财政局")
)

// founder is a founding department with a role that it has.
type founder struct {
	department *content.Department
	role       governancev1.Role
}

// founders are the founding departments, once for each of their roles.
var founders = []founder{
	{authority, governancev1.Role_ROLE_AUTHORITY},
	{authority, governancev1.Role_ROLE_IDENTITY}, // in the demo it also identifies citizens
	{staffing, governancev1.Role_ROLE_STAFFING_OFFICE},
	{finance, governancev1.Role_ROLE_FINANCE_BUREAU},
}

// signedBy are an organisation's keys, with what each may sign.
var signedBy = []struct {
	label string
	level identityv1.KeyLevel
}{
	{keyring.Root, identityv1.KeyLevel_KEY_LEVEL_ROOT},
	{keyring.Officer, identityv1.KeyLevel_KEY_LEVEL_OFFICER},
}

// keysAtOnce is how many key files are written at the same time: each waits for the
// disk twice. Our own choice.
const keysAtOnce = 16

// makeKeys makes the keys of all departments that are not there yet, and returns the
// public ones by department.
func makeKeys(ring keyring.Ring) (map[string][]*identityv1.Key, error) {
	all := content.Departments()
	keys, errs := make([][]*identityv1.Key, len(all)), make([]error, len(all))
	turn := make(chan struct{}, keysAtOnce)
	var wait sync.WaitGroup
	for i, d := range all {
		wait.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			for _, k := range signedBy {
				key, err := keyOf(ring, d.Code, k.label)
				if err != nil {
					errs[i] = err
					return
				}
				keys[i] = append(keys[i], client.PublicKey(key.Public(), k.level, k.label))
			}
		})
	}
	wait.Wait()
	byCode := make(map[string][]*identityv1.Key, len(all))
	for i, d := range all {
		byCode[d.Code] = keys[i]
	}
	return byCode, errors.Join(errs...)
}

// keyOf reads a key, or makes it.
func keyOf(ring keyring.Ring, account, label string) (sm.PrivateKey, error) {
	key, err := ring.Key(account, label)
	if fault.Is(err, fault.NotFound) {
		return ring.New(account, label, sm.SM2)
	}
	return key, err
}

// found makes the genesis and the node's home, and returns the genesis file. A home
// with the genesis of another chain is refused with Usage.
//
// The file in the home is written first: if the power fails after it, the next start
// installs the same genesis, and never makes a second one.
func found(home string, ring keyring.Ring, keys map[string][]*identityv1.Key) ([]byte, error) {
	path := filepath.Join(home, genesisFile)
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if file, err = signGenesis(home, ring, keys); err != nil {
			return nil, err
		}
		err = durable.CreateFile(path, file, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("city: genesis: %w", err)
	}
	g, err := client.ParseGenesis(file)
	if err != nil {
		return nil, err
	}
	if g.GetChainId() != ChainID {
		return nil, fault.Newf(fault.Usage, "%s is the home of the chain %s, not of a demo: choose another --home", home, g.GetChainId())
	}
	_, err = node.Init(filepath.Join(home, nodeDir), file)
	return file, err
}

// signGenesis makes the consortium of the three founders with one validator.
func signGenesis(home string, ring keyring.Ring, keys map[string][]*identityv1.Key) ([]byte, error) {
	id, err := node.Keys(filepath.Join(home, nodeDir))
	if err != nil {
		return nil, err
	}
	g := &governancev1.Genesis{
		ChainId: ChainID, TimeMs: time.Now().UnixMilli(),
		Parameters: standard.Parameters(), ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
		Validators: []*governancev1.Validator{{PublicKey: id.Validator[:], Power: 1, Org: authority.Code, Name: "v1", Sm2Key: id.SM2.Bytes()}},
	}
	var signers []client.Signer
	for i, f := range founders {
		d := f.department
		g.Roles = append(g.Roles, &governancev1.RoleGrant{Role: f.role, Account: d.Code})
		if slices.ContainsFunc(founders[:i], func(before founder) bool { return before.department == d }) {
			continue
		}
		g.Founders = append(g.Founders, &governancev1.Founder{Code: d.Code, Profile: d.Profile(), Keys: keys[d.Code], Weight: 1})
		s, err := ring.Signer(d.Code, keyring.Root)
		if err != nil {
			return nil, err
		}
		signers = append(signers, s)
	}
	return client.SignGenesis(g, signers...)
}
