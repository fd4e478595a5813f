package main

import (
	"strings"

	"mulian/internal/fault"
)

// Roles of a node.
const (
	roleFull    = "full"
	roleArchive = "archive"
)

// checkRole refuses an archive that would forget, and what is no role or no URL.
func (c *NodeConfig) checkRole() error {
	switch {
	case c.Role != roleFull && c.Role != roleArchive:
		return fault.Newf(fault.OutOfRange, "node.role %q: full or archive", c.Role)
	case c.KeepBlocks < 0:
		return fault.Newf(fault.OutOfRange, "node.keep_blocks %d: 0 (all) or more", c.KeepBlocks)
	case c.Role == roleArchive && c.KeepBlocks > 0:
		return fault.Newf(fault.OutOfRange, "node.role archive keeps every block: node.keep_blocks must be 0, not %d", c.KeepBlocks)
	case c.Archive != "" && !strings.Contains(c.Archive, "://"):
		return fault.Newf(fault.OutOfRange, "node.archive %q: the URL of a server, like http://10.0.0.5:8080", c.Archive)
	}
	return nil
}
