package deliver

import (
	"testing"

	"github.com/cometbft/cometbft/types" // want "stays behind ledger"
	"mulian/city"                        // a test may stand on the roof
)

func TestNothing(t *testing.T) { t.Log(types.Tx{}, city.City{}) }
