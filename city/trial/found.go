package trial

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

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

// MaxMembers bounds a trial: each member is a process of some 60 MB.
const MaxMembers = 16

// Files of a member's home, as the command line knows them.
const (
	genesisFile = "genesis.bin"
	configFile  = "mulian.yaml"
	logFile     = "node.log"
	nodeDir     = "node"
	keysDir     = "keys"
)

// Member is one of them.
type Member struct {
	Number int    // from 1
	Org    string // its code
	Name   string
	Home   string
	URL    string // of its server
	Node   string // "<node id>@host:port", where the other nodes reach it
}

// Network is a consortium in a folder.
type Network struct {
	Home    string
	ChainID string
	Genesis [32]byte // hash, that strangers pin
	Members []Member
}

// Options of a new network. Home and Members must be set.
type Options struct {
	Home    string
	Members int    // 1 to MaxMembers
	ChainID string // "" = mulian-trial
	// Port is the first of two ports for each member; 0 = such as are free now.
	Port int
	// Begun is the time of the genesis; zero = now.
	Begun time.Time
	// Places are where the members listen, one for each; nil = on loopback, at Port.
	Places []Place
	// Via is the address at which one member dials another, by their numbers; nil = the
	// other's place. A line that is to fail leads through something else.
	Via func(from, to int) string
}

// Place is where a member listens: its server and its node, "host:port".
type Place struct{ Server, Node string }

// roles are those of the first founders: data, duties and budgets.
var roles = []governancev1.Role{governancev1.Role_ROLE_AUTHORITY, governancev1.Role_ROLE_STAFFING_OFFICE, governancev1.Role_ROLE_FINANCE_BUREAU}

// founders are departments of the invented city, those with a role first.
func founders(n int) []*content.Department {
	list := []*content.Department{content.Find("政务数据局"), content.Find("编办"), content.Find("财政局")}
	for _, d := range content.Departments() {
		if len(list) < n && d != list[0] && d != list[1] && d != list[2] {
			list = append(list, d)
		}
	}
	return list[:n]
}

