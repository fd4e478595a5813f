package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/hostcert"
	"mulian/node"
)

const (
	httpsDir  = "https" // in a home: the own authority and the certificate
	httpsPort = "8443"  // of a member that begins with a name
)

// https opens the certificates of the configured names; without https.listen there is none.
func (a *app) https(cfg HTTPSConfig, log *slog.Logger) (node.HTTPS, error) {
	if cfg.Listen == "" {
		if len(cfg.Names) > 0 || cfg.Certificate != "" {
			return node.HTTPS{}, fault.Newf(fault.Usage, "https.names or https.certificate without https.listen")
		}
		return node.HTTPS{}, nil
	}
	if err := checkAddress("https.listen", cfg.Listen); err != nil {
		return node.HTTPS{}, err
	}
	k, err := a.certificates(cfg, log)
	return node.HTTPS{Listen: cfg.Listen, Port: cfg.Port, Keeper: k}, err
}

func (a *app) certificates(cfg HTTPSConfig, log *slog.Logger) (*hostcert.Keeper, error) {
	return hostcert.Open(hostcert.Config{Dir: a.path(httpsDir), Names: cfg.Names, Certificate: cfg.Certificate, Key: cfg.Key, Logger: log})
}

// writeHTTPS writes the configuration of a new home that is reached under a name. One that is
// there stays as it is.
func (a *app) writeHTTPS(host string) error {
	if _, err := os.Stat(a.path(configFile)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	raw, err := yaml.Marshal(map[string]any{"https": map[string]any{"listen": "0.0.0.0:" + httpsPort, "names": []string{host}}})
	if err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	return durable.CreateFile(a.path(configFile), append([]byte("# mulian config explain tells what each key means.\n"), raw...), 0o600)
}

func (a *app) nodeCert() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "cert", Aliases: []string{"证书"}, Args: exactly(0),
		Short: a.t("https 证书：名字、期限、指纹，以及怎样让设备信任", "the https certificate: names, end, fingerprint, and how devices come to trust it"),
		Long: a.t(`浏览器只在 https 加名字的页面上使用通行密钥。没有给出证书文件（https.certificate）时，本成员有自己的签发机构，
第一次启动时生成，密钥 0600；它只能为配置里的名字作保。服务器证书 90 天，到期前 30 天自动换新，不必重启。
--out 写出签发机构的证书，交给各设备装入；指纹请另行核对。节点运行时也在 /ca.crt。`,
			`Browsers use passkeys on https pages under a name. Without files of an authority (https.certificate) this member has one of
its own, made at the first start, key of mode 0600, that can speak for the configured names alone. The server's certificate holds
90 days and is replaced 30 days before its end, without a restart. --out writes the authority's certificate for the devices that
are to trust it; compare the fingerprint by another way. A running node gives it out at /ca.crt, too.`),
		Example: "  mulian node cert\n  mulian node cert --out mulian-ca.crt --json",
		RunE: func(*cobra.Command, []string) error {
			cfg, _, err := a.config()
			if err != nil {
				return err
			}
			if cfg.HTTPS.Listen == "" {
				return fault.Newf(fault.NotFound, "%s: no https.listen, so there is no certificate; set https.listen and https.names", a.path(configFile))
			}
			log, err := a.logger(cfg.Log)
			if err != nil {
				return err
			}
			k, err := a.certificates(cfg.HTTPS, log)
			if err != nil {
				return err
			}
			if out != "" {
				if k.Authority() == nil {
					return fault.Newf(fault.NotFound, "the certificate is of another authority, which gives out its own")
				}
				if err := durable.ReplaceFile(out, k.Authority(), 0o644); err != nil {
					return err
				}
			}
			return a.showCertificate(cfg.HTTPS, k.State(), out)
		},
	}
	c.Flags().StringVar(&out, "out", "", a.t("把签发机构的证书写到这个文件", "write the authority's certificate to this file"))
	return c
}

func (a *app) showCertificate(cfg HTTPSConfig, s hostcert.State, out string) error {
	_, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return fault.Wrap(fault.Usage, err, "https.listen")
	}
	if cfg.Port != "" {
		port = cfg.Port
	}
	var pages []string
	for _, name := range s.Names {
		pages = append(pages, node.Origin(name, port))
	}
	v := map[string]any{"ok": true, "names": s.Names, "pages": pages, "own": s.Own, "ends": s.Ends.UTC().Format(time.RFC3339)}
	if s.Own {
		v["fingerprint"], v["authority_ends"] = s.Fingerprint, s.Trusted.UTC().Format(time.RFC3339)
	}
	return a.print(v, func(w io.Writer) {
		fmt.Fprintf(w, a.t("页面      %s\n证书到期  %s（到期前 30 天自动换新）\n", "pages     %s\nends      %s (replaced 30 days before)\n"), strings.Join(pages, "  "), s.Ends.Local().Format(time.DateOnly))
		if !s.Own {
			return
		}
		fmt.Fprintf(w, a.t("签发机构  自有，到 %s，只能为上面的名字作保\n指纹      %s\n", "authority our own, until %s, for these names alone\nSHA-256   %s\n"), s.Trusted.Local().Format(time.DateOnly), s.Fingerprint)
		if out == "" {
			fmt.Fprintln(w, a.t("写出它：  mulian node cert --out mulian-ca.crt", "write it: mulian node cert --out mulian-ca.crt"))
			return
		}
		fmt.Fprintf(w, a.t(`让一台设备信任它（先核对指纹）：
  Debian/Ubuntu/麒麟  cp %[1]s /usr/local/share/ca-certificates/ && update-ca-certificates
  Linux 上的 Chromium certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n mulian -i %[1]s
  Windows             certutil -addstore Root %[1]s
  macOS               security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain %[1]s
  Firefox             设置 → 隐私与安全 → 证书 → 查看证书 → 证书颁发机构 → 导入
`, `For a device to trust it (compare the fingerprint first):
  Debian, Ubuntu      cp %[1]s /usr/local/share/ca-certificates/ && update-ca-certificates
  Chromium on Linux   certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n mulian -i %[1]s
  Windows             certutil -addstore Root %[1]s
  macOS               security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain %[1]s
  Firefox             Settings, Privacy and security, Certificates, View, Authorities, Import
`), out)
	})
}
