package node

import (
	"cmp"
	"context"
	"crypto/sha256"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/rules"
	"mulian/state/machine"
)

// Config of a node. Home must be set; the zero value of everything else works.
type Config struct {
	// Home is the directory that Init has made.
	Home string
	// Listen is where the other nodes connect, "host:port". Empty: this node is the
	// whole chain.
	Listen string
	// External is the address that other nodes are told, if it is not Listen.
	External string
	// Peers are the other nodes, "<node id>@host:port".
	Peers []string
	// Closed lets only Peers connect; else whoever has the genesis may follow.
	Closed bool
	// TimeoutCommit is how long to wait after a block for more transactions; 0 = not.
	TimeoutCommit time.Duration
	// Heartbeat makes an empty block when nothing happened for so long, so that
	// deadlines run out; 0 = 30 s among other nodes, never alone; negative = never.
	Heartbeat time.Duration
	// KeepBlocks is how many heights stay readable; 0 = all.
	KeepBlocks int64
	// SnapshotEvery is how many blocks lie between two snapshots, from which new nodes
	// begin ([Sync]); 0 = 10,000, or half of KeepBlocks if that is less; negative = none.
	SnapshotEvery int64
	// Archive is the URL of a server that is asked for transactions of blocks that are
	// not kept here; empty = nobody.
	Archive string
	// CacheBytes is the memory for the store's pages; 0 = 64 MiB.
	CacheBytes int64
	// Version is what Status tells about the program.
	Version string

	Logger  *slog.Logger          // nil = slog.Default
	Metrics prometheus.Registerer // nil = none
}

// Node is a running member. Its methods may be called from any goroutine.
type Node struct {
	ledger      *ledger.Ledger
	version     string
	genesisHash [32]byte
	nodes       []string // that a new one can follow
	chainID     string
	past        past
	machine     machine.Machine
	archive     *client.Client // nil = none
	asking      chan struct{}  // a place for each question to the archive
}

// Keys makes the node's keys in the directory, if they are not there, and returns
// who the node is: what the founders write into the genesis, or a vote admits.
func Keys(home string) (ledger.Identity, error) { return ledger.InitHome(home) }

// Init makes the node's directory with its keys and the signed genesis. A genesis
// that the rules would refuse is refused here, and nothing is written of it. Called
// again with the same genesis it changes nothing; with another one it is
// AlreadyExists.
func Init(home string, signedGenesis []byte) (ledger.Identity, error) {
	g, err := readGenesis(signedGenesis)
	if err != nil {
		return ledger.Identity{}, err
	}
	if _, err := ledger.Rehearse(rules.New(), g.GetChainId(), g.GetTimeMs(), signedGenesis); err != nil {
		return ledger.Identity{}, err
	}
	id, err := ledger.InitHome(home)
	if err != nil {
		return id, err
	}
	return id, ledger.InstallGenesis(home, signedGenesis)
}

// readGenesis reads what the engine has to know. Whether the founders signed it is
// for the rules to say.
func readGenesis(signed []byte) (*governancev1.Genesis, error) {
	var file governancev1.SignedGenesis
	var g governancev1.Genesis
	if len(signed) > canon.Default.Bytes {
		return nil, fault.Newf(fault.TooLong, "a genesis file of %d bytes, at most %d", len(signed), canon.Default.Bytes)
	}
	if err := proto.Unmarshal(signed, &file); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "this is no signed genesis file")
	}
	if err := proto.Unmarshal(file.GetGenesis(), &g); err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the signed file holds no genesis")
	}
	return &g, nil
}

// genesisHash is what strangers pin: the hash of the genesis itself, whoever signed
// it (client.GenesisHash).
func genesisHash(signed []byte) [sha256.Size]byte {
	var file governancev1.SignedGenesis
	if err := proto.Unmarshal(signed, &file); err != nil {
		return [sha256.Size]byte{} // a machine that reads its own kind of genesis
	}
	return sha256.Sum256(file.GetGenesis())
}

// Open starts the node. When it returns the state is that of the last block on this
// disk. Faults as of [ledger.Open].
func Open(ctx context.Context, cfg Config) (*Node, error) {
	return open(ctx, cfg, rules.New(), readGenesis)
}

func open(ctx context.Context, cfg Config, m machine.Machine, read func([]byte) (*governancev1.Genesis, error)) (*Node, error) {
	signed, err := ledger.ReadGenesis(cfg.Home)
	if err != nil {
		return nil, err
	}
	g, err := read(signed)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, ledger.Config{
		Home: cfg.Home, ChainID: g.GetChainId(), GenesisTimeMs: g.GetTimeMs(),
		Listen: cfg.Listen, External: cfg.External, Peers: cfg.Peers, Closed: cfg.Closed,
		TimeoutCommit: cfg.TimeoutCommit, Heartbeat: cfg.Heartbeat, KeepBlocks: cfg.KeepBlocks, SnapshotEvery: cfg.SnapshotEvery, CacheBytes: cfg.CacheBytes,
		Ready: ready, Logger: cfg.Logger, Metrics: cfg.Metrics,
	}, m)
	if err != nil {
		return nil, err
	}
	return &Node{ledger: l, version: cfg.Version, genesisHash: genesisHash(signed), nodes: nodesOf(cfg, l.Identity()), chainID: g.GetChainId(), machine: m, archive: archiveAt(cfg.Archive), asking: make(chan struct{}, archiveAtOnce)}, nil
}

// nodesOf are the nodes that a new one can follow: this one, unless it listens nowhere or
// on every address without telling others which, and its peers.
func nodesOf(cfg Config, id ledger.Identity) (out []string) {
	at := cmp.Or(cfg.External, cfg.Listen)
	host, port, err := net.SplitHostPort(at)
	if ip, perr := netip.ParseAddr(host); err == nil && port != "0" && host != "" && (perr != nil || !ip.IsUnspecified()) {
		out = append(out, id.NodeID+"@"+at)
	}
	return append(out, cfg.Peers...)
}

// Close stops the node. Calls that wait end first; no other call may follow.
func (n *Node) Close() error {
	n.past.close()
	return n.ledger.Close()
}

// Failed is closed when the node cannot go on: disk full, store damaged, a bug.
// [Node.Err] tells why. The owner of the process should then end it.
func (n *Node) Failed() <-chan struct{} { return n.ledger.Failed() }

// Err returns why the node cannot go on, nil while it can.
func (n *Node) Err() error { return n.ledger.Err() }

// Identity returns the node's public keys and its name among peers.
func (n *Node) Identity() ledger.Identity { return n.ledger.Identity() }

// ChainID returns the chain's name.
func (n *Node) ChainID() string { return n.chainID }

// Ledger returns the ledger for what only an operator does: Prune, Checkpoint.
func (n *Node) Ledger() *ledger.Ledger { return n.ledger }
