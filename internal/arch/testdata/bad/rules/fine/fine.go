// Package fine is in order; other rooms use it.
package fine

// Fine is a listed word.
type Fine struct{}

// FineStates likewise, by its head word? No: its head is States.
type FineStates int // want "FineStates is not a word"

// Ends answers a map.
func Ends() map[string]int64 { return nil }
