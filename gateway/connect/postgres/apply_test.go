package postgres_test

import (
	"testing"

	"mulian/gateway/connect/connecttest"
)

func TestChanges(t *testing.T) { connecttest.RunChanges(t, database()) }
