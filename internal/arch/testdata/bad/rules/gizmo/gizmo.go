// Package gizmo has no anchor in the list of words.
package gizmo // want "the folder gizmo is not a word"
