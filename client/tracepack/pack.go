package tracepack

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"mulian/client/evidence"
	"mulian/client/prooffile"
)

// Names of the files in a pack.
const (
	ManifestFile     = "manifest.json"
	TraceFile        = "trace.json"
	HeadersFile      = "headers.json"
	CertificatesFile = "certificates.json"
	GenesisFile      = "genesis.bin"
	ReadMeFile       = "README.txt"
	VerifierFile     = "mulian-verify.mjs"
	ObjectFile       = "object" + proofEnd
	proofFolder      = "proofs/"
)

// Format names this version of a pack.
const Format = "mulian-trace-pack-v1"

// Bounds of a pack: what a person reads, and what a server makes for one question. Our own choice.
const (
	MaxSteps    = 100
	MaxZip      = 7 << 20
	maxFiles    = MaxSteps + 16
	maxUnpacked = 64 << 20
)

// Manifest is manifest.json: what the pack is of, and each of its files.
type Manifest struct {
	Format   string `json:"format"`
	Object   string `json:"object"` // state key, or id of a transaction
	Chain    string `json:"chain"`
	Genesis  string `json:"genesis"` // hash
	Steps    int    `json:"steps"`
	Complete bool   `json:"complete"` // false: the server had more steps to tell
	Program  string `json:"program"`
	Files    []File `json:"files"` // by name
}

// File is one file of the pack.
type File struct {
	Name   string       `json:"name"`
	Bytes  int          `json:"bytes"`
	SHA256 evidence.Hex `json:"sha256"`
}

// Step is one line of trace.json.
type Step struct {
	Seq   string `json:"seq"` // number in the ledger's log
	Act   Act    `json:"act"` // as its proof file has it
	Zh    string `json:"zh"`  // the server's sentence; not proved
	En    string `json:"en"`
	Proof string `json:"proof"` // name of its file
}

// Act is what an event says, in the words of a proof file's statement.
type Act struct {
	Verb        string   `json:"verb"`
	Actor       string   `json:"actor"`
	Height      string   `json:"height"`
	Time        string   `json:"time"`
	Transaction string   `json:"transaction"`
	Message     string   `json:"message"`
	Objects     []string `json:"objects"`
	Note        string   `json:"note"`
}

func (a Act) equal(b Act) bool {
	objects := slices.Equal(a.Objects, b.Objects)
	x, y := a, b
	x.Objects, y.Objects = nil, nil
	return objects && fmt.Sprint(x) == fmt.Sprint(y)
}

// trail is trace.json.
type trail struct {
	Object string `json:"object"`
	Steps  []Step `json:"steps"`
}

// Header is one block of headers.json: it carries the state's hash of the height before it.
type Header struct {
	Height     string   `json:"height"`
	Time       string   `json:"time"`
	Block      string   `json:"block"` // hash
	AppHash    string   `json:"app_hash"`
	Validators string   `json:"validators_hash"`
	Power      string   `json:"power"` // "3 of 4": of the votes for it
	SM2        string   `json:"sm2"`
	Proofs     []string `json:"proofs"` // the files that rest on it
}

// Certificates is certificates.json: whose signatures the proofs rest on.
type Certificates struct {
	Validators []Validator        `json:"validators"` // of the last block
	Signers    []prooffile.Signer `json:"signers"`    // of the acts
}

// Validator is one of the last block's.
type Validator struct {
	PublicKey string `json:"public_key"`
	Power     int64  `json:"power"`
	Signed    bool   `json:"signed"`
	SM2       bool   `json:"sm2"`
}

// statement is what we read of a proof file's statement.
type statement struct {
	Block string `json:"block"`
	Acts  []Act  `json:"acts"`
}

// proved is a proof file that holds.
type proved struct {
	name   string
	report *prooffile.Report
	said   statement
	app    string
	set    string
}

// see reads a proof file that holds.
func see(name string, file []byte, r *prooffile.Report) (*proved, error) {
	p := &proved{name: name, report: r}
	var parts struct {
		Blocks []struct {
			AppHash    string `json:"app_hash"`
			Validators string `json:"validators_hash"`
		} `json:"blocks"`
	}
	if err := json.Unmarshal(r.Statement, &p.said); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(file, &parts); err != nil || len(parts.Blocks) == 0 {
		return nil, fmt.Errorf("%s has no block: %w", name, err)
	}
	last := parts.Blocks[len(parts.Blocks)-1]
	p.app, p.set = last.AppHash, last.Validators
	return p, nil
}

