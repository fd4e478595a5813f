package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"

	"google.golang.org/protobuf/proto"

	"mulian/client/opmon"
	"mulian/client/prooffile"
	identityv1 "mulian/gen/mulian/identity/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// exportOpmon writes the records of a gateway's published log from number from on as
// X-Road's operational data, one in JSON on each line. No file named: to stdout.
func (a *app) exportOpmon(ctx context.Context, gateway, out string, from uint64) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	chain, err := cl.ChainID(ctx)
	if err != nil {
		return err
	}
	acc := &identityv1.Account{}
	found, err := cl.Get(ctx, "identity/account/"+gateway, acc)
	if err != nil {
		return err
	}
	if !found || acc.GetGateway().GetUrl() == "" {
		return fault.Newf(fault.NotFound, "there is no gateway %.100q with an address", gateway)
	}
	tiles := prooffile.NewTiles(acc.GetGateway().GetUrl() + "/log/")
	_, size, _, err := tiles.Checkpoint(ctx)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error {
		buf := bufio.NewWriter(w)
		enc := json.NewEncoder(buf)
		enc.SetEscapeHTML(false)
		bar := a.progress(gateway, int(size-min(from, size)))
		defer bar.end()
		for i := from; i < size; {
			leaves, err := tiles.Bundle(ctx, i)
			if err != nil {
				return err
			}
			for _, raw := range leaves {
				r := &tracev1.AccessRecord{}
				if err := proto.Unmarshal(raw, r); err != nil {
					return fault.Wrap(fault.Malformed, err, "record %d of the gateway's log", i)
				}
				if rec, ok := opmon.Of(chain, r); ok && i < size {
					if err := enc.Encode(rec); err != nil {
						return err
					}
				}
				i++
			}
			bar.at(int(i - from))
		}
		return buf.Flush()
	}
	if out == "" {
		return write(a.out)
	}
	return durable.ReplaceWith(out, 0o600, write)
}
