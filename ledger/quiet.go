package ledger

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	cmtlog "github.com/cometbft/cometbft/libs/log"
)

// quiet passes the engine's log on to slog: its errors as warnings, the rest only
// if the operator asks for debugging. Nothing goes to stdout.
type quiet struct {
	log     *slog.Logger
	failure *failure
}

var _ cmtlog.Logger = quiet{}

// haltMessage is what the engine logs when its consensus goroutine has died. It
// tells nobody else, and the process goes on as if asleep.
const haltMessage = "CONSENSUS FAILURE!!!"

// Debug is dropped: it is called some hundred times a block.
func (q quiet) Debug(string, ...any) {}

// Info is shown at level debug.
func (q quiet) Info(msg string, kv ...any) { q.write(slog.LevelDebug, msg, kv) }

// Warn is shown at level debug: the engine warns of its own slow peers.
func (q quiet) Warn(msg string, kv ...any) { q.write(slog.LevelDebug, msg, kv) }

// Error is shown as a warning, but for the end of consensus, which stops the node, a block
// that this machine will never take (see [unmade]), and a full disk: the engine cannot write its own log, does not sign its vote, and says so
// every two seconds while everybody waits.
func (q quiet) Error(msg string, kv ...any) {
	if msg == haltMessage && q.failure.ending.Load() && q.failure.cause() != nil {
		q.write(slog.LevelDebug, msg, kv) // it was told to end, see outdated
		return
	}
	if msg == haltMessage {
		q.failure.stop(haltCause(kv))
		q.write(slog.LevelError, msg, kv)
		return
	}
	if q.failure.ending.Load() {
		q.write(slog.LevelDebug, msg, kv)
		return
	}
	for _, v := range kv {
		if err, ok := v.(error); ok && (noRoom(err) || msg == invalidBlock && unmade(err, time.Now()) != nil) {
			q.failure.stop(err)
		}
	}
	q.write(slog.LevelWarn, msg, kv)
}

// With adds attributes.
func (q quiet) With(kv ...any) cmtlog.Logger {
	return quiet{log: q.log.With(kv...), failure: q.failure}
}

func (q quiet) write(level slog.Level, msg string, kv []any) {
	if q.log.Enabled(context.Background(), level) {
		q.log.Log(context.Background(), level, "engine: "+msg, kv...)
	}
}

// haltCause finds the panic value among the attributes.
func haltCause(kv []any) error {
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i] != "err" {
			continue
		}
		if err, ok := kv[i+1].(error); ok {
			return err
		}
		return fmt.Errorf("engine: %v", kv[i+1])
	}
	return fmt.Errorf("engine: consensus ended")
}

// storeLog is Pebble's logger.
type storeLog struct{ quiet }

// Infof is shown at level debug.
func (l storeLog) Infof(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.log.Debug("store: " + fmt.Sprintf(format, args...))
	}
}

// Errorf is shown as a warning.
func (l storeLog) Errorf(format string, args ...any) {
	l.log.Warn("store: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return: Pebble has no other way to refuse. It panics, so that
// whoever embeds the node decides about the process. What was acknowledged before
// is on the disk.
func (l storeLog) Fatalf(format string, args ...any) {
	err := fmt.Errorf("store: "+format, args...)
	for _, a := range args {
		if e, ok := a.(error); ok {
			err = fmt.Errorf("store: %w", e)
		}
	}
	l.failure.stop(err)
	panic(err)
}
