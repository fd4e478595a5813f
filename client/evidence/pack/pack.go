package pack

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/client/evidence"
	"mulian/client/evidence/certificate"
	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
)

// Names of the files in a folder, beside the opening and its proof.
const (
	ManifestFile     = "manifest.json"
	PaperFile        = "certificate.pdf"
	PageFile         = "verify.html"
	ReadMeFile       = "README.txt"
	GenesisFile      = "genesis.bin"
	OperatorFile     = "operator" + evidence.ProofSuffix
	OrganisationFile = "organisation" + evidence.ProofSuffix
)

// Pack is what a folder is made of.
type Pack struct {
	Opening      []byte // evidence.json as it is in the folder
	Proof        []byte // proof file of the evidence
	Operator     []byte // proof file of the account that anchored it
	Organisation []byte // proof file of the organisation for which it acts; nil: for itself, or for none
	Genesis      []byte // genesis file
	Program      Program

	opening   *evidence.Opening
	report    *prooffile.Report
	operator  *identityv1.Account
	org       *identityv1.Account // nil: none
	genesis   *client.Genesis
	organised string // what the paper calls the organisation
}

// Program is who made the files.
type Program struct {
	Name   string       `json:"name"` // "mulian v0.3.0"
	SHA256 evidence.Hex `json:"sha256,omitempty"`
}

// Open checks that the parts are of one evidence on the chain of that genesis.
// VerificationFailed, or as [evidence.CheckProof], [client.ParseGenesis].
func (p *Pack) Open(genesisHash [32]byte) (err error) {
	if p.opening, err = evidence.ParseOpening(p.Opening); err != nil {
		return err
	}
	if p.genesis, err = client.ParseGenesis(p.Genesis); err != nil {
		return fmt.Errorf("%s: %w", GenesisFile, err)
	}
	if p.genesis.Hash != genesisHash {
		return fault.Newf(fault.WrongChain, "%s is of another chain", GenesisFile)
	}
	if p.report, err = evidence.CheckProof(p.opening, p.Proof, genesisHash); err != nil {
		return err
	}
	if p.operator, err = provedAccount(p.Operator, p.opening.Account, genesisHash); err != nil {
		return fmt.Errorf("%s: %w", OperatorFile, err)
	}
	p.org, p.organised = nil, p.operator.GetProfile().GetName()
	if of := OrganisationOf(p.operator); of != "" {
		if p.org, err = provedAccount(p.Organisation, of, genesisHash); err != nil {
			return fmt.Errorf("%s: %w", OrganisationFile, err)
		}
		p.organised = p.org.GetProfile().GetName() + " " + p.operator.GetName()
	} else if p.Organisation != nil {
		return fault.Newf(fault.VerificationFailed, "%s: %s acts for no other organisation", OrganisationFile, p.opening.Account)
	}
	return nil
}

// OrganisationOf returns the organisation for which an account acts; "" for one that
// acts for itself.
func OrganisationOf(a *identityv1.Account) string {
	if a.GetOrg() == a.GetId() {
		return ""
	}
	return a.GetOrg()
}

func provedAccount(file []byte, id string, genesisHash [32]byte) (*identityv1.Account, error) {
	r := prooffile.Verify(file, genesisHash)
	if !r.OK {
		return nil, r.Fault()
	}
	a := &identityv1.Account{}
	if r.Object != "identity/account/"+id || proto.Unmarshal(r.Value, a) != nil || a.GetId() != id {
		return nil, fault.Newf(fault.VerificationFailed, "it proves %s %s, not the account %s", r.Kind, r.Object, id)
	}
	return a, nil
}

// Files returns the files of the folder but the opening, by name. The pack is open.
func (p *Pack) Files() (map[string][]byte, error) {
	files := map[string][]byte{
		evidence.OpeningFile: p.Opening, p.opening.ProofFile(): p.Proof, OperatorFile: p.Operator, GenesisFile: p.Genesis, ReadMeFile: p.readMe(),
	}
	if p.Organisation != nil {
		files[OrganisationFile] = p.Organisation
	}
	var paper bytes.Buffer
	if err := certificate.Write(&paper, &certificate.Certificate{Opening: p.opening, Proof: p.report, Org: p.organised}); err != nil {
		return nil, err
	}
	files[PaperFile] = paper.Bytes()
	page, err := p.page()
	if err != nil {
		return nil, err
	}
	files[PageFile] = page
	manifest, err := p.manifest(files)
	if err != nil {
		return nil, err
	}
	files[ManifestFile] = manifest
	delete(files, evidence.OpeningFile)
	return files, nil
}