// headers lists the blocks of proofs by their height.
func headers(all []*proved) []Header {
	var out []Header
	for _, p := range all {
		at, there := slices.BinarySearchFunc(out, p.report.Height+1, func(h Header, height int64) int { return int(number(h.Height) - height) })
		if !there {
			out = slices.Insert(out, at, Header{
				Height: fmt.Sprint(p.report.Height + 1), Time: p.report.Time, Block: p.said.Block, AppHash: p.app, Validators: p.set, Power: p.report.Power, SM2: p.report.SM2,
			})
		}
		out[at].Proofs = append(out[at].Proofs, p.name)
	}
	return out
}

func number(s string) (n int64) {
	_, _ = fmt.Sscan(s, &n) // ours: headers wrote it
	return n
}

// certificates lists who signed: validators as the proof of the latest block has them,
// signers of acts each once in the order of the proofs.
func certificates(all []*proved) Certificates {
	out := Certificates{Validators: []Validator{}, Signers: []prooffile.Signer{}}
	var last *proved
	for _, p := range all {
		if last == nil || p.report.Height > last.report.Height {
			last = p
		}
		for _, s := range p.report.Signers {
			if !slices.Contains(out.Signers, s) {
				out.Signers = append(out.Signers, s)
			}
		}
	}
	if last != nil {
		for _, v := range last.report.Validators {
			out.Validators = append(out.Validators, Validator{hex.EncodeToString(v.PublicKey), v.Power, v.Signed, v.SM2})
		}
	}
	return out
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("trace pack: %w", err)
	}
	return b.Bytes(), nil
}

// readMe says what the pack is, and how it is checked, in both languages.
func readMe(m *Manifest, zip string) []byte {
	more := [2]string{}
	if !m.Complete {
		more = [2]string{fmt.Sprintf("步骤多于 %d 条，此包只有最早的这些。\n", MaxSteps), fmt.Sprintf("There are more than %d steps; these are the earliest.\n", MaxSteps)}
	}
	return fmt.Appendf(nil, `溯源证据包：%[1]s
链 %[2]s，%[3]d 步，每一步有自己的证明文件。
%[6]s
trace.json         全过程；zh、en 两栏的句子是服务器的说法，其余各栏由证明得出
proofs/            每一步的证明文件：签名、在账本日志里的位置、区块由超过 2/3 表决权的验证节点签署
headers.json       证明所依据的区块头
certificates.json  验证节点和签名方的密钥
genesis.bin        创世；manifest.json 有每个文件的哈希

离线核验，任选其一（先向联盟的成员核对创世哈希 %[4]s）：
  1. 控制台的“离线核验”页：放入这个 zip
  2. mulian verify %[5]s --genesis-hash %[4]s
  3. 逐个文件：node mulian-verify.mjs proofs/文件 --genesis-hash %[4]s
包里每一步都有证明；是否还有别的步骤，本包不能证明。

---

Trace pack: %[1]s
Chain %[2]s, %[3]d steps, each with a proof file of its own.
%[7]s
trace.json         the trace; the sentences under zh and en are the server's word, all else follows from the proofs
proofs/            the proof file of each step: signature, place in the ledger's log, block signed by more than 2/3 of the voting power
headers.json       headers of the blocks on which the proofs rest
certificates.json  keys of the validators and of who signed
genesis.bin        the genesis; manifest.json has the hash of each file

Check it offline, in one of these ways (compare the genesis hash %[4]s with members of the consortium first):
  1. the page "offline check" of the console: drop this zip there
  2. mulian verify %[5]s --genesis-hash %[4]s
  3. file by file: node mulian-verify.mjs proofs/FILE --genesis-hash %[4]s
Each step in it is proved; that there are no others, it cannot show.
`, m.Object, m.Chain, m.Steps, m.Genesis, zip, more[0], more[1])
}
