package browsertest

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"

	"github.com/chromedp/chromedp"
)

// Host is a name that a browser finds without DNS, and whose certificate it believes.
type Host struct {
	Name    string // with the port that pages have: "mulian.example.cn:8443"
	Address string // where it is: "127.0.0.1:41234"
	// Certificate is that of the server; nil: the browser believes what its device believes.
	Certificate *x509.Certificate
}

// flags are how Chromium is told of a host.
func (h Host) flags() []chromedp.ExecAllocatorOption {
	out := []chromedp.ExecAllocatorOption{chromedp.Flag("host-resolver-rules", "MAP "+h.Name+" "+h.Address)}
	if h.Certificate != nil {
		sum := sha256.Sum256(h.Certificate.RawSubjectPublicKeyInfo)
		out = append(out, chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(sum[:])))
	}
	return out
}
