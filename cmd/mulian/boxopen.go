package main

import (
	"context"
	"slices"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/safebox"
	"mulian/safebox/owner"
)

// open opens the vault of the box with what the flags name, or with what is typed.
func (x *boxed) open(ctx context.Context) (*owner.Opened, error) {
	b, err := x.box(ctx)
	if err != nil {
		return nil, err
	}
	f, public, err := b.File(ctx)
	if err != nil {
		return nil, err
	}
	by, err := x.unlocker(f)
	if err != nil {
		return nil, err
	}
	x.by = by
	return b.UnlockFile(ctx, f, public, by)
}

// unlocker is what opens the vault: shares, code or passphrase from files, else typed.
func (x *boxed) unlocker(f *safeboxv1.VaultFile) (safebox.Unlocker, error) {
	switch {
	case len(x.shares) > 0:
		return x.byShares(f)
	case x.code != "":
		code, err := readSecret(x.code)
		if err != nil {
			return nil, err
		}
		return x.byCode(code)
	case x.passphrase != "":
		phrase, err := readSecret(x.passphrase)
		return safebox.ByPassphrase(phrase), err
	}
	kinds := kindsOf(f)
	if slices.Contains(kinds, safebox.Passphrase) {
		phrase, err := x.ask(x.t("保险箱口令：", "passphrase of the box: "), x.t("口令在哪里？--passphrase-file 文件（仅本人可读）", "where is the passphrase? --passphrase-file FILE (readable by you alone)"), true)
		return safebox.ByPassphrase(phrase), err
	}
	if slices.Contains(kinds, safebox.RecoveryCode) {
		code, err := x.ask(x.t("恢复码：", "recovery code: "), x.t("恢复码在哪里？--code-file 文件（仅本人可读）", "where is the recovery code? --code-file FILE (readable by you alone)"), true)
		if err != nil {
			return nil, err
		}
		return x.byCode(code)
	}
	return nil, fault.Newf(fault.UnlockerWrong, x.t("这个保险箱在命令行只能用分片打开：--share-file 给两个；其他方式：%s", "on the command line this box opens with shares alone: --share-file twice; it has: %s"), x.kindWords(kinds))
}

func (x *boxed) byCode(code string) (safebox.Unlocker, error) {
	u, err := safebox.ByRecoveryCode(code)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", x.t("恢复码", "the recovery code"))
	}
	return u, nil
}

// byShares holds each share against the vault's commitment, so that a wrong one is named.
func (x *boxed) byShares(f *safeboxv1.VaultFile) (safebox.Unlocker, error) {
	if len(x.shares) != 2 {
		return nil, fault.Newf(fault.Usage, x.t("--share-file 给两个，现在是 %d 个", "--share-file twice, not %d times"), len(x.shares))
	}
	var two [2]safebox.Share
	for i, path := range x.shares {
		text, err := readSecret(path)
		if err != nil {
			return nil, err
		}
		if two[i], err = safebox.ParseShare(text); err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "%s", path)
		}
		if !slices.ContainsFunc(f.GetUnlockers(), func(b *safeboxv1.UnlockerBox) bool {
			return b.GetKind() == safebox.Shares && safebox.CheckShare(b, two[i]) == nil
		}) {
			return nil, fault.Newf(fault.UnlockerWrong, x.t("%s 不是这个保险箱的分片", "%s is no share of this box"), path)
		}
	}
	u, err := safebox.ByShares(two[0], two[1])
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "%s", x.t("分片", "the shares"))
	}
	return u, nil
}

// kindsOf are the kinds of unlockers in a vault's file, each once.
func kindsOf(f *safeboxv1.VaultFile) []safeboxv1.UnlockerKind {
	var out []safeboxv1.UnlockerKind
	for _, u := range f.GetUnlockers() {
		out = append(out, u.GetKind())
	}
	slices.Sort(out)
	return slices.Compact(out)
}
