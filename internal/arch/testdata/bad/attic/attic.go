// Package attic stands on no storey.
package attic // want "stands on no storey"
