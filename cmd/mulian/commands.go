package main

import "github.com/spf13/cobra"

// commands are the nouns, in the order of the help.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.keyCommand(),
		a.orgCommand(),
		a.shareCommand(),
		a.traceCommand(),
		a.statusCommand(),
	}
}
