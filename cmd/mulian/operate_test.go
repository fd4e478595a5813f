package main

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestAURLMeansTheSamePlaceFromEverywhere: a service is started in another folder than the
// configuration was written in.
func TestAURLMeansTheSamePlaceFromEverywhere(t *testing.T) {
	here, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"sqlite:permits.db":                              "sqlite:" + here + "/permits.db",
		"sqlite:../a/permits.db?immutable=1":             "sqlite:" + filepath.Dir(here) + "/a/permits.db?immutable=1",
		"files:in":                                       "files:" + here + "/in",
		"sqlite:/var/lib/permits.db":                     "sqlite:/var/lib/permits.db",
		"sqlite:///var/lib/permits.db":                   "sqlite:///var/lib/permits.db",
		"postgres://reader@127.0.0.1/permits?passfile=p": "postgres://reader@127.0.0.1/permits?passfile=p",
		"": "", "sqlite:": "sqlite:",
	} {
		if got := placed(url); got != want {
			t.Errorf("%q: %q, want %q", url, got, want)
		}
	}
	for url, want := range map[string][]string{
		"sqlite:/srv/own/own.db": {"/srv/own"}, "sqlite:///srv/own/own.db": {"/srv/own"}, "csv:/srv/in": {"/srv/in"}, "parquet:/srv/in?x=1": {"/srv/in"},
		"postgres://loader@127.0.0.1/own": nil, "": nil,
	} {
		if got := filled(url); !slices.Equal(got, want) {
			t.Errorf("%q is filled in %v, want %v", url, got, want)
		}
	}
}
