package ledgertest

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"mulian/internal/sm"
	"mulian/ledger"
)

// ChainID is the name of every chain here.
const ChainID = "ledgertest-1"

// Key returns the key of a synthetic person.
func Key(n byte) sm.PrivateKey {
	k, err := sm.FromSeed(sm.SM2, [32]byte{1, n, 7})
	if err != nil {
		panic(err)
	}
	return k
}

var salt atomic.Uint64

func init() { salt.Store(uint64(time.Now().UnixNano())) }

// Tx returns a signed put that holds for a minute.
func Tx(t testing.TB, key, value string) []byte {
	t.Helper()
	raw, err := Sign(ChainID, Key(1), Put{Key: key, Value: value, ExpiresMs: time.Now().Add(time.Minute).UnixMilli(), Salt: salt.Add(1)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Chain is the homes of n validators of one chain that meet on loopback.
type Chain struct {
	Configs []ledger.Config
	IDs     []ledger.Identity
}

// NewChain makes the homes under dir. A chain of one does not listen.
func NewChain(t testing.TB, dir string, n int) *Chain {
	t.Helper()
	c := &Chain{}
	g := Genesis{Validators: map[string]int64{}}
	level := slog.LevelError
	if os.Getenv("MULIAN_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	var peers []string
	for i := range n {
		home := filepath.Join(dir, fmt.Sprintf("node%d", i))
		id, err := ledger.InitHome(home)
		if err != nil {
			t.Fatal(err)
		}
		g.Validators[hex.EncodeToString(id.Validator[:])] = 10
		c.IDs = append(c.IDs, id)
		cfg := ledger.Config{
			Home: home, ChainID: ChainID, GenesisTimeMs: time.Now().Add(-time.Minute).UnixMilli(),
			Logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})).With("node", i),
		}
		if i > 0 {
			cfg.GenesisTimeMs = c.Configs[0].GenesisTimeMs
		}
		if n > 1 {
			cfg.Listen = freeAddress(t)
			// A transaction that only some have admitted waits for the next block; tests do
			// not wait half a minute for it.
			cfg.Heartbeat = 2 * time.Second
			peers = append(peers, id.NodeID+"@"+cfg.Listen)
		}
		c.Configs = append(c.Configs, cfg)
	}
	signed, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.Configs {
		if err := ledger.InstallGenesis(c.Configs[i].Home, signed); err != nil {
			t.Fatal(err)
		}
		for j, p := range peers {
			if j != i {
				c.Configs[i].Peers = append(c.Configs[i].Peers, p)
			}
		}
	}
	return c
}

// Open starts node i and closes it at the end of the test, if the test has not.
func (c *Chain) Open(t testing.TB, i int) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(context.Background(), c.Configs[i], Machine{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close node %d: %v", i, err)
		}
	})
	return l
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
