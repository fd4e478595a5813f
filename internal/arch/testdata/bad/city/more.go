// Package city is another comment.
package city

// FIXME some day // want "finish it or leave it out"

func Found() {} // want "Found is exported and not documented"
