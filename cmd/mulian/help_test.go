package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/protobuf/reflect/protoreflect"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/code"
)

// tree is the whole command line in a language.
func tree(lang string) *cobra.Command {
	a := &app{args: []string{"--lang", lang}, out: new(bytes.Buffer), err: new(bytes.Buffer)}
	return a.root()
}

func each(c *cobra.Command, fn func(*cobra.Command)) {
	fn(c)
	for _, sub := range c.Commands() {
		each(sub, fn)
	}
}

var han = regexp.MustCompile(`\p{Han}`)

// TestEveryCommandIsExplained: each command has an example that names it, and each
// command and flag is explained in both languages.
func TestEveryCommandIsExplained(t *testing.T) {
	zh, en := map[string]string{}, map[string]string{}
	collect := func(into map[string]string) func(*cobra.Command) {
		return func(c *cobra.Command) {
			into[c.CommandPath()] = c.Short
			c.Flags().VisitAll(func(f *pflag.Flag) { into[c.CommandPath()+" --"+f.Name] = f.Usage })
			c.PersistentFlags().VisitAll(func(f *pflag.Flag) { into[c.CommandPath()+" --"+f.Name] = f.Usage })
		}
	}
	each(tree("zh"), collect(zh))
	each(tree("en"), collect(en))
	if len(zh) < 150 || len(zh) != len(en) {
		t.Fatalf("%d texts in Chinese, %d in English", len(zh), len(en))
	}
	for name := range zh {
		if strings.HasSuffix(name, " --version") {
			continue // a word of cobra's own
		}
		if !han.MatchString(zh[name]) || en[name] == "" || en[name] == zh[name] {
			t.Errorf("%s: %q, %q", name, zh[name], en[name])
		}
	}
	each(tree("en"), func(c *cobra.Command) {
		switch {
		case !names(c.Example, c.CommandPath()) && c.HasParent() && !c.HasSubCommands():
			t.Errorf("%s: no example of it", c.CommandPath())
		case strings.TrimSpace(c.Example) == "":
			t.Errorf("%s: no example", c.CommandPath())
		}
	})
}

// names reports whether an example has a command, be it behind the -- of another.
func names(example, path string) bool {
	return strings.Contains(example, path) || strings.Contains(example, " -- "+strings.TrimPrefix(path, "mulian "))
}

// TestExamplesCanBeTyped: each line of an example is a command that is there, with
// flags that are there, and codes of organisations that our own check takes.
func TestExamplesCanBeTyped(t *testing.T) {
	credit := regexp.MustCompile(`\b[0-9A-Z]{18}\b`)
	each(tree("en"), func(c *cobra.Command) {
		for _, org := range credit.FindAllString(c.Example+c.Long, -1) {
			if err := code.CheckUSCC(org); err != nil {
				t.Errorf("%s: the example's %s: %v", c.CommandPath(), org, err)
			}
		}
		for _, line := range strings.Split(strings.ReplaceAll(c.Example, "\\\n", " "), "\n") {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
			line, behind, two := strings.Cut(line, " -- ") // behind it: another command
			words := strings.Fields(line)
			if len(words) == 0 || words[0] != "mulian" {
				continue
			}
			typed(t, c.CommandPath(), words[1:])
			if two {
				typed(t, c.CommandPath(), strings.Fields(behind))
			}
		}
	})
}

// typed fails if words are no command, or have a flag that it has not.
func typed(t *testing.T, at string, words []string) {
	t.Helper()
	found, rest, err := tree("en").Find(words)
	if err != nil {
		t.Errorf("%s: %q: %v", at, words, err)
		return
	}
	for _, w := range rest {
		if name, isFlag := strings.CutPrefix(w, "--"); isFlag {
			name, _, _ = strings.Cut(name, "=")
			if found.Flags().Lookup(name) == nil && found.InheritedFlags().Lookup(name) == nil {
				t.Errorf("%s: %q: no flag --%s", at, words, name)
			}
		}
	}
}

