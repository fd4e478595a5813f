// Command protogen turns proto/**/*.proto into gen/: Go messages, Connect
// handlers and clients, and one OpenAPI document. It is the whole generator of
// the house: a compiler (bufbuild/protocompile) and the stock Go plugins at the
// versions that this folder's go.mod pins, so that the same schema gives the
// same bytes on every machine. It needs neither protoc nor a network service.
//
// What it is not: a linter. It holds one rule about content, that what was
// released stays readable (see compat.go).
//
//	go run -C tools/protogen .            write gen/ and remove what no schema stands for
//	go run -C tools/protogen . -check     compare proto/ with the released schema
//	go run -C tools/protogen . -release   make proto/ the released schema
//	go run -C tools/protogen . -request   write what a plugin reads on its input: for protoc-gen-es (console/)
//
// -release is refused while -check would fail: a broken promise is not repaired
// by writing it down anew.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"
)

// releasedFile holds the descriptor set of the schema as it was last released:
// the promise that compat.go keeps. It is a binary FileDescriptorSet without
// comments and positions, so that only the schema itself can change it.
const releasedFile = "proto/released.binpb"

func main() {
	root := flag.String("root", "../..", "the repository's root")
	check := flag.Bool("check", false, "compare proto/ with the released schema; exit 1 on an incompatible change")
	release := flag.Bool("release", false, "make proto/ the released schema")
	request := flag.Bool("request", false, "write the request of a protoc plugin to standard output")
	flag.Parse()
	if flag.NArg() > 0 || *check && *release || *request && (*check || *release) {
		flag.Usage()
		os.Exit(2)
	}
	if *request {
		if err := ask(context.Background(), *root); err != nil {
			fmt.Fprintln(os.Stderr, "protogen:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(context.Background(), *root, *check, *release); err != nil {
		fmt.Fprintln(os.Stderr, "protogen:", err)
		os.Exit(1)
	}
}

// ask writes the request that makes a foreign plugin generate code for all of proto/.
func ask(ctx context.Context, root string) error {
	schema, err := compileTree(ctx, filepath.Join(root, "proto"))
	if err != nil {
		return err
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(schema.request("target=ts,import_extension=none"))
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(b)
	return err
}

func run(ctx context.Context, root string, check, release bool) error {
	schema, err := compileTree(ctx, filepath.Join(root, "proto"))
	if err != nil {
		return err
	}
	if !check && !release {
		n, err := generate(ctx, schema, root)
		if err == nil {
			fmt.Printf("protogen: %d schema files, %d generated files\n", len(schema.names), n)
		}
		return err
	}

	path := filepath.Join(root, filepath.FromSlash(releasedFile))
	released, err := readReleased(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && check:
		fmt.Println("protogen: nothing is released yet, every change is free")
		return nil
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		breaks, err := incompatibilities(released, schema.descriptors())
		if err != nil {
			return err
		}
		for _, b := range breaks {
			fmt.Fprintln(os.Stderr, b)
		}
		if len(breaks) > 0 {
			return fmt.Errorf("%d incompatible changes: add a field with a new number beside the old one, or a new package version", len(breaks))
		}
	}
	if check {
		fmt.Printf("protogen: %d schema files keep what was released\n", len(schema.names))
		return nil
	}
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(schema.descriptors())
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o644)
}
