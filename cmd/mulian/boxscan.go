package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mulian/client/wallet"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/ur"
)

// scanning is one code that was scanned, and what its owner says to it.
type scanning struct {
	*boxed
	at, number, txCode, out string
	trust                   []string
	refuse, notMe           bool
}

func (x *boxed) scan() *cobra.Command {
	s := &scanning{boxed: x}
	c := &cobra.Command{
		Use:   "scan CODE...",
		Short: x.t("扫码：图片文件（PNG、JPEG）、码里的文字或链接；领取凭证，或答复出示请求", "scan a code: a picture (PNG, JPEG), or the text or link in it; take a credential, or answer a request"),
		Long: x.t(`CODE 是照片或截图，或码里的文字，- 为标准输入。按内容分别处理：
  领取凭证的码    显示谁签发什么，同意后领取并存入保险箱
  出示请求的码    显示谁要看哪些字段的什么值，同意后只出示这些；--no 拒绝（对方看不出是没有还是不愿意）
  短码 MULIAN:R/  先核对屏幕上的两位核对码（--number），--not-me 表示不是我发起的
  动态码的各帧    给出全部图片，拼回凭证并写到 --out
对方的证书第一次见到时会显示指纹并询问；没有终端时用 --trust 证书文件 指明信任谁。`,
			`CODE is a photograph or screenshot, or the text in the code; - is the standard input. What happens depends on it:
  an offer of a credential     shows who issues what; if you agree it is taken and put into the box
  a request                    shows who wants to see which fields, with their values; if you agree these are shown and no other;
                               --no refuses (the asker cannot tell whether there is none or you do not want to)
  a short code MULIAN:R/       asks for the two digits of the other screen (--number); --not-me: you did not start this
  frames of an animated code   give all pictures: put together, written to --out
A certificate that is seen for the first time is shown and asked about; without a terminal name whom you trust with --trust.`),
		Example: "  mulian box scan photo.jpg\n  mulian box scan MULIAN:R/0123456789ABCDEFGHJKMNPQRS --at https://estate.gov.example --number 42\n  mulian box scan frames/*.png --out licence.sd-jwt",
		Args:    atLeast(1),
		RunE:    s.run,
	}
	f := c.Flags()
	f.StringVar(&s.at, "at", "", x.t("短码所属网关的地址", "address of the gateway to which a short code belongs"))
	f.StringVar(&s.number, "number", "", x.t("对方屏幕上的两位核对码", "the two digits on the asker's screen"))
	f.StringVar(&s.txCode, "code", "", x.t("领取凭证的取件码", "code for taking an offer, as the issuer told you"))
	f.StringVarP(&s.out, "out", "o", "", x.t("动态码：写到哪个文件", "animated codes: file to write"))
	f.StringArrayVar(&s.trust, "trust", nil, x.t("信任的核验方证书（PEM），可多次", "certificate of a verifier that is trusted (PEM), may be repeated"))
	f.BoolVar(&s.refuse, "no", false, x.t("不出示", "show nothing"))
	f.BoolVar(&s.notMe, "not-me", false, x.t("不是我发起的：结束这个码并报告", "I did not start this: end the code, and report it"))
	return x.opens(c)
}

// textOf is what a code says: of a picture, or as it was typed.
func (s *scanning) textOf(arg string) (string, error) {
	var raw []byte
	var err error
	if arg == stdin {
		raw, err = io.ReadAll(io.LimitReader(s.in, qr.MaxImage+1))
	} else if st, serr := os.Stat(arg); serr == nil && st.Mode().IsRegular() {
		raw, err = readAtMost(arg, qr.MaxImage)
	} else {
		raw = []byte(arg)
	}
	if err != nil {
		return "", err
	}
	if bytes.HasPrefix(raw, []byte("\x89PNG")) || bytes.HasPrefix(raw, []byte("\xff\xd8\xff")) {
		text, err := qr.Read(raw)
		if err != nil {
			return "", fault.Wrap(fault.Malformed, err, s.t("%s 里", "in %s"), arg)
		}
		return text, nil
	}
	if len(raw) > 4<<10 {
		return "", fault.Newf(fault.Malformed, s.t("%s 既不是 PNG、JPEG 图片，也不是一个码的文字", "%s is neither a PNG or JPEG picture nor the text of a code"), shown(arg[:min(len(arg), 60)]))
	}
	return strings.TrimSpace(string(raw)), nil
}

func (s *scanning) run(cmd *cobra.Command, args []string) error {
	ctx := cmd.Context()
	text, err := s.textOf(args[0])
	if err != nil {
		return err
	}
	if strings.HasPrefix(strings.ToLower(text), "ur:") {
		return s.frames(args)
	}
	if len(args) > 1 {
		return s.usage(cmd, "%s", s.t("一次一个码；多张图片只用于动态码的各帧", "one code at a time; several pictures are the frames of an animated code"))
	}
	p, err := qr.Parse(text)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "%s", s.t("这不是目链的码，也不是凭证的领取或出示链接", "not a code of ours, and no offer or request of a credential"))
	}
	switch {
	case p.Kind == qr.Request:
		return s.short(ctx, text)
	case p.Kind == qr.Show:
		return fault.Newf(fault.Usage, "%s", s.t("这是别人亮证的码：由登记的核验方在柜台扫", "somebody shows a licence by this code: a registered verifier scans it at his counter"))
	case p.Kind == qr.Verify:
		return fault.Newf(fault.Usage, "%s", s.t("这是加注件上的核验码：在核验页输入", "the code of an annotated copy: it is checked on the verify page"))
	}
	return s.link(ctx, p.Link)
}

