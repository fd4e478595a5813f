// Package utils has a name that says nothing.
package utils // want "package utils: the name says nothing"