// readMe says what the folder is, and how it is checked, in both languages.
func (p *Pack) readMe() []byte {
	o := p.opening
	return fmt.Appendf(nil, `证据包 %[1]s

原文件不在此夹内：%[2]s，%[3]d 字节，SHA-256 %[4]x
此夹含有盐值，须与原文件同样保密。改名、移动都可以；逐字节原样复制。

离线核验，任选其一（先向联盟的成员核对创世哈希 %[5]x）：
  1. 用浏览器打开 verify.html
  2. mulian evidence verify 此文件夹 原文件 --genesis-hash %[5]x
  3. mulian verify %[6]s --genesis-hash %[5]x

---

Evidence pack %[1]s

The original is not in this folder: %[2]s, %[3]d bytes, SHA-256 %[4]x
The folder holds the salt: keep it as you keep the file. It may be renamed and moved; copy its files as they are.

Check it offline, in one of these ways (compare the genesis hash %[5]x with members of the consortium first):
  1. open verify.html in a browser
  2. mulian evidence verify THIS-FOLDER ORIGINAL --genesis-hash %[5]x
  3. mulian verify %[6]s --genesis-hash %[5]x
`, o.ID, oneLine(o.Metadata.Name), o.Metadata.Bytes, []byte(o.SHA256), []byte(o.Genesis), o.ProofFile())
}

// oneLine keeps a file's name from speaking to the terminal.
func oneLine(name string) string {
	var out []rune
	for _, c := range name {
		if c < ' ' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 || c == 0x200e || c == 0x200f {
			c = '�'
		}
		out = append(out, c)
	}
	return string(out)
}

// Manifest is manifest.json: what the folder holds, who anchored the evidence, and who
// stands behind the block. All of it follows from the proofs.
type Manifest struct {
	Format     string       `json:"format"`
	ID         string       `json:"id"`
	Chain      string       `json:"chain"`
	Genesis    evidence.Hex `json:"genesis"`
	Operator   Operator     `json:"operator"`
	Height     int64        `json:"height"` // of the state that the proof is of
	Block      string       `json:"block_time"`
	Power      string       `json:"power"` // "3 of 4": of the votes for the block
	SM2        string       `json:"sm2"`
	Validators []Validator  `json:"validators"`
	Program    Program      `json:"program"`
	Files      []File       `json:"files"`
}

// Format names this version of a manifest.
const Format = "mulian-evidence-pack-v1"

// Operator is who anchored the evidence, and for whom.
type Operator struct {
	Account          string `json:"account"`
	Name             string `json:"name,omitempty"`
	Organisation     string `json:"organisation,omitempty"`
	OrganisationName string `json:"organisation_name,omitempty"`
	Key              string `json:"key,omitempty"` // with which it was signed; empty: the proof has no signature
	Algorithm        string `json:"algorithm,omitempty"`
	State            string `json:"state,omitempty"` // of the key
}

// Validator is one of the block's, by the name that the genesis gives it.
type Validator struct {
	Organisation string       `json:"organisation,omitempty"` // empty: it came after the genesis
	Name         string       `json:"name,omitempty"`
	PublicKey    evidence.Hex `json:"public_key"`
	Power        int64        `json:"power"`
	Signed       bool         `json:"signed"`
	SM2          bool         `json:"sm2"`
}

// File is one file of the folder.
type File struct {
	Name   string       `json:"name"`
	Bytes  int          `json:"bytes"`
	SHA256 evidence.Hex `json:"sha256"`
}

func (p *Pack) manifest(files map[string][]byte) ([]byte, error) {
	m := &Manifest{
		Format: Format, ID: p.opening.ID, Chain: p.opening.Chain, Genesis: p.opening.Genesis, Height: p.report.Height, Block: p.report.Time,
		Power: p.report.Power, SM2: p.report.SM2, Program: p.Program, Operator: Operator{Account: p.opening.Account, Name: p.operator.GetName()},
	}
	switch {
	case p.org != nil:
		m.Operator.Organisation, m.Operator.OrganisationName = p.org.GetId(), p.org.GetProfile().GetName()
	case p.operator.GetOrg() != "":
		m.Operator.Organisation, m.Operator.OrganisationName = p.operator.GetOrg(), p.operator.GetProfile().GetName()
	}
	for _, s := range p.report.Signers {
		if s.Account == p.opening.Account {
			m.Operator.Key, m.Operator.Algorithm, m.Operator.State = s.Key, s.Algorithm, s.State
		}
	}
	for _, v := range p.report.Validators {
		out := Validator{PublicKey: v.PublicKey, Power: v.Power, Signed: v.Signed, SM2: v.SM2}
		for _, g := range p.genesis.GetValidators() {
			if bytes.Equal(g.GetPublicKey(), v.PublicKey) {
				out.Organisation, out.Name = g.GetOrg(), g.GetName()
			}
		}
		m.Validators = append(m.Validators, out)
	}
	for _, name := range sortedNames(files) {
		sum := sha256.Sum256(files[name])
		m.Files = append(m.Files, File{name, len(files[name]), sum[:]})
	}
	return marshal(m)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	return b.Bytes(), nil
}
