package main

import (
	"os"
	"strings"
	"testing"
)

// TestJoinRunbookQuotesItsScript: each command that join.md shows stands in join.sh, which
// the story "fifth" runs.
func TestJoinRunbookQuotesItsScript(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbooks/join.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("../../docs/runbooks/join.sh")
	if err != nil {
		t.Fatal(err)
	}
	commands := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    mulian ")
		if !ok {
			continue
		}
		commands++
		if command = strings.TrimSpace(command); !strings.Contains(string(script), " "+command) {
			t.Errorf("join.md says: mulian %s; join.sh does not", command)
		}
	}
	if commands < 9 {
		t.Errorf("%d commands were found", commands)
	}
}

// TestCounterRunbookIsTheStory: each command that counter.md shows stands in the story
// "counter", which runs it.
func TestCounterRunbookIsTheStory(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbooks/counter.md")
	if err != nil {
		t.Fatal(err)
	}
	story, err := os.ReadFile("testdata/script/counter.txtar")
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.NewReplacer(" --json", "", "'", "").Replace(string(story))
	commands := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(line, "    mulian ")
		if !ok {
			continue
		}
		commands++
		if command = strings.TrimSpace(command); !strings.Contains(plain, "mulian "+command) {
			t.Errorf("counter.md says: mulian %s; the story does not", command)
		}
	}
	if commands < 14 {
		t.Errorf("%d commands were found", commands)
	}
}
