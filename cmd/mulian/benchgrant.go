package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
)

func (a *app) benchGrantCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "grant",
		Short: a.t("授权：每秒落链的通行密钥签名授权数、网关核对一次授权的时间、凭证签发出示验证的时间", "grant: grants signed by passkeys a second, the check of one at a gateway, and issuing, showing and verifying a credential"),
		Long: a.t(`256 名虚构的人各有一把通行密钥（WebAuthn，P-256），答复账本上真实的用数请求（grant/give_grant），每把密钥签多次；
签名在计时前完成，节点独占一个进程。核对时间：供方网关从收到请求到把使用记录发往账本为止（不含等待出块），每个授权只用一次。
凭证为 SD-JWT VC，ES256 与其 SM2 孪生各测一遍。--seconds 是饱和阶段和每秒 500 笔阶段各自的秒数。`,
			`256 persons who do not exist, with a passkey each (WebAuthn, P-256), answer real requests on the ledger (grant/give_grant);
each key signs many times. They are signed before the clock starts, and the node is a process of its own. The check: at the
provider's gateway from the arrival of a request until the record of the use goes to the ledger (the wait for its block is not
in it), each grant used once. The credential is an SD-JWT VC, with ES256 and as its SM2 twin. --seconds is how long each of two
phases lasts: saturated, and 500 a second.`),
		Example: "  mulian bench grant\n  mulian bench grant --seconds 3 --json",
		Args:    exactly(0),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.measure(cmd.Context(), &o, bench.Grant) },
	}
	a.benchFlags(c, &o, 10)
	return c
}
