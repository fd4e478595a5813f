package main

import (
	"github.com/spf13/cobra"

	"mulian/bench"
	"mulian/internal/fault"
)

func (a *app) benchProofCommand() *cobra.Command {
	var o bench.Options
	c := &cobra.Command{
		Use:   "proof",
		Short: a.t("证明文件：生成、验证多久，文件多大，对照引擎自己验证同一区块头", "proof files: time to make and to verify one, its size, beside the engine's own check of the same header"),
		Long: a.t(`先在一条链上放 --objects 个对象，再逐个为 300 项职责（各自一笔交易）和 300 个目录条目（导入，200 个一笔交易）生成证明
文件（经 HTTP 向成员节点索取，写出前自己先验证），然后离线验证；前三个数字取两类中较差的。另测交易、不存在、双方签名的访问，以及验证节点换过十六次之后（从创世、从检查点）的
证明文件。对照是引擎自己对同一区块头的
验证：不含创世、对象和行为。`,
			`Fills a chain with --objects objects, makes the proof files of 300 duties (a transaction each) and of 300 catalogue entries
(imported, 200 in a transaction), one at a time (asked of a member over HTTP, and verified before they are handed out), and
verifies them offline; the first three figures are of the worse kind. Beside them: files of transactions, of absences, of
accesses with both signatures, and after sixteen changes of the validators, from the genesis and from a checkpoint. The bare counterpart is the engine's own check of the
same header, without genesis, objects and acts.`),
		Example: "  mulian bench proof --objects 20000\n  mulian bench proof --json",
		Args:    exactly(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Entries < 1 || o.Entries > maxProofObjects {
				return fault.Newf(fault.Usage, "--objects %d: 1 to %d are possible", o.Entries, maxProofObjects)
			}
			o.Seconds = 1 // it runs for a number of files, not for a time
			return a.measure(cmd.Context(), &o, bench.Proof)
		},
	}
	c.Flags().IntVar(&o.Entries, "objects", 100_000, a.t("链上先有多少个对象", "objects on the chain before the clock starts"))
	a.benchPlaces(c, &o)
	return c
}

// maxProofObjects bounds the filling: half an hour on two cores.
const maxProofObjects = 5_000_000
