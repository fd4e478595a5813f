package city

import (
	"bytes"
	"context"
	"encoding/json"

	"mulian/city/content"
	"mulian/gateway/connect"
	"mulian/gateway/deposit"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	consolev1 "mulian/gen/mulian/console/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
)

// returned is what a department gives a person of the demo into his box 还数于民.
const returned = "社会保险参保证明"

// returns has the insurance office lay what its own database has of a person into his box,
// sealed to his vault, once his vault is on the ledger: the same row that others ask him for.
// VaultMissing before; NotFound if the office does not know him.
func (c *City) returns(ctx context.Context, account, number string) (*consolev1.TakeSeatResponse, error) {
	v := &safeboxv1.Vault{}
	ok, err := c.chain.Get(ctx, "safebox/vault/"+account, v)
	if err == nil && !ok {
		err = fault.Newf(fault.VaultMissing, "%.100s has no vault yet", account)
	}
	if err != nil {
		return nil, err
	}
	office, e := content.Find("人力社保局"), &cataloguev1.Entry{}
	if err := c.get(ctx, "catalogue/entry/"+office.Entry(personEntry).Id, e); err != nil {
		return nil, err
	}
	raw, err := c.rowOf(ctx, office, e, number)
	if err != nil {
		return nil, err
	}
	_, err = c.gateways[office.Short].Deposits().Deposit(ctx, deposit.Item{
		Owner: account, Schema: "social-insurance/1", Title: returned, MediaType: "application/json", Entry: e.Id, Content: bytes.NewReader(raw),
	})
	return &consolev1.TakeSeatResponse{Account: account}, err
}

// rowOf reads the row of a number, as a JSON object with the items' names.
func (c *City) rowOf(ctx context.Context, d *content.Department, e *cataloguev1.Entry, number string) ([]byte, error) {
	db, err := c.open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(ctx, connect.Selection{
		Table: connect.TableName{Name: "insured_persons"}, Columns: columnsOf(e), Limit: 1,
		Where: []connect.Condition{{Column: "id_number", Op: connect.OpIn, Values: []connect.Value{{Kind: connect.Text, Text: number}}}},
	})
	if err == nil && len(rows) == 0 {
		err = fault.Newf(fault.NotFound, "%s has no such person", d.Short)
	}
	if err != nil {
		return nil, err
	}
	said := map[string]string{}
	for i, it := range e.GetItems() {
		said[it.GetName()] = rows[0][i].Text
	}
	return json.Marshal(said)
}
