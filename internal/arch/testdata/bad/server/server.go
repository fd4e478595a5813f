// Package server says where it was written: /home/li/mulian. // want "a path of one machine"
package server

type Server struct{} // said beside it counts

var Default Server // also beside

const (
	// Port is documented.
	Port = 1

	Host = `want "Host is exported and not documented"`
)

var (
	Open  = true // beside
	other = false
)
