package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mulian/client/wallet"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/qr"
	"mulian/internal/sdjwt"
	"mulian/internal/ur"
	"mulian/safebox/owner"
)

// Of an animated code. A fragment of 200 bytes makes a code that phones read from a screen
// (spec/safebox.md 3.5); five a second is what they keep up with. Our own choice.
const (
	fragment  = 200
	perSecond = 5
	// Offline is whom a presentation without a verifier's challenge is for: everybody who
	// stands before the screen. The time in it says how fresh it is.
	offline = "mulian:offline"
)

// showing is how a credential is shown.
type showing struct {
	*boxed
	fields                  []string
	audience, nonce, frames string
	at                      string // gateway
	whole                   bool
	seconds                 int
}

func (x *boxed) show() *cobra.Command {
	s := &showing{boxed: x}
	c := &cobra.Command{
		Use:   "show ITEM",
		Short: x.t("亮证：凭证的选定字段，离线用动态二维码，或用一次性短码给登记的核验方（60 秒）", "show chosen fields of a credential: animated QR codes without a network, or a code for a registered verifier (60 s)"),
		Long: x.t(`--at 网关地址：交给核验方的网关，得到一次性短码，60 秒内只有登记的核验方能兑现，码里没有任何数据。
不写 --at 就是离线：只含 --fields 里的字段，用持有人密钥当场签名，里面有时间。站在屏幕前的人都能扫：只在愿意给他看的人面前用。
对方用扫码软件逐帧扫，漏几帧不要紧；或用 mulian box scan 图片... --out 文件，再用 mulian credential verify 核验。
--nonce 和 --audience 是核验方给的随机数和名称；没有就只凭时间判断新旧。`,
			`--at URL lays it ready at a verifier's gateway and gets a code that is good once and for 60 seconds; only a registered verifier can
resolve it, and nothing of the credential is in it.
Without --at no network is needed. It has the fields of --fields alone, signed with the holder's key on the spot, with the time in it. Whoever stands before the screen can
read it: show it to those whom you want to see it. The other scans frame after frame, and may miss some; or puts pictures together
with mulian box scan PICTURES... --out FILE and checks them with mulian credential verify. --nonce and --audience are a verifier's
challenge and name; without them the time alone says how fresh it is.`),
		Example: "  mulian box show 许可证 --fields permit_no --at https://estate.gov.example\n  mulian box show 许可证 --fields permit_no,project\n  mulian box show 0f3a9c21 --fields permit_no --frames frames",
		Args:    exactly(1),
		RunE:    s.run,
	}
	f := c.Flags()
	f.StringSliceVar(&s.fields, "fields", nil, x.t("出示哪些字段", "fields to be shown"))
	f.BoolVar(&s.whole, "all", false, x.t("出示全部字段", "show all fields"))
	f.StringVar(&s.at, "at", "", x.t("核验方网关的地址：用一次性短码亮证", "URL of the verifier's gateway: show by a code that is good once"))
	f.StringVar(&s.audience, "audience", offline, x.t("核验方的名称", "name of the verifier"))
	f.StringVar(&s.nonce, "nonce", "", x.t("核验方给的随机数", "the verifier's challenge"))
	f.StringVar(&s.frames, "frames", "", x.t("写成图片放进这个文件夹，不显示", "write pictures into this folder instead of showing them"))
	f.IntVar(&s.seconds, "seconds", 60, x.t("显示多少秒", "for how many seconds it is shown"))
	return x.opens(c)
}

func (s *showing) run(cmd *cobra.Command, args []string) error {
	if len(s.fields) == 0 && !s.whole {
		return s.usage(cmd, "%s", s.t("出示哪些字段？--fields 名称,名称，或 --all", "which fields? --fields NAME,NAME, or --all"))
	}
	if s.seconds < 1 || s.seconds > 600 {
		return fault.Newf(fault.OutOfRange, "--seconds %d: 1 to 600", s.seconds)
	}
	if s.frames == "" && !s.json && s.at == "" && !terminal(s.out) {
		return s.usage(cmd, "%s", s.t("这里没有终端可以显示：--frames 文件夹", "there is no terminal to show it on: --frames FOLDER"))
	}
	held, err := s.credential(cmd.Context(), args[0])
	if err != nil {
		return err
	}
	if s.at != "" {
		return s.lay(cmd.Context(), held)
	}
	if s.nonce == "" {
		s.nonce = rand.Text()
	}
	text, err := s.present(held, s.audience, s.nonce)
	if err != nil {
		return err
	}
	e, err := ur.NewEncoder([]byte(text), fragment)
	if err != nil {
		return fault.Wrap(fault.TooLong, err, "%s", s.t("太长，不能做成动态码：少选几个字段", "too long for an animated code: choose fewer fields"))
	}
	if s.frames != "" || s.json {
		return s.write(e)
	}
	return s.animate(cmd.Context(), e)
}

