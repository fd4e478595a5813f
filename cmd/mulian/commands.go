package main

import "github.com/spf13/cobra"

// commands are the nouns, in the order of the help.
func (a *app) commands() []*cobra.Command {
	return []*cobra.Command{
		a.demoCommand(),
		a.initCommand(),
		a.joinCommand(),
		a.nodeCommand(),
		a.netCommand(),
		a.serverCommand(),
		a.gatewayCommand(),
		a.sourceCommand(),
		a.statusCommand(),
		a.catalogueCommand(),
		a.reportCommand(),
		a.searchCommand(),
		a.shareCommand(),
		a.ownerCommand(),
		a.counterCommand(),
		a.custodianCommand(),
		a.grantCommand(),
		a.recoveryCommand(),
		a.mandateCommand(),
		a.traceCommand(),
		a.auditCommand(),
		a.evidenceCommand(),
		a.ereceiptCommand(),
		a.credentialCommand(),
		a.depositCommand(),
		a.boxCommand(),
		a.verifyCommand(),
		a.checkpointCommand(),
		a.witnessCommand(),
		a.orgCommand(),
		a.govCommand(),
		a.foreignCommand(),
		a.keyCommand(),
		a.hookCommand(),
		a.doctorCommand(),
		a.logbookCommand(),
		a.benchCommand(),
		a.configCommand(),
		a.explainCommand(),
	}
}