// TestEveryStateHasItsWord: what a table shows is a word in both languages.
func TestEveryStateHasItsWord(t *testing.T) {
	zh := &app{lang: "zh"}
	for _, e := range []protoreflect.EnumDescriptor{
		identityv1.AccountState(0).Descriptor(), identityv1.KeyState(0).Descriptor(), identityv1.KeyLevel(0).Descriptor(), identityv1.KeyAlgorithm(0).Descriptor(),
		cataloguev1.EntryState(0).Descriptor(), cataloguev1.ItemState(0).Descriptor(), cataloguev1.ShareType(0).Descriptor(), cataloguev1.UpdateCycle(0).Descriptor(),
		cataloguev1.DriftClass(0).Descriptor(), cataloguev1.Settlement(0).Descriptor(),
		sharev1.RequestState(0).Descriptor(), sharev1.AgreementState(0).Descriptor(), sharev1.DeliveryState(0).Descriptor(), governancev1.Clock(0).Descriptor(),
		sharev1.AmendmentKind(0).Descriptor(), sharev1.AmendmentState(0).Descriptor(), sharev1.ViolationState(0).Descriptor(), sharev1.DisposalMethod(0).Descriptor(),
		sharev1.CorrectionState(0).Descriptor(), sharev1.ObjectionKind(0).Descriptor(), sharev1.ObjectionState(0).Descriptor(),
		sharev1.DisputeLevel(0).Descriptor(), sharev1.DisputeState(0).Descriptor(),
		governancev1.Role(0).Descriptor(), governancev1.ProposalState(0).Descriptor(),
		identityv1.ProofingMethod(0).Descriptor(), identityv1.ProofingLevel(0).Descriptor(), identityv1.ProofingState(0).Descriptor(),
		recoveryv1.RecoveryPath(0).Descriptor(), recoveryv1.RecoveryState(0).Descriptor(), recoveryv1.FaceResult(0).Descriptor(),
		mandatev1.MandateKind(0).Descriptor(), mandatev1.MandateState(0).Descriptor(), mandatev1.MandateAct(0).Descriptor(), mandatev1.SuspensionKind(0).Descriptor(),
		grantv1.ConsentKind(0).Descriptor(), grantv1.GrantBasis(0).Descriptor(), grantv1.GrantMode(0).Descriptor(), grantv1.GrantKind(0).Descriptor(),
		grantv1.IntendedUseState(0).Descriptor(), grantv1.DataRequestState(0).Descriptor(), grantv1.DeclineCause(0).Descriptor(), grantv1.GrantState(0).Descriptor(),
		grantv1.GrantUseOutcome(0).Descriptor(), grantv1.DeletionDutyState(0).Descriptor(), grantv1.ExemptionBasis(0).Descriptor(),
		credentialv1.CredentialState(0).Descriptor(), credentialv1.StatusCause(0).Descriptor(), ereceiptv1.EReceiptState(0).Descriptor(),
		safeboxv1.UnlockerKind(0).Descriptor(), safeboxv1.ItemOrigin(0).Descriptor(), safeboxv1.ItemState(0).Descriptor(), safeboxv1.ErasureBasis(0).Descriptor(),
		safeboxv1.TransferKind(0).Descriptor(), safeboxv1.TransferState(0).Descriptor(),
	} {
		for i := range e.Values().Len() {
			v := e.Values().Get(i)
			if _, ok := words[v.Name()]; !ok && v.Number() != 0 {
				t.Errorf("%s has no Chinese word", v.Name())
			}
		}
	}
	if got := zh.word(sharev1.RequestState_REQUEST_STATE_RECEIVED); got != "待答复" {
		t.Errorf("received is %q", got)
	}
	if got := (&app{lang: "en"}).word(governancev1.Clock_CLOCK_ANSWER_CONDITIONAL); got != "answer conditional" {
		t.Errorf("the clock is %q", got)
	}
	if got := zh.word(sharev1.RequestState(99)); got != "?" {
		t.Errorf("a state of the future is %q", got)
	}
}

// TestColumnsStandInLine: Chinese and Latin cells give equal columns on a terminal.
func TestColumnsStandInLine(t *testing.T) {
	var b bytes.Buffer
	table(&b, [][]string{{"目录", "NAME"}, {"ab", "x"}, {"规划许可证", ""}})
	want := "目录        NAME\nab          x\n规划许可证\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}
