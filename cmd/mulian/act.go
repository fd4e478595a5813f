package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/internal/fault"
)

// exactly is cobra.ExactArgs with our usage error.
func exactly(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != n {
			return fault.Newf(fault.Usage, "%s: %d argument(s) wanted, got %d\n  %s", c.UseLine(), n, len(args), strings.TrimSpace(c.Example))
		}
		return nil
	}
}

// atLeast is cobra.MinimumNArgs with our usage error.
func atLeast(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < n {
			return fault.Newf(fault.Usage, "%s: at least %d argument(s) wanted, got %d\n  %s", c.UseLine(), n, len(args), strings.TrimSpace(c.Example))
		}
		return nil
	}
}

// simple signs and sends messages and prints the receipt.
func (a *app) simple(cmd *cobra.Command, messages ...proto.Message) error {
	cl, err := a.client()
	if err != nil {
		return err
	}
	r, err := a.act(cmd.Context(), cl, messages...)
	if err != nil {
		return err
	}
	return a.receipt(r)
}

// receipt prints what the chain answered: the ids that were made, if any. A nil
// receipt is a dry run: the sentences were the answer.
func (a *app) receipt(r *client.Receipt) error {
	if r == nil {
		return nil
	}
	v := map[string]any{"ok": true, "height": r.Height, "tx": hex.EncodeToString(r.TxID[:]), "ids": r.IDs}
	return a.print(v, func(w io.Writer) {
		for _, id := range r.IDs {
			fmt.Fprintln(w, id)
		}
	})
}

// atMost is cobra.MaximumNArgs with our usage error.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return fault.Newf(fault.Usage, "%s: at most %d argument(s) wanted, got %d\n  %s", c.UseLine(), n, len(args), strings.TrimSpace(c.Example))
		}
		return nil
	}
}

// checkAddress refuses what is no host:port to listen on, before anything is opened.
func checkAddress(flag, address string) error {
	_, port, err := net.SplitHostPort(address)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		return fault.Newf(fault.Usage, "%s %q: host:port, port 0 to 65535, like 127.0.0.1:8080", flag, address)
	}
	return nil
}
