package sdjwt_test

import (
	"crypto/rand"
	"testing"

	"mulian/internal/sdjwt"
)

// The claim: issue, present and verify take less than a millisecond each.

func BenchmarkIssue(b *testing.B) {
	for _, s := range suites(b) {
		template := deposit(b, s.holder.Public())
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				draft, err := sdjwt.Prepare(template, rand.Reader)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := draft.Sign(sdjwt.Header{KeyID: "1"}, s.issuer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkPresent(b *testing.B) {
	for _, s := range suites(b) {
		issued := issue(b, s)
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				present(b, s, issued.Text, request, path{"balance_fen"}, path{"over", "12"})
			}
			b.ReportMetric(float64(len(issued.Text)), "issued-bytes")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, s := range suites(b) {
		text := present(b, s, issue(b, s).Text, request, path{"balance_fen"}, path{"over", "12"})
		p := policy(s)
		b.Run(s.name, func(b *testing.B) {
			for b.Loop() {
				if _, err := sdjwt.Verify(b.Context(), text, p); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(text)), "shown-bytes")
		})
	}
}