// credential is the one that is meant, with its key.
func (s *showing) credential(ctx context.Context, meant string) (wallet.Held, error) {
	o, err := s.open(ctx)
	if err != nil {
		return wallet.Held{}, err
	}
	it, err := o.Find(ctx, meant)
	if err != nil {
		return wallet.Held{}, err
	}
	if it.Card.GetMediaType() != owner.CredentialType {
		return wallet.Held{}, fault.Newf(fault.Malformed, s.t("%s 不是凭证：给副本用 mulian box give", "%s is no credential: give a copy with mulian box give"), it.ID)
	}
	raw, err := o.All(ctx, it)
	if err != nil {
		return wallet.Held{}, err
	}
	return owner.ReadCredential(raw)
}

// present is the credential with the chosen fields, signed by its holder now.
func (s *showing) present(held wallet.Held, audience, nonce string) (string, error) {
	t, err := sdjwt.Parse(held.Text)
	if err != nil {
		return "", fault.Wrap(fault.Damaged, err, "the credential in the box")
	}
	text := held.Text
	if !s.whole {
		if text, err = t.Present(owner.Paths(s.fields)...); err != nil {
			return "", fault.Wrap(fault.NotFound, err, "--fields")
		}
	}
	text, err = sdjwt.Bind(text, sdjwt.Request{Audience: audience, Nonce: nonce}, held.Holder, time.Now())
	return text, fault.Wrap(fault.Damaged, err, "the credential in the box")
}

// lay gets a short code for a presentation, and shows it.
func (s *showing) lay(ctx context.Context, held wallet.Held) error {
	got, err := (&wallet.Wallet{}).LayReady(ctx, strings.TrimSuffix(s.at, "/"), func(audience, nonce string) (string, error) { return s.present(held, audience, nonce) })
	if err != nil {
		return err
	}
	c, err := qr.Draw(got.Code)
	if err != nil {
		return err
	}
	v := map[string]any{"ok": true, "code": got.Code, "expires": got.Expires.Format(time.RFC3339)}
	if s.frames != "" {
		if err := durable.MkdirPrivate(s.frames); err != nil {
			return err
		}
		path := filepath.Join(s.frames, "code.png")
		if err := durable.ReplaceFile(path, c.PNG(), 0o600); err != nil {
			return err
		}
		v["files"] = []string{path}
	}
	return s.print(v, func(w io.Writer) {
		if s.frames == "" {
			fmt.Fprint(w, c.Terminal())
		}
		fmt.Fprintf(w, s.t("%s\n  %s 前有效，只能用一次\n", "%s\n  good once, until %s\n"), got.Code, got.Expires.Local().Format("15:04:05"))
	})
}

// write writes frames as pictures, half as many again as are needed; with --json alone their
// texts are told.
func (s *showing) write(e *ur.Encoder) error {
	n := e.Parts() + (e.Parts()+1)/2
	if s.frames != "" {
		if err := durable.MkdirPrivate(s.frames); err != nil {
			return err
		}
	}
	texts, files := []string{}, []string{}
	for i := range n {
		text := e.Next()
		texts = append(texts, text)
		if s.frames == "" {
			continue
		}
		c, err := qr.DrawFrame(text)
		if err != nil {
			return err
		}
		path := filepath.Join(s.frames, fmt.Sprintf("frame-%03d.png", i+1))
		if err := durable.ReplaceFile(path, c.PNG(), 0o600); err != nil {
			return err
		}
		files = append(files, path)
	}
	return s.print(map[string]any{"ok": true, "parts": e.Parts(), "frames": texts, "files": files, "audience": s.audience, "nonce": s.nonce}, func(w io.Writer) {
		fmt.Fprintf(w, s.t("✓ %d 张图片在 %s，任意 %d 张左右即可拼回\n", "✓ %d pictures in %s; some %d of them are enough\n"), len(files), s.frames, e.Parts())
	})
}

// animate shows frame after frame in the terminal until the time is over or somebody stops it.
func (s *showing) animate(ctx context.Context, e *ur.Encoder) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.seconds)*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Second / perSecond)
	defer tick.Stop()
	fmt.Fprint(s.out, "\x1b[2J")
	for {
		c, err := qr.DrawFrame(e.Next())
		if err != nil {
			return err
		}
		fmt.Fprint(s.out, "\x1b[H", c.Terminal(), s.t("Ctrl-C 结束\n", "Ctrl-C ends\n"))
		select {
		case <-ctx.Done():
			fmt.Fprint(s.out, "\x1b[2J\x1b[H") // nothing stays on the screen
			return nil
		case <-tick.C:
		}
	}
}