// link is an offer or a request of the OpenID protocols.
func (s *scanning) link(ctx context.Context, link string) error {
	u, err := url.Parse(link)
	if err != nil {
		return fault.Wrap(fault.Malformed, err, "the link")
	}
	if u.Query().Get("credential_offer_uri") != "" {
		return s.receive(ctx, link)
	}
	return s.answer(ctx, link)
}

func (s *scanning) wallet() *wallet.Wallet { return &wallet.Wallet{Trust: s.trusted} }

// short takes a short code: from then on no other device can.
func (s *scanning) short(ctx context.Context, text string) error {
	if !strings.HasPrefix(text, "HTTPS://") && s.at == "" {
		return fault.Newf(fault.Usage, "%s", s.t("这个短码属于哪个网关？--at 地址（在码旁边写着）", "to which gateway does this short code belong? --at URL (it stands beside the code)"))
	}
	w := s.wallet()
	c, err := w.Take(ctx, strings.TrimSuffix(s.at, "/"), text)
	if err != nil {
		return err
	}
	s.say(s.t("提出请求的：%s", "the asker: %s"), shown(c.Asker))
	if s.notMe {
		if err := w.NotMe(ctx, c); err != nil {
			return err
		}
		return s.print(map[string]any{"ok": true, "reported": true}, func(out io.Writer) {
			fmt.Fprintln(out, s.t("✓ 已结束并报告", "✓ ended and reported"))
		})
	}
	number := s.number
	if c.Number && number == "" {
		if number, err = s.ask(s.t("对方屏幕上的两位核对码：", "the two digits on the other screen: "), s.t("核对码：--number（对方屏幕上的两位）", "the match number: --number (two digits on the asker's screen)"), false); err != nil {
			return err
		}
	}
	link, err := w.Match(ctx, c, number)
	if err != nil {
		return err
	}
	return s.link(ctx, link)
}

// frames puts an animated code together.
func (s *scanning) frames(args []string) error {
	if s.out == "" {
		return fault.Newf(fault.Usage, "%s", s.t("动态码写到哪里？--out 文件", "where does the animated code go? --out FILE"))
	}
	var d ur.Decoder
	for _, arg := range args {
		text, err := s.textOf(arg)
		if err != nil {
			s.say("%s: %v", shown(arg), err) // a frame that cannot be read: others bring what it had
			continue
		}
		done, err := d.Take(text)
		if err != nil {
			return fault.Wrap(fault.Malformed, err, "%s", shown(arg))
		}
		if !done {
			continue
		}
		if err := durable.ReplaceFile(s.out, d.Bytes(), 0o600); err != nil {
			return err
		}
		return s.print(map[string]any{"ok": true, "file": s.out, "bytes": len(d.Bytes())}, func(w io.Writer) {
			fmt.Fprintf(w, s.t("✓ %d 字节，写到 %s；核验：mulian credential verify %[2]s\n", "✓ %d bytes, in %s; to check it: mulian credential verify %[2]s\n"), len(d.Bytes()), s.out)
		})
	}
	known, of := d.Progress()
	return fault.Newf(fault.Missing, s.t("还不完整：%d/%d 块，再给几帧", "not complete: %d of %d parts; give more frames"), known, of)
}

// trusted says whether a verifier's certificate is one that its owner trusts: named with
// --trust, agreed to before, or agreed to now.
func (s *scanning) trusted(chain [][]byte) error {
	if len(chain) == 0 {
		return fault.Newf(fault.ClientInvalid, "no certificate")
	}
	sum := sha256.Sum256(chain[0])
	dir := s.path("box", "verifiers")
	mine := filepath.Join(dir, hex.EncodeToString(sum[:])+".pem")
	if _, err := os.Stat(mine); err == nil {
		return nil
	}
	for _, path := range s.trust {
		raw, err := readAtMost(path, 64<<10)
		if err != nil {
			return err
		}
		for block, rest := pem.Decode(raw); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == "CERTIFICATE" && bytes.Equal(block.Bytes, chain[0]) {
				return nil
			}
		}
	}
	cert, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return fault.Wrap(fault.ClientInvalid, err, "the certificate")
	}
	fmt.Fprintf(s.err, s.t("第一次遇到这个核验方：%s\n  证书指纹 SHA-256 %s\n  和对方公布的指纹核对\n", "this verifier is seen for the first time: %s\n  fingerprint of its certificate, SHA-256: %s\n  compare it with the one that it publishes\n"), shown(cert.Subject.String()), hex.EncodeToString(sum[:]))
	line, err := s.ask(s.t("信任它？[y/N] ", "trust it? [y/N] "), s.t("没有终端可以询问：用 --trust 证书文件", "nobody can be asked here: --trust FILE with its certificate"), false)
	if err != nil {
		return err
	}
	if l := strings.ToLower(line); l != "y" && l != "yes" && l != "是" {
		return fault.Newf(fault.ClientInvalid, "%s", s.t("不信任这个核验方", "this verifier is not trusted"))
	}
	if err := durable.MkdirPrivate(dir); err != nil {
		return err
	}
	return durable.ReplaceFile(mine, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: chain[0]}), 0o600)
}
