package evidence

import (
	"context"
	"testing"
)

// Answers of real daemons; addresses are those of documentation (RFC 5737).
const (
	chrony     = "CB00716E,203.0.113.110,3,1772413200.123456789,-0.003456789,0.000012345,0.000023456,-12.345,0.001,0.123,0.020000000,0.001500000,64.5,Normal"
	timesyncd  = "       Server: 203.0.113.7 (ntp.example.cn)\nPoll interval: 34min 8s (min: 32s; max 34min 8s)\n         Leap: normal\n      Version: 4\n      Stratum: 2\n    Reference: CB007101\n    Precision: 1us (-24)\nRoot distance: 20.4ms (max: 5s)\n       Offset: +1.526ms\n        Delay: 24.3ms\n       Jitter: 800us\n Packet count: 7\n    Frequency: -3.2ppm"
	unset      = "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised"
	ownClock   = "7F7F0101,,10,1772413200.1,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,Normal"
	neverAsked = "       Server: 203.0.113.7 (ntp.example.cn)\n         Leap: normal\nRoot distance: 0 (max: 5s)\n       Offset: 0\n Packet count: 0"
)

func TestDaemonsAreRead(t *testing.T) {
	if c, ok := parseChrony(chrony); !ok || c != (Clock{"ntp chrony 203.0.113.110", 3, 15}) { // 3 ms fast; 3.46 + 1.5 + 10
		t.Errorf("chrony: %+v, %t", c, ok)
	}
	if c, ok := parseTimesync(timesyncd); !ok || c != (Clock{"ntp systemd-timesyncd 203.0.113.7", -1, 22}) {
		t.Errorf("timesyncd: %+v, %t", c, ok)
	}
	for _, s := range []string{"", unset, ownClock, "a,b", chrony + ",x", "CB00716E,x,3,1,nan,1,1,1,1,1,1,1,1,Normal", "CB00716E,x,3,1,1e300,1,1,1,1,1,1,1,1,Normal"} {
		if c, ok := parseChrony(s); ok {
			t.Errorf("%q is %+v", s, c)
		}
	}
	for _, s := range []string{"", neverAsked, "Offset: +1ms", "Offset: x\nRoot distance: 1ms\nLeap: normal", "Offset: 1ms\nRoot distance: 1ms\nLeap: not synchronized"} {
		if c, ok := parseTimesync(s); ok {
			t.Errorf("%q is %+v", s, c)
		}
	}
}

// TestAnAddressIsNoText: what a daemon prints as its source cannot bring more than an
// address on the ledger.
func TestAnAddressIsNoText(t *testing.T) {
	for _, s := range []string{"", "a b", "x\n", "服务器", string(make([]byte, 65))} {
		if got := sourceName("ntp chrony", s); got != "ntp chrony" {
			t.Errorf("%q gives %q", s, got)
		}
	}
}

// TestThisMachine: what is measured is never half a measurement, on any machine.
func TestThisMachine(t *testing.T) {
	c := MeasureClock(context.Background())
	t.Logf("%+v", c)
	if c.Source == "" || (c.Source == UnknownClock) != (c.ErrorMs == 0) || c.Source == UnknownClock && c.OffsetMs != 0 {
		t.Errorf("%+v", c)
	}
}
