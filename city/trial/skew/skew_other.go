//go:build !(linux && amd64)

package skew

func set(int64) bool { return false }
