package code

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
)

// entries reads a catalogue of the shared data set: JSON objects one after another.
func entries[T any](t *testing.T, path string) (all []T) {
	t.Helper()
	for d := json.NewDecoder(shared(t, path)); ; {
		var e T
		if err := d.Decode(&e); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
}

// TestRealCycles reads 更新频率 and 开放状态 of 5,411 published entries of Guangxi.
func TestRealCycles(t *testing.T) {
	count := map[UpdateCycle]int{}
	for _, e := range entries[struct{ Info map[string]string }](t, "catalogues/cn/guangxi_catalogue_2021.json") {
		if v, err := OpenTypes.Parse(e.Info["开放状态"]); err != nil || v != OpenUnconditional {
			t.Fatalf("%q: %v, %v", e.Info["开放状态"], v, err)
		}
		text, stated := e.Info["更新频率"]
		v, err := UpdateCycles.Parse(text)
		if (err == nil) != stated {
			t.Fatalf("%q: %v", text, err)
		}
		count[v]++
	}
	// Counted by another program over the texts.
	for v, want := range map[UpdateCycle]int{0: 3079, Yearly: 1321, Monthly: 305, RealTime: 254, Quarterly: 124, HalfYearly: 110, Daily: 91, Irregular: 71, Weekly: 56} {
		if count[v] != want {
			t.Errorf("%d entries with %q, want %d", count[v], v, want)
		}
	}
}

// TestRealFormats reads 资源类型 of 1,130 entries of Beijing, some with tabs behind.
func TestRealFormats(t *testing.T) {
	count := map[GuideFormat]int{}
	for _, e := range entries[struct{ Info string }](t, "catalogues/cn/beijing_catalogue_2021.json") {
		_, text, stated := strings.Cut(e.Info, "资源类型\t")
		text, _, _ = strings.Cut(text, "#")
		text, _, _ = strings.Cut(text, "\n")
		v, err := GuideFormats.Parse(text)
		if (err == nil) != stated {
			t.Fatalf("%q: %v", text, err)
		}
		count[v]++
	}
	if count[GuideSheet] != 654 || count[GuideDocument] != 269 || count[0] != 207 {
		t.Errorf("counted %v, want 654 sheets, 269 documents, 207 without", count)
	}
}
