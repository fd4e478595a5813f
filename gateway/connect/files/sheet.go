package files

import (
	"context"

	"mulian/gateway/connect"
)

func (p *part) sheetNames(context.Context) ([]string, error)     { return nil, nil }
func (p *part) sheetColumns(*Declared) ([]connect.Column, error) { return nil, nil }
func (p *part) eachSheetRow(context.Context, *Declared, []int, func(int64, connect.Row) error) error {
	return nil
}
