// Command mulian is the one binary of the house: a city in one process (demo), a
// member's node, a department's gateway, and every act of a steward, data user,
// auditor or operator on the command line.
//
// Here are only flags, wiring and exit statuses; what the commands do stands in
// the packages that they call.
//
//	mulian NOUN VERB [flags] ID
//
// stdout carries the answer (text for people, --json for programs), stderr the
// rest. Exit status: 0 ok, 1 failed, 2 usage, 3 not found, 4 denied, 5 rejected by
// the chain, 6 unreachable or timeout, 7 verification failed,
// 8 a newer program is needed (spec: docs/cli.md).
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the build: -ldflags "-X main.version=v1.2.3".
var version = "v0.1.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends at once what does not listen
	code := Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
