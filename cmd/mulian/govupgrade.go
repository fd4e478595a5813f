package main

import (
	"fmt"
	"io"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// showUpgrade tells of an upgrade that waits, and whether this server's program will do.
func (a *app) showUpgrade(w io.Writer, st *ledgerv1.GetStatusResponse) {
	u := st.GetProtocol().GetPending()
	if u == nil {
		return
	}
	fmt.Fprintf(w, a.t("升级        %s：自高度 %d 起规则版本 %d（还有 %d 个区块）", "upgrade        %s: protocol %[3]d from height %[2]d on (%[4]d blocks left)"),
		visible(u.GetName()), u.GetHeight(), u.GetProtocol(), max(0, u.GetHeight()-st.GetHeight()-1))
	if u.GetProtocol() > st.GetProgramProtocol() {
		fmt.Fprintf(w, a.t("；本节点程序只到版本 %d，届时停止，须先安装新版本", "; this node's program knows protocol %d and will stop there: install the newer one before"), st.GetProgramProtocol())
	}
	if u.GetNotes() != "" {
		fmt.Fprintf(w, a.t("；说明：%s", "; notes: %s"), visible(u.GetNotes()))
	}
	fmt.Fprintln(w)
}
