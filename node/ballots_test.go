package node

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// ballot is what one validator has signed, as in a proof file.
type ballot struct{ key, power, time, signature, sm2 string }

var (
	ballotForm = regexp.MustCompile(`("key": ")([0-9a-f]{64})(",\s+"power": ")(\d+)(",\s+"time": ")([^"]*)(",\s+"signature": ")([^"]*)(",\s+"sm2": ")([^"]*)"`)
	powerForm  = regexp.MustCompile(`"power": "\d+ of \d+",`)
	sm2Form    = regexp.MustCompile(`"sm2": "(none|\d+ of \d+)",`)
)

// ballots reads the votes of a file with one block.
func ballots(file []byte) (out []ballot) {
	for _, m := range ballotForm.FindAllStringSubmatch(string(file), -1) {
		out = append(out, ballot{m[2], m[4], m[6], m[8], m[10]})
	}
	return out
}

// reseal changes the votes of a file with one block, and its statement as a liar
// would: so that only the signatures themselves can tell.
func reseal(file []byte, change func(int, *ballot)) []byte {
	i, all, votes, sm2 := 0, 0, 0, 0
	out := ballotForm.ReplaceAllStringFunc(string(file), func(s string) string {
		m := ballotForm.FindStringSubmatch(s)
		b := ballot{m[2], m[4], m[6], m[8], m[10]}
		change(i, &b)
		i++
		power, _ := strconv.Atoi(b.power)
		all += power
		if b.signature != "" {
			votes += power
		}
		if b.sm2 != "" {
			sm2 += power
		}
		return m[1] + b.key + m[3] + b.power + m[5] + b.time + m[7] + b.signature + m[9] + b.sm2 + `"`
	})
	out = powerForm.ReplaceAllString(out, fmt.Sprintf(`"power": "%d of %d",`, votes, all))
	said := "none"
	if sm2 > 0 {
		said = fmt.Sprintf("%d of %d", sm2, all)
	}
	return []byte(sm2Form.ReplaceAllString(out, `"sm2": "`+said+`",`))
}

// enough reads "30 of 40"; 0 if it is none or of another total.
func enough(power string, total int) (n int) {
	var all int
	if _, err := fmt.Sscanf(power, "%d of %d", &n, &all); err != nil || all != total {
		return 0
	}
	return n
}

// complete adds the votes that the other members have seen of the file's block: each
// goes on when it has more than 2/3, so nobody's last block has all votes for certain.
func (c *council) complete(ctx context.Context, file []byte, height int64) []byte {
	c.t.Helper()
	for i := range c.founded.GetValidators() {
		res, block := c.header(ctx, i, height)
		commit := block.GetSignedHeader().GetCommit()
		if !bytes.Contains(file, []byte(`"hash": "`+hex.EncodeToString(commit.GetBlockId().GetHash())+`"`)) ||
			!bytes.Contains(file, fmt.Appendf(nil, `"round": "%d"`, commit.GetRound())) {
			continue // it has seen the block committed in another round
		}
		file = reseal(file, func(_ int, b *ballot) {
			raw, _ := hex.DecodeString(b.key)
			sum := sha256.Sum256(raw)
			for _, s := range commit.GetSignatures() {
				if b.signature == "" && bytes.Equal(s.GetValidatorAddress(), sum[:20]) && s.GetBlockIdFlag() == 2 {
					b.time = s.GetTimestamp().AsTime().Format("2006-01-02T15:04:05.000000000Z")
					b.signature = base64.StdEncoding.EncodeToString(s.GetSignature())
				}
			}
			for _, s := range res.GetSm2Votes() {
				if b.sm2 == "" && bytes.Equal(s.GetAddress(), sum[:20]) {
					b.sm2 = base64.StdEncoding.EncodeToString(s.GetSignature())
				}
			}
		})
	}
	return file
}

// header waits for a member to have a block.
func (c *council) header(ctx context.Context, member int, height int64) (*ledgerv1.GetHeaderResponse, *ledgerv1.LightBlock) {
	c.t.Helper()
	for {
		res, err := c.api[member].Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: height}))
		if err == nil {
			b := &ledgerv1.LightBlock{}
			if err := proto.Unmarshal(res.Msg.GetLightBlock(), b); err != nil {
				c.t.Fatal(err)
			}
			return res.Msg, b
		}
		if connect.CodeOf(err) != connect.CodeNotFound {
			c.t.Fatal(err)
		}
		select {
		case <-ctx.Done():
			c.t.Fatalf("member %d has no block %d", member, height)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// second is the verifier in JavaScript, as a stranger runs it.
type second struct {
	t    *testing.T
	node string
}

func secondVerifier(t *testing.T) *second {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		const line = "SKIP no node: the verifier in JavaScript is not asked"
		if os.Getenv("MULIAN_REQUIRE_SERVERS") == "1" {
			t.Fatal(line + " (MULIAN_REQUIRE_SERVERS=1)")
		}
		t.Log(line)
	}
	return &second{t, node}
}

// same asks both verifiers, which must agree, and returns the report of the first.
func (s *second) same(what string, file []byte, hash [32]byte) *prooffile.Report {
	s.t.Helper()
	first := prooffile.Verify(file, hash)
	if s.node == "" {
		return first
	}
	path := filepath.Join(s.t.TempDir(), "some.mulian-proof.json")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		s.t.Fatal(err)
	}
	raw, err := exec.CommandContext(s.t.Context(), s.node, filepath.Join("..", "console", "verify", "mulian-verify.mjs"), path, "--genesis-hash", hex.EncodeToString(hash[:])).Output()
	status := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		status = exit.ExitCode()
	} else if err != nil {
		s.t.Fatal(err)
	}
	other := &prooffile.Report{}
	if err := json.Unmarshal(raw, other); err != nil {
		s.t.Fatalf("%s: %v: %s", what, err, raw)
	}
	if other.OK != first.OK || other.Code != first.Code || other.Step != first.Step || other.Power != first.Power || other.SM2 != first.SM2 || other.OK != (status == 0) {
		s.t.Errorf("%s: the verifiers disagree, exit status %d:\n go %+v\n js %s", what, status, first, raw)
	}
	return first
}
