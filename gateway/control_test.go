package gateway_test

import (
	"os"
	"path/filepath"
	"testing"

	rpc "connectrpc.com/connect"

	"mulian/gateway"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// TestControlSocket: the department's own people query and fetch through the file in
// the gateway's home, and only who may open that file.
func TestControlSocket(t *testing.T) {
	w := newTown(t)
	w.makePermits(3000)
	door := w.open(w.planningConfig())
	cfg := w.waterConfig()
	w.open(cfg)
	w.publish(door)
	ctx := t.Context()
	ctl := gateway.Control(cfg.Home)
	w.eventually("the socket is there", func() bool {
		_, err := ctl.State(ctx, rpc.NewRequest(&gatewayv1.StateRequest{}))
		return err == nil
	})
	st, err := os.Stat(filepath.Join(cfg.Home, gateway.ControlSocket))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v, %v", st, err)
	}

	// The entry is that of the agreement; a receipt comes with the rows.
	asked, err := ctl.Ask(ctx, rpc.NewRequest(&gatewayv1.AskRequest{Agreement: w.agree(byQuery, nil), Where: []*gatewayv1.KeyValue{no("P0000042")}}))
	if err != nil || len(asked.Msg.GetRows()) != 1 || asked.Msg.GetRows()[0].GetValues()[0].GetText() != "P0000042" || len(asked.Msg.GetReceipt().GetConsumerSignature()) == 0 {
		t.Fatalf("ask: %v, %v", asked, err)
	}

	stream, err := ctl.Fetch(ctx, rpc.NewRequest(&gatewayv1.FetchRequest{Agreement: w.agree(byBatch, nil), Into: "copy"}))
	if err != nil {
		t.Fatal(err)
	}
	var last *gatewayv1.FetchResponse
	for stream.Receive() {
		last = stream.Msg()
	}
	if stream.Err() != nil || !last.GetDone() || last.GetRows() != 3000 || last.GetTable() != "copy" {
		t.Fatalf("fetch: %v, %v", last, stream.Err())
	}
	w.equal("SELECT no, project, area, issued FROM permit ORDER BY no", "SELECT permit_no, project, area, issued FROM copy ORDER BY permit_no")

	_, err = ctl.Ask(ctx, rpc.NewRequest(&gatewayv1.AskRequest{Agreement: "ffffffffffffffff"}))
	if got := fault.CodeOf(wire.Fault(err)); got != fault.NotFound {
		t.Errorf("no such agreement: %v", got)
	}
	_, err = gateway.Control(t.TempDir()).State(ctx, rpc.NewRequest(&gatewayv1.StateRequest{}))
	if got := fault.CodeOf(wire.Fault(err)); got != fault.Unreachable {
		t.Errorf("no gateway there: %v", got)
	}
}
