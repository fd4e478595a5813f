package server

import (
	"context"
	"encoding/hex"
	"net/http"
	"strings"

	"connectrpc.com/connect"

	"mulian/client/annotated"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/index"
	"mulian/internal/fault"
)

// copyContent is what the public page says of an annotated copy 加注件. With the code of the
// paper it says whether the copy holds; with the id of its record, that there is one.
type copyContent struct {
	Open            bool // the code was given, and its letters are right
	Why, Fix        string
	Type, Issuer    string
	Maker           string // of an organisation; persons have none here
	MadeMs, EndsMs  int64
	EndedMs         int64
	Presenter       string
	RecipientLooked bool
}

// copyQuery takes what the form of the page asks: the code that is printed, and who shows it.
func (c *publicContent) copyQuery(r *http.Request) {
	q := r.URL.Query()
	if code := strings.TrimSpace(q.Get("code")); c.ID == "" && code != "" {
		c.ID = code
	}
	c.presenter = strings.TrimSpace(q.Get("presenter"))
}

// lookCopy finds the annotated copy of a printed code or of a record's id. Whoever has a code
// has the paper: it is asked by a person at a window, and the server learns the code by it.
func (s *Server) lookCopy(ctx context.Context, c *publicContent) (found bool, err error) {
	api := credentialAPI{s}
	if len(c.ID) == 2*16 {
		if _, err := hex.DecodeString(c.ID); err != nil {
			return false, nil
		}
		record, err := api.copy(ctx, c.ID)
		if fault.Is(err, fault.NotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		c.Key, c.Kind, c.Copy = index.AnnotatedCopy+c.ID, c.T("加注件", "annotated copy"), &copyContent{MadeMs: record.GetMadeMs(), EndsMs: record.GetExpiresMs(), EndedMs: record.GetEndedMs()}
		c.Bad = record.GetState() != credentialv1.CopyState_COPY_STATE_MADE || c.TimeMs >= record.GetExpiresMs()
		return true, nil
	}
	if _, err := annotated.ParseCode(c.ID); err != nil || len(c.presenter) > maxKey {
		return false, nil
	}
	res, err := api.CheckCopy(ctx, connect.NewRequest(&credentialv1.CheckCopyRequest{Code: c.ID, Presenter: c.presenter}))
	if connect.CodeOf(err) == connect.CodeNotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	c.tellCopy(res.Msg)
	return true, nil
}

// tellCopy puts the answer into the page's words.
func (c *publicContent) tellCopy(m *credentialv1.CheckCopyResponse) {
	x := &copyContent{Open: m.GetCopy() != nil, Type: m.GetTypeName(), Issuer: m.GetIssuerName(), Maker: m.GetMakerName(), Presenter: c.presenter, RecipientLooked: m.GetRecipientChecked()}
	x.MadeMs, x.EndsMs, x.EndedMs = m.GetCopy().GetMadeMs(), m.GetCopy().GetExpiresMs(), m.GetCopy().GetEndedMs()
	c.Key, c.Kind, c.Copy, c.Bad = index.AnnotatedCopy, c.T("加注件", "annotated copy"), x, m.GetCode() != 0
	if t, ok := fault.Explain(fault.Code(m.GetCode())); ok && c.Bad {
		x.Why, x.Fix, c.State = c.T(t.TitleZh, t.TitleEn), c.T(t.FixZh, t.FixEn), fault.Code(m.GetCode()).String()
	}
}
