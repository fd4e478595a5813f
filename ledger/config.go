package ledger

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	cmtconfig "github.com/cometbft/cometbft/config"
	"github.com/prometheus/client_golang/prometheus"

	"mulian/internal/fault"
	"mulian/state"
)

// Config of one node. Home, ChainID and GenesisTime must be set; the zero value of
// everything else works.
type Config struct {
	// Home is the directory of [InitHome], with a genesis in it.
	Home string
	// ChainID and GenesisTimeMs are those of the genesis. ChainID has at most 50
	// characters.
	ChainID       string
	GenesisTimeMs int64

	// Listen is where other nodes of the chain connect, "host:port". Empty: nobody
	// does, the node runs alone (a free port on 127.0.0.1 is opened for nobody).
	Listen string
	// External is the address that others are told, if it is not Listen.
	External string
	// Peers are the other nodes, "<node id>@host:port".
	Peers []string
	// Closed lets only Peers connect. Otherwise whoever has the genesis may follow the
	// chain; only validators vote.
	Closed bool

	// TimeoutCommit is how long to wait after a block before the next one begins. It
	// gathers more transactions into a block: at 4,000 tx/s 20 ms gave p99 74 ms
	// instead of 95, at 50 tx/s it costs 12 ms. 0 = go on at once.
	TimeoutCommit time.Duration
	// TimeoutPropose is how long the others wait for a proposer that is silent.
	// 0 = 400 ms. TimeoutVote likewise for late votes, 0 = 250 ms.
	TimeoutPropose time.Duration
	TimeoutVote    time.Duration
	// Heartbeat makes an empty block when the chain has slept for so long: deadlines
	// run out without a transaction, and a transaction that the other validators
	// refuse, however often they are sent it, does not wait for the next one. 0 = 30 s on a chain with other nodes, never
	// alone; negative = never.
	Heartbeat time.Duration

	// Ready is asked of each committed state whether this program may make the next
	// block; its error, a *fault.Fault, ends the node before that block. nil = always.
	Ready func(state.View) error
	// KeepBlocks is how many heights of blocks and of the state's history stay
	// readable. 0 = all. Events and the latest state are kept for ever.
	KeepBlocks int64
	// SnapshotEvery is how many blocks lie between two snapshots of the state, from which
	// new nodes begin. 0 = 10,000, or half of KeepBlocks if that is less; negative = none.
	SnapshotEvery int64
	// CacheBytes is the memory for pages of the store; 0 = 64 MiB.
	CacheBytes int64

	// Logger takes what an operator should know; nil = [slog.Default].
	Logger *slog.Logger
	// Metrics, if set, gets the node's figures.
	Metrics prometheus.Registerer

	disk    vfs.FS // of the store; tests put a failing one here
	pending int    // maxPending; tests make it small
	tamper  tamper // tests make a liar of the node with it; nil otherwise

	listen time.Duration // listenFor; tests make it short
}

// listening is how long a restored node listens.
func (c *Config) listening() time.Duration {
	if c.listen > 0 {
		return c.listen
	}
	return listenFor
}

func (c *Config) complete() error {
	if c.Home == "" || c.ChainID == "" || c.GenesisTimeMs <= 0 {
		return fault.Newf(fault.Usage, "a ledger needs its directory, chain id and genesis time")
	}
	if len(c.ChainID) > 50 {
		return fault.Newf(fault.Usage, "chain id %.60q has more than 50 characters", c.ChainID)
	}
	if len(c.Peers) > 0 && c.Listen == "" {
		return fault.Newf(fault.Usage, "a node with peers needs an address to listen on")
	}
	for _, p := range c.Peers {
		if !strings.Contains(p, "@") {
			return fault.Newf(fault.Usage, "peer %q is not <node id>@host:port", p)
		}
	}
	if c.TimeoutPropose <= 0 {
		c.TimeoutPropose = 400 * time.Millisecond
	}
	if c.TimeoutVote <= 0 {
		c.TimeoutVote = 250 * time.Millisecond
	}
	if c.Heartbeat == 0 && c.Listen != "" {
		c.Heartbeat = 30 * time.Second
	}
	c.Heartbeat = max(c.Heartbeat, 0)
	if c.CacheBytes <= 0 {
		c.CacheBytes = 64 << 20
	}
	if c.pending <= 0 {
		c.pending = maxPending
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// engine returns CometBFT's configuration. Whatever is not named keeps the
// engine's default.
func (c *Config) engine() (*cmtconfig.Config, error) {
	e := cmtconfig.DefaultConfig()
	e.SetRoot(c.Home)
	e.Moniker = "mulian"
	e.RPC.ListenAddress = "" // ours is the only API
	e.TxIndex.Indexer = "null"
	e.Storage.DiscardABCIResponses = true
	e.Instrumentation.Prometheus = false
	e.FilterPeers = true // asks app.Query

	e.Mempool.Type = cmtconfig.MempoolTypeFlood // "app" never wakes a chain without empty blocks
	e.Mempool.Recheck = false                   // recheck stalls blocks; FinalizeBlock judges again anyway
	e.Mempool.Size = 2 * c.pending              // see Ledger.queue
	e.Mempool.MaxTxsBytes = 2 * maxPendingBytes
	e.Mempool.MaxTxBytes = MaxTxBytes
	e.Mempool.CacheSize = engineCache

	s := e.Consensus
	s.WalPath = filepath.Join(walDir, "wal")
	s.CreateEmptyBlocks = false
	s.CreateEmptyBlocksInterval = c.Heartbeat
	s.TimeoutCommit = c.TimeoutCommit
	s.SkipTimeoutCommit = c.TimeoutCommit == 0
	s.TimeoutPropose, s.TimeoutProposeDelta = c.TimeoutPropose, c.TimeoutPropose/2
	s.TimeoutPrevote, s.TimeoutPrevoteDelta = c.TimeoutVote, c.TimeoutVote/2
	s.TimeoutPrecommit, s.TimeoutPrecommitDelta = c.TimeoutVote, c.TimeoutVote/2
	s.PeerGossipSleepDuration = 5 * time.Millisecond // 100 ms by default: p50 293 ms with four nodes, 37 ms so

	p := e.P2P
	p.PexReactor = false // only the peers that the operator names
	p.AddrBook = "addrbook.json"
	p.AddrBookStrict = false // members may meet on private networks
	p.AllowDuplicateIP = true
	p.FlushThrottleTimeout = 2 * time.Millisecond
	p.ListenAddress = "tcp://127.0.0.1:0"
	if c.Listen != "" {
		p.ListenAddress = "tcp://" + c.Listen
	}
	if c.External != "" {
		p.ExternalAddress = c.External
	}
	p.PersistentPeers = strings.Join(c.Peers, ",")
	p.PersistentPeersMaxDialPeriod = 5 * time.Second

	if err := os.MkdirAll(filepath.Join(c.Home, walDir), 0o700); err != nil {
		return nil, storeFault(err, "make the log's directory")
	}
	if err := e.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("engine configuration: %w", err)
	}
	return e, nil
}
