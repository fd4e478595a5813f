package deliver

import (
	"errors"
	"fmt"

	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// maxOver bounds the deliveries whose end is remembered with its words; of the others the
// log has the code.
const maxOver = 1024

// over is how a delivery ended that was not delivered.
type over struct {
	asker, entry, requestKey string
	cause                    error
}

// remember keeps why a session ended.
func (p *Provider) remember(o offer, cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over == nil || len(p.over) >= maxOver {
		p.over = map[sessionKey]over{}
	}
	p.over[sessionKey{o.Agreement, o.Number}] = over{asker: o.Asker, entry: o.Entry, requestKey: o.RequestKey, cause: cause}
}

// why tells the receiver of a delivery that is not open why it is not; NotFound if it
// never was, has been taken, or was another's.
func (p *Provider) why(k sessionKey, asker string) error {
	p.mu.Lock()
	past, has := p.over[k]
	p.mu.Unlock()
	if has && past.asker == asker {
		return ended(k, past.cause)
	}
	if p.looks.allow("why " + asker) {
		e, found, err := p.logged(k.agreement, k.number, tracev1.Outcome_OUTCOME_FAILED)
		if err == nil && found && e.Record.GetAsker() == asker {
			return ended(k, fault.Newf(fault.Code(e.Record.GetCode()), "record %d of the access log says so", e.Index))
		}
	}
	return fault.Newf(fault.NotFound, "delivery %d of agreement %.40q is not open here", k.number, k.agreement)
}

func ended(k sessionKey, cause error) error {
	why := ""
	if f, ok := errors.AsType[*fault.Fault](cause); ok {
		why = ": " + f.Text
	}
	return &fault.Fault{Code: fault.CodeOf(cause), Text: fmt.Sprintf("delivery %d of agreement %s has failed%s", k.number, k.agreement, why), Err: cause}
}

// failedBefore is why the delivery that this request opened before has failed, if it would
// fail again: its answer may have been lost. Nil if there was none, or the reason passes.
func (p *Provider) failedBefore(c claim, asker, requestKey string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, past := range p.over {
		if k.agreement != c.agreement || past.entry != c.entry || past.asker != asker || past.requestKey != requestKey {
			continue
		}
		switch code := fault.CodeOf(past.cause); {
		case passing(past.cause), code == fault.Expired, code == fault.Cancelled, code == fault.Internal:
		default:
			return ended(k, past.cause)
		}
	}
	return nil
}