// Found makes the network of a folder, or finds the one that is there.
//
// Usage: no such number of members, or the folder has a network of another size or
// another chain.
func Found(o Options) (*Network, error) {
	if o.Members < 1 || o.Members > MaxMembers {
		return nil, fault.Newf(fault.Usage, "%d members: 1 to %d are possible", o.Members, MaxMembers)
	}
	if o.ChainID == "" {
		o.ChainID = "mulian-trial"
	}
	if err := durable.MkdirPrivate(o.Home); err != nil {
		return nil, fmt.Errorf("trial: %w", err)
	}
	path := filepath.Join(o.Home, genesisFile)
	file, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if file, err = signGenesis(o); err == nil {
			err = durable.CreateFile(path, file, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("trial: genesis: %w", err)
	}
	g, err := client.ParseGenesis(file)
	if err != nil {
		return nil, err
	}
	if have := len(g.GetFounders()); have != o.Members || g.GetChainId() != o.ChainID {
		return nil, fault.Newf(fault.Usage, "%s is the chain %s of %d members, not %s of %d: choose another --home, or remove the folder to begin anew", o.Home, g.GetChainId(), have, o.ChainID, o.Members)
	}
	return settle(o, file, g.Hash)
}

// home is the folder of the n-th member, from 1.
func home(o Options, n int) string { return filepath.Join(o.Home, fmt.Sprintf("member%d", n)) }

// signGenesis makes the keys of all members, each in its own home, and the genesis.
func signGenesis(o Options) ([]byte, error) {
	if o.Begun.IsZero() {
		o.Begun = time.Now()
	}
	g := &governancev1.Genesis{
		ChainId: o.ChainID, TimeMs: o.Begun.UnixMilli(),
		Parameters: standard.Parameters(), ClockProfiles: standard.Clocks(), Calendar: standard.Calendars(),
	}
	var signers []client.Signer
	for i, d := range founders(o.Members) {
		dir := home(o, i+1)
		ring := keyring.Ring{Dir: filepath.Join(dir, keysDir)}
		var keys []*identityv1.Key
		for _, k := range []struct {
			label string
			level identityv1.KeyLevel
		}{{keyring.Root, identityv1.KeyLevel_KEY_LEVEL_ROOT}, {keyring.Officer, identityv1.KeyLevel_KEY_LEVEL_OFFICER}} {
			key, err := ring.Key(d.Code, k.label)
			if fault.Is(err, fault.NotFound) {
				key, err = ring.New(d.Code, k.label, sm.SM2)
			}
			if err != nil {
				return nil, err
			}
			keys = append(keys, client.PublicKey(key.Public(), k.level, k.label))
		}
		root, err := ring.Signer(d.Code, keyring.Root)
		if err != nil {
			return nil, err
		}
		id, err := node.Keys(filepath.Join(dir, nodeDir))
		if err != nil {
			return nil, err
		}
		g.Founders = append(g.Founders, &governancev1.Founder{Code: d.Code, Profile: d.Profile(), Keys: keys, Weight: 1})
		g.Validators = append(g.Validators, &governancev1.Validator{PublicKey: id.Validator[:], Power: 10, Org: d.Code, Name: fmt.Sprintf("v%d", i+1), Sm2Key: id.SM2.Bytes()})
		if i < len(roles) {
			g.Roles = append(g.Roles, &governancev1.RoleGrant{Role: roles[i], Account: d.Code})
		}
		signers = append(signers, root)
	}
	return client.SignGenesis(g, signers...)
}

// memberConfig is a member's mulian.yaml, those keys of it that differ.
type memberConfig struct {
	Listen string `yaml:"listen"`
	Node   struct {
		Listen string   `yaml:"listen"`
		Peers  []string `yaml:"peers"`
	} `yaml:"node"`
}

// settle installs the genesis in every home and gives each its addresses.
func settle(o Options, file []byte, hash [32]byte) (*Network, error) {
	w := &Network{Home: o.Home, ChainID: o.ChainID, Genesis: hash}
	places := o.Places
	if places == nil {
		var err error
		if places, err = portsOf(o); err != nil {
			return nil, err
		}
	}
	if len(places) != o.Members {
		return nil, fault.Newf(fault.Usage, "%d places for %d members", len(places), o.Members)
	}
	for i, d := range founders(o.Members) {
		m := Member{Number: i + 1, Org: d.Code, Name: d.Name, Home: home(o, i+1)}
		id, err := node.Init(filepath.Join(m.Home, nodeDir), file)
		if err != nil {
			return nil, err
		}
		if err := durable.ReplaceFile(filepath.Join(m.Home, genesisFile), file, 0o600); err != nil {
			return nil, fmt.Errorf("trial: genesis: %w", err)
		}
		m.URL, m.Node = "http://"+places[i].Server, id.NodeID+"@"+places[i].Node
		w.Members = append(w.Members, m)
	}
	for i, m := range w.Members {
		var c memberConfig
		c.Listen, c.Node.Listen = places[i].Server, places[i].Node
		for _, other := range w.Members {
			if other.Number == m.Number {
				continue
			}
			peer := other.Node
			if o.Via != nil {
				id, _, _ := strings.Cut(other.Node, "@")
				peer = id + "@" + o.Via(m.Number, other.Number)
			}
			c.Node.Peers = append(c.Node.Peers, peer)
		}
		raw, err := yaml.Marshal(&c)
		if err != nil {
			return nil, fmt.Errorf("trial: configuration: %w", err)
		}
		if err := durable.ReplaceFile(filepath.Join(m.Home, configFile), raw, 0o600); err != nil {
			return nil, fmt.Errorf("trial: configuration: %w", err)
		}
	}
	return w, nil
}

// portsOf are two addresses for each member: its server's and its node's. They are new
// at each start, since nobody keeps a port while nothing runs.
func portsOf(o Options) (out []Place, err error) {
	var ports []string
	for i := range 2 * o.Members {
		port := "0"
		if o.Port != 0 {
			port = fmt.Sprint(o.Port + i)
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return nil, fault.Wrap(fault.Busy, err, "the port %s cannot be taken", port)
		}
		defer l.Close() // all at once, so that none is given twice
		ports = append(ports, l.Addr().String())
	}
	for pair := range slices.Chunk(ports, 2) {
		out = append(out, Place{Server: pair[0], Node: pair[1]})
	}
	return out, nil
}

// Hash is the genesis' hash as people write it.
func (w *Network) Hash() string { return hex.EncodeToString(w.Genesis[:]) }
