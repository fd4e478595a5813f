package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
)

// ControlSocket is the file in a node's home through which the operator's own commands
// reach the running node: readable and writable by its owner alone.
const ControlSocket = "control.sock"

const (
	checkpointPath = "/checkpoint"
	// maxControlBytes bounds a request and an answer: a path, or a fault.
	maxControlBytes = 64 << 10
	// controlHeader bounds how long a caller may take to ask.
	controlHeader = 10 * time.Second
)

// controlAnswer is what the socket answers.
type controlAnswer struct {
	Code fault.Code `json:"code"`
	Text string     `json:"text,omitempty"`
}

// Checkpoint writes a consistent copy of the store of the node in home to dir, which must
// not exist: by the node itself if it runs, else from its files. Durable when it returns.
//
// Unreachable: a node runs there and has no control socket (its path is too long).
func Checkpoint(ctx context.Context, home, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("node: checkpoint: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", nearest(filepath.Join(home, ControlSocket)))
	}}}
	defer client.CloseIdleConnections()
	ask, err := json.Marshal(map[string]string{"dir": dir})
	if err != nil {
		return fmt.Errorf("node: checkpoint: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://node"+checkpointPath, bytes.NewReader(ask))
	if err != nil {
		return fmt.Errorf("node: checkpoint: %w", err)
	}
	res, err := client.Do(req)
	if err != nil { // nobody is there: then its files are ours
		serr := ledger.CheckpointStopped(home, dir)
		if fault.Is(serr, fault.Locked) {
			return fault.Wrap(fault.Unreachable, err, "the node in %s runs and cannot be asked", home)
		}
		return serr
	}
	defer res.Body.Close()
	var a controlAnswer
	if err := json.NewDecoder(io.LimitReader(res.Body, maxControlBytes)).Decode(&a); err != nil {
		return fault.Wrap(fault.Unreachable, err, "the answer of the node in %s", home)
	}
	if a.Code != fault.OK {
		return fault.Newf(a.Code, "%s", a.Text)
	}
	return nil
}

// nearest makes a path relative if that is shorter: an address of a socket has at most
// 108 bytes on Linux.
func nearest(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(dir, abs); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// control serves the socket of the node in home until ctx ends. One that an earlier
// process left is ours: the home's lock says that no other node runs in it.
func (n *Node) control(ctx context.Context, home string, log *slog.Logger) error {
	path := filepath.Join(home, ControlSocket)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault.Wrap(fault.Inaccessible, err, "control socket")
	}
	l, err := net.Listen("unix", nearest(path))
	if err != nil { // a path that is too long must not keep a node from running
		log.Warn("no control socket: a running node cannot be backed up", "path", path, "cause", err.Error())
		<-ctx.Done()
		return nil
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(fault.Wrap(fault.Inaccessible, err, "control socket"), l.Close())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+checkpointPath, n.serveCheckpoint)
	s := &http.Server{Handler: mux, ReadHeaderTimeout: controlHeader, ReadTimeout: controlHeader}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		<-ctx.Done()
		// A checkpoint under way is let end: the store is closed after it.
		_ = s.Shutdown(context.Background())
	}()
	err = s.Serve(l)
	if ctx.Err() == nil {
		return fault.Wrap(fault.Unreachable, err, "control socket")
	}
	<-ended
	return nil
}

func (n *Node) serveCheckpoint(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Dir string `json:"dir"`
	}
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControlBytes)).Decode(&ask)
	switch {
	case err != nil || !filepath.IsAbs(ask.Dir):
		err = fault.Newf(fault.Malformed, "a checkpoint needs the path of a folder")
	default:
		err = n.ledger.Checkpoint(ask.Dir)
	}
	a := controlAnswer{}
	if err != nil {
		a.Code, a.Text = fault.CodeOf(err), err.Error()
		if f, ok := errors.AsType[*fault.Fault](err); ok {
			a.Text = f.Text
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a) // a caller who has gone finds the folder, or not
}
