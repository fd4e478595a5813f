package dsp

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// rows answers GET on a transfer's endpoint: one JSON object a line, of the rows whose
// items have the values in the query: ?no=P0000042. "$limit" bounds them (1 if it is
// absent), "$items" names fewer items than agreed. It is an ordinary query of the
// participant's gateway under the agreement, and refused like one.
func (f *Facade) rows(w http.ResponseWriter, r *http.Request) error {
	t, ok := recall(f.journal, f.transferring().kept, r.PathValue("pid"))
	var want secret
	copy(want[:], t.Token)
	if !want.is(bearer(r)) || !ok || len(t.Token) != len(want) {
		return fault.Newf(fault.BadAuthorisation, "the token is not the one of this transfer's last start")
	}
	p := f.participants[t.Participant]
	switch {
	case p == nil:
		return fault.Newf(fault.NotWhitelisted, "the connector is not served any more")
	case t.State != Started:
		return pidError{t.Pid, t.ConsumerPid, fault.Newf(fault.AgreementSuspended, "the transfer is %s", t.State)}
	case time.Now().UnixMilli() >= t.ExpiresMs:
		return fault.Newf(fault.Expired, "the token has ended: request another transfer")
	}
	ask, err := readAsk(r)
	if err != nil {
		return pidError{t.Pid, t.ConsumerPid, err}
	}
	var res *deliver.Result
	err = p.turn(func() (err error) {
		res, err = p.asker.Query(r.Context(), t.Agreement, t.Entry, ask.items, ask.limit, ask.where...)
		return err
	})
	if err != nil {
		return pidError{t.Pid, t.ConsumerPid, err}
	}
	w.Header().Set("Content-Type", "application/x-ndjson; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	return writeRows(w, res)
}

// ask is what the address of a reading says.
type ask struct {
	items []string
	limit uint32
	where []*gatewayv1.KeyValue
}

func readAsk(r *http.Request) (a ask, err error) {
	q := r.URL.Query()
	for _, item := range slices.Sorted(maps.Keys(q)) {
		values := q[item]
		switch {
		case len(values) != 1:
			return a, fault.Newf(fault.Malformed, "%.60q stands %d times", item, len(values))
		case item == "$limit":
			n, err := strconv.ParseUint(values[0], 10, 32)
			if err != nil || n == 0 || n > maxRows {
				return a, fault.Newf(fault.OutOfRange, "$limit is 1 to %d", maxRows)
			}
			a.limit = uint32(n)
		case item == "$items":
			a.items = strings.Split(values[0], ",")
		default:
			a.where = append(a.where, &gatewayv1.KeyValue{Item: item, Value: values[0]})
		}
	}
	if len(a.where) > maxWhere {
		return a, fault.Newf(fault.TooLong, "%d conditions, at most %d", len(a.where), maxWhere)
	}
	return a, nil
}

// writeRows writes the rows, items in the order of the answer.
func writeRows(w http.ResponseWriter, res *deliver.Result) error {
	out := bufio.NewWriter(w)
	names := make([][]byte, len(res.Columns))
	for i, c := range res.Columns {
		names[i], _ = json.Marshal(c.GetItem()) // a string
	}
	for _, row := range res.Rows {
		for i, v := range row {
			if i == 0 {
				out.WriteByte('{')
			} else {
				out.WriteByte(',')
			}
			out.Write(names[i])
			out.WriteByte(':')
			out.Write(jsonValue(v))
		}
		out.WriteString("}\n")
	}
	return out.Flush()
}

// jsonValue writes a value so that nothing is lost: integers as numbers, decimals and
// all that JSON has no type for as their canonical text.
func jsonValue(v connect.Value) []byte {
	switch {
	case v.IsNull():
		return []byte("null")
	case v.Kind == connect.Integer, v.Kind == connect.Boolean, v.Kind == connect.JSON:
		if json.Valid([]byte(v.Text)) {
			return []byte(strings.ReplaceAll(v.Text, "\n", " ")) // a line break stands between values only
		}
	case v.Kind == connect.Bytes:
		return []byte(`"` + base64.StdEncoding.EncodeToString([]byte(v.Text)) + `"`)
	}
	b, _ := json.Marshal(v.Text) // a string
	return b
}
