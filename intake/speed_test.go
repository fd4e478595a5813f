package intake

import (
	"path/filepath"
	"testing"
)

// BenchmarkReal measures entries judged a second, on real lists: two passes over
// the file, without a node.
func BenchmarkReal(b *testing.B) {
	for _, file := range []string{
		"catalogues/tw/data_gov_tw_list_2018.csv",
		"catalogues/jp/tokyo_ckan_packages_2021.jsonl.gz",
	} {
		b.Run(filepath.Base(file), func(b *testing.B) {
			path, entries := shared(b, file), 0
			b.ReportAllocs()
			for b.Loop() {
				_, r, err := MakePlan(b.Context(), path, Options{})
				if err != nil {
					b.Fatal(err)
				}
				entries += r.Entries
			}
			b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
