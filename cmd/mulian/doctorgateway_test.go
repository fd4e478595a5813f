package main

import (
	"os"
	"testing"
)

// TestDoctorKnowsTheDemosGateways: they have no configuration of their own, which is no
// fault; a gateway of its own without one is at fault.
func TestDoctorKnowsTheDemosGateways(t *testing.T) {
	a := &app{lang: "en", home: t.TempDir()}
	const account = "11110000MULN00002P/g/main"
	if err := os.MkdirAll(a.gatewayHome(account), 0o700); err != nil {
		t.Fatal(err)
	}
	if f := a.examineOne(t.Context(), account); len(f) != 1 || f[0].Mark != "fail" {
		t.Errorf("a gateway without a configuration: %+v", f)
	}
	if err := os.Mkdir(a.path("databases"), 0o700); err != nil {
		t.Fatal(err)
	}
	if f := a.examineOne(t.Context(), account); len(f) != 1 || f[0].Mark != "warn" || f[0].Fix != "mulian demo" {
		t.Errorf("a gateway of a city that has stopped: %+v", f)
	}
}
