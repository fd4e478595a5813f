package trial

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"mulian/internal/fault"
)

// diskBytes is the size of the disk that fills up; the member's node needs some tens of
// MiB of it.
const diskBytes = 256 << 20

// TestAFullDiskStopsOneMemberAndNoMore: it says so, ends, does not start while the disk is
// full, and comes back once there is room.
func TestAFullDiskStopsOneMemberAndNoMore(t *testing.T) {
	var disk string
	g := newGround(t, needs{home: func(net string) {
		dir := filepath.Join(net, "member4")
		if asAnyone() {
			return
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=700", diskBytes)); err != nil {
			t.Logf("no mount: %v", err)
			return
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
		disk = dir
	}})
	const m = 4
	g.while(func() {
		if disk == "" {
			t.Log("the disk is full by a bound on the size of files")
			g.kill(m)
			g.start(m, fmt.Sprintf("%s=%d", roomBy, g.largest(m)+64<<10))
		} else {
			t.Log("the disk is full by a small mount")
			fill(t, filepath.Join(disk, "ballast"))
		}
		select {
		case <-g.up[m].Ended():
		case <-time.After(settleWithin):
			t.Fatalf("member %d goes on with a full disk", m)
		}
		t.Logf("it ended with %v", g.up[m].err)
		// A bound on files is no full disk, and not called one.
		bound := disk == "" && (g.logged(m, "file too large") || g.logged(m, "disk I/O error"))
		if !bound && !g.logged(m, fault.DiskFull.String()) {
			t.Errorf("it does not say that its disk is full:\n%s", g.up[m].tail())
		}
		g.advance(5, others(m)...)
		if disk != "" {
			g.start(m)
			select {
			case <-g.up[m].Ended():
			case <-time.After(5 * time.Second): // it may start, and then finds out
			}
			g.kill(m)
			if err := os.Remove(filepath.Join(disk, "ballast")); err != nil {
				t.Fatal(err)
			}
		}
		g.start(m)
	})
}

// largest is the size of the largest file that the member writes to.
func (g *ground) largest(m int) (size int64) {
	_ = filepath.WalkDir(g.net.Members[m-1].Home, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil
		}
		if i, err := d.Info(); err == nil {
			size = max(size, i.Size())
		}
		return nil
	})
	return size
}

// fill writes until there is no room.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 1 << 10, 1} {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

// TestATornLogIsMendedOrSaidToBeDamaged: the power fails and the last of what was written
// to the two logs is not there, or is something else.
func TestATornLogIsMendedOrSaidToBeDamaged(t *testing.T) {
	g := newGround(t, needs{})
	for _, garbage := range []bool{false, true} {
		m := 1 + g.rand.IntN(4)
		g.while(func() {
			g.kill(m)
			g.advance(3, others(m)...)
			logs := append(g.files(m, "store/*.log"), g.files(m, "wal/wal")...)
			for _, path := range logs {
				g.tear(path, garbage)
			}
			g.revive(m)
		})
	}
}

// TestDamagedFilesAreNoticedAndTheMemberIsMadeAnew: bytes of the store are flipped, or its
// files cut off. The member must not go on with them: it says so and ends, and with an
// empty store it takes the blocks from the others. Its keys and its last vote stay.
func TestDamagedFilesAreNoticedAndTheMemberIsMadeAnew(t *testing.T) {
	g := newGround(t, needs{})
	m := 1 + g.rand.IntN(4)
	g.while(func() { // a store with tables: the log becomes one at a start
		g.kill(m)
		g.start(m)
	})
	for _, c := range []struct{ name, glob string }{{"tables", "store/*.sst"}, {"manifest", "store/MANIFEST-*"}} {
		g.while(func() {
			g.kill(m)
			g.advance(3, others(m)...)
			files := g.files(m, c.glob)
			if len(files) == 0 {
				t.Fatalf("no %s in %s", c.glob, g.node(m))
			}
			for _, path := range files {
				g.flip(path, 16)
			}
			if !g.revive(m) {
				t.Errorf("%s: member %d goes on with damaged files", c.name, m)
			}
		})
	}
}

// files of the member's node, the newest last.
func (g *ground) files(m int, glob string) []string {
	g.Helper()
	out, err := filepath.Glob(filepath.Join(g.node(m), glob))
	if err != nil {
		g.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// tear cuts off the end of a file, and puts something else there.
func (g *ground) tear(path string, garbage bool) {
	g.Helper()
	i, err := os.Stat(path)
	if err != nil {
		g.Fatal(err)
	}
	n := min(1+g.rand.Int64N(2048), i.Size())
	if err := os.Truncate(path, i.Size()-n); err != nil {
		g.Fatal(err)
	}
	if garbage {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			g.Fatal(err)
		}
		defer f.Close()
		for range n {
			f.Write([]byte{byte(g.rand.Uint32())})
		}
	}
	g.Logf("%s: %d of %d bytes torn", filepath.Base(path), n, i.Size())
}

// flip flips one bit in each of so many places of a file.
func (g *ground) flip(path string, places int) {
	g.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		g.Fatal(err)
	}
	if len(raw) == 0 {
		return
	}
	for i := range places {
		raw[len(raw)*i/places+g.rand.IntN(len(raw)/places+1)%max(len(raw)/places, 1)] ^= 1 << g.rand.IntN(8)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		g.Fatal(err)
	}
}

// revive starts a member whose files may be damaged. It waits until it has caught up and
// everything in it was read once, or has ended; then it must have said that it is damaged,
// and is made anew. It reports whether it was.
func (g *ground) revive(m int) (anew bool) {
	g.Helper()
	g.start(m)
	target := g.height(others(m)[0])
	for end := time.Now().Add(settleWithin); ; time.Sleep(50 * time.Millisecond) {
		select {
		case <-g.up[m].Ended():
			if !g.logged(m, fault.Damaged.String()) {
				g.Errorf("member %d ended (%v) and does not say that it is damaged:\n%s", m, g.up[m].err, g.up[m].tail())
			}
			g.Logf("member %d says that it is damaged, and is made anew", m)
			g.wipe(m)
			g.start(m)
			return true
		default:
		}
		if g.height(m) >= target {
			g.Logf("member %d came back with what it had", m)
			return false
		}
		if time.Now().After(end) {
			g.Fatalf("member %d neither comes back nor ends:\n%s", m, g.up[m].tail())
		}
	}
}

// wipe makes a member's store empty, and keeps its keys, its genesis and its last vote.
func (g *ground) wipe(m int) {
	g.Helper()
	home := g.net.Members[m-1].Home
	for _, path := range append(g.files(m, "store"), g.files(m, "wal")...) {
		if err := os.RemoveAll(path); err != nil {
			g.Fatal(err)
		}
	}
	index, err := filepath.Glob(filepath.Join(home, "index.db*"))
	if err != nil {
		g.Fatal(err)
	}
	for _, path := range index {
		if err := os.RemoveAll(path); err != nil {
			g.Fatal(err)
		}
	}
}
