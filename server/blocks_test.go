package server_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
)

// TestBlocksOfLongTransactions: a list tells the first sentences of a transaction and all of
// its verbs, the transaction's own page all.
func TestBlocksOfLongTransactions(t *testing.T) {
	m := start(t)
	var messages []proto.Message
	for i := range 30 {
		messages = append(messages, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
			Id: m.code + ":long" + strconv.Itoa(i), Org: m.code, Title: "许可", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
		}}})
	}
	if _, err := m.client.Send(t.Context(), m.signer, messages...); err != nil {
		t.Fatal(err)
	}
	c := consolev1connect.NewConsoleServiceClient(http.DefaultClient, m.url)
	blocks, err := c.ListBlocks(t.Context(), connect.NewRequest(&consolev1.ListBlocksRequest{Filled: true, Limit: 1}))
	if err != nil || len(blocks.Msg.GetBlocks()) != 1 || len(blocks.Msg.GetBlocks()[0].GetTransactions()) != 1 {
		t.Fatalf("blocks %v, %v", blocks, err)
	}
	tx := blocks.Msg.GetBlocks()[0].GetTransactions()[0]
	if len(tx.GetLines()) != 20 || len(tx.GetVerbs()) != 30 {
		t.Errorf("%d sentences and %d verbs of 30 messages", len(tx.GetLines()), len(tx.GetVerbs()))
	}
	if i := slices.IndexFunc(tx.GetVerbs(), func(v string) bool { return v != "put_duties" }); i >= 0 {
		t.Errorf("message %d is called %q", i, tx.GetVerbs()[i])
	}
	for account, want := range map[string]int{m.code: 1, "11110000MULN00002P": 0} {
		of, err := c.ListBlocks(t.Context(), connect.NewRequest(&consolev1.ListBlocksRequest{Account: account, Objects: true}))
		if err != nil || len(of.Msg.GetBlocks()) != want {
			t.Fatalf("blocks of %s: %v, %v", account, of, err)
		}
		for _, b := range of.Msg.GetBlocks() {
			if objects := b.GetTransactions()[0].GetObjects(); len(objects) != 8 || objects[0] != "catalogue/duty/"+m.code+":long0" {
				t.Errorf("objects of a long transaction: %v", objects)
			}
		}
	}
	one, err := c.GetTransaction(t.Context(), connect.NewRequest(&consolev1.GetTransactionRequest{TxId: tx.GetTxId()}))
	if err != nil || len(one.Msg.GetTransaction().GetLines()) != 30 {
		t.Errorf("the transaction has %d sentences, %v", len(one.Msg.GetTransaction().GetLines()), err)
	}
}
