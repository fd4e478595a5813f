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

// TestRecoveryRunbookIsTyped: each command that recovery.md shows is typed by the story
// "recovery", and what it says of codes is what the program says.
func TestRecoveryRunbookIsTyped(t *testing.T) {
	text, err := os.ReadFile("../../docs/runbooks/recovery.md")
	if err != nil {
		t.Fatal(err)
	}
	story, err := os.ReadFile("testdata/script/recovery.txtar")
	if err != nil {
		t.Fatal(err)
	}
	commands, codes := 0, 0
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(strings.TrimSpace(line), "mulian "); ok && strings.HasPrefix(line, "    ") {
			commands++
			if !strings.Contains(string(story), " mulian "+command+"\n") {
				t.Errorf("recovery.md says: mulian %s; the story does not", command)
			}
		}
		if code, ok := strings.CutPrefix(line, "| MUL-"); ok {
			codes++
			if code, _, _ = strings.Cut(code, " "); !strings.Contains(string(story), "stderr MUL-"+code) {
				t.Errorf("recovery.md explains MUL-%s, which the story does not meet", code)
			}
		}
	}
	if commands < 15 || codes < 6 {
		t.Errorf("%d commands and %d codes were found", commands, codes)
	}
}
