package credential_test

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
	"mulian/rules/credential"
	"mulian/rules/rulestest"
)

// copyOf is the n-th annotated copy.
func (w *town) copyOf(n int) *credentialv1.AnnotatedCopy {
	return &credentialv1.AnnotatedCopy{
		Id: fmt.Sprintf("%032x", n), Commitment: hash(fmt.Sprint("copy", n)), MacHash: hash(fmt.Sprint("mac", n)), RecipientHash: hash(fmt.Sprint("to", n)),
		Credential: hash(fmt.Sprint("credential", n))[:16], ExpiresMs: w.Now + 30*rulestest.Day,
	}
}

func record(cs ...*credentialv1.AnnotatedCopy) *credentialv1.RecordCopies {
	return &credentialv1.RecordCopies{Copies: cs}
}

// TestLifeOfACopy: recorded once, said twice, ended by its maker only, for good.
func TestLifeOfACopy(t *testing.T) {
	w := newTown(t)
	c := w.copyOf(1)
	id := w.Must(w.ProviderGateway, record(c))[0]
	w.WantEvent("credential/copy", "", credential.CopyKey(id))
	w.Must(w.ProviderGateway, record(c))
	w.WantSilence()
	w.Want(fault.AlreadyExists, w.Consumer, record(c)) // somebody else's
	changed := proto.CloneOf(c)
	changed.RecipientHash = hash("another")
	w.Want(fault.AlreadyExists, w.ProviderGateway, record(changed))
	got, ok := credential.FindCopy(w.View(), id)
	if !ok || got.Maker != w.ProviderGateway || got.State != credentialv1.CopyState_COPY_STATE_MADE || got.MadeMs == 0 {
		t.Fatalf("%v", got)
	}
	w.Want(fault.Forbidden, w.Consumer, &credentialv1.EndCopies{Ids: []string{id}})
	w.Want(fault.NotFound, w.ProviderGateway, &credentialv1.EndCopies{Ids: []string{id, strings.Repeat("f", 32)}})
	if got, _ := credential.FindCopy(w.View(), id); got.EndedMs != 0 {
		t.Error("a part of a refused message was carried out")
	}
	w.Must(w.ProviderGateway, &credentialv1.EndCopies{Ids: []string{id}})
	w.WantEvent("credential/end_copy", "", credential.CopyKey(id))
	w.Must(w.ProviderGateway, &credentialv1.EndCopies{Ids: []string{id}})
	w.WantSilence()
	w.Must(w.ProviderGateway, record(c)) // the answer was lost, and meanwhile it was ended
	if got, _ := credential.FindCopy(w.View(), id); got.State != credentialv1.CopyState_COPY_STATE_ENDED {
		t.Error("an ended copy came back")
	}
}

// TestACopyThatIsOverIsDropped: for 30 days its record says when it ended, then it is gone, was
// it ended before or not; one that still holds stays.
func TestACopyThatIsOverIsDropped(t *testing.T) {
	w := newTown(t)
	first, second, long := w.copyOf(1), w.copyOf(2), w.copyOf(3)
	long.ExpiresMs += rulestest.Day
	w.Must(w.ProviderGateway, record(first, second, long))
	w.Must(w.ProviderGateway, &credentialv1.EndCopies{Ids: []string{second.Id}})
	there := func(when string, want ...bool) {
		t.Helper()
		for i, c := range []*credentialv1.AnnotatedCopy{first, second, long} {
			if _, ok := credential.FindCopy(w.View(), c.Id); ok != want[i] {
				t.Errorf("%s: copy %d is there: %v", when, i+1, ok)
			}
		}
	}
	w.Wait(first.ExpiresMs + 30*rulestest.Day - 1 - w.Now)
	there("30 days after", true, true, true)
	w.Wait(1)
	there("and a moment", false, false, true)
	w.Wait(rulestest.Day)
	there("a day later", false, false, false)
	w.Want(fault.NotFound, w.ProviderGateway, &credentialv1.EndCopies{Ids: []string{first.Id}})
}

// TestWhatIsNoCopy walks the checks.
func TestWhatIsNoCopy(t *testing.T) {
	w := newTown(t)
	for name, x := range map[string]struct {
		change func(*credentialv1.AnnotatedCopy)
		want   fault.Code
	}{
		"an id in capitals":    {func(c *credentialv1.AnnotatedCopy) { c.Id = strings.Repeat("A", 32) }, fault.Malformed},
		"a short id":           {func(c *credentialv1.AnnotatedCopy) { c.Id = "01" }, fault.Malformed},
		"no commitment":        {func(c *credentialv1.AnnotatedCopy) { c.Commitment = nil }, fault.Missing},
		"a short hash":         {func(c *credentialv1.AnnotatedCopy) { c.MacHash = c.MacHash[:31] }, fault.Malformed},
		"no recipient":         {func(c *credentialv1.AnnotatedCopy) { c.RecipientHash = nil }, fault.Missing},
		"another pad":          {func(c *credentialv1.AnnotatedCopy) { c.Credential = hash("x") }, fault.Malformed},
		"set by the ledger":    {func(c *credentialv1.AnnotatedCopy) { c.Maker = w.Provider }, fault.Malformed},
		"an end in the past":   {func(c *credentialv1.AnnotatedCopy) { c.ExpiresMs = w.Now - 1 }, fault.OutOfRange},
		"an end in two years":  {func(c *credentialv1.AnnotatedCopy) { c.ExpiresMs = w.Now + 800*rulestest.Day }, fault.OutOfRange},
		"no end":               {func(c *credentialv1.AnnotatedCopy) { c.ExpiresMs = 0 }, fault.OutOfRange},
		"a state of its maker": {func(c *credentialv1.AnnotatedCopy) { c.State = credentialv1.CopyState_COPY_STATE_ENDED }, fault.Malformed},
	} {
		c := w.copyOf(2)
		x.change(c)
		t.Run(name, func(*testing.T) { w.Want(x.want, w.ProviderGateway, record(c)) })
	}
	w.Want(fault.Empty, w.ProviderGateway, record())
	w.Want(fault.Empty, w.ProviderGateway, &credentialv1.EndCopies{})
	many := make([]*credentialv1.AnnotatedCopy, credential.MaxItems+1)
	for i := range many {
		many[i] = w.copyOf(100 + i)
	}
	w.Want(fault.TooLong, w.ProviderGateway, record(many...))
}
