package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
)

// The promise: bytes that a released Mulian wrote into a block, a proof file or
// an access log are read alike by every later one, and a program that speaks the
// released API goes on working, in binary and in JSON. What that forbids:
//
//  1. A message, enum, service, field, enum value or method disappears. (That a
//     number is reserved does not help: the ledger still holds the old bytes.)
//  2. A field or enum value changes its number or its name. (The name is what
//     JSON carries.)
//  3. A field changes its type, or is no longer (or newly) a list, a map, of
//     explicit presence, or a member of a oneof.
//  4. A method changes its messages or its streaming.
//  5. A number or name that was reserved is used; a field is added as required.
//
// Everything else is free: new files, messages, fields, methods, comments.

// incompatibilities compares two schemas and returns one line per broken
// promise, "file: thing: what", in the order of the old schema's files.
func incompatibilities(old, cur *descriptorpb.FileDescriptorSet) ([]string, error) {
	oldFiles, err := protodesc.NewFiles(old)
	if err != nil {
		return nil, fmt.Errorf("released schema: %w", err)
	}
	curFiles, err := protodesc.NewFiles(cur)
	if err != nil {
		return nil, fmt.Errorf("present schema: %w", err)
	}
	c := &comparison{cur: curFiles}
	for _, f := range old.File {
		fd, err := oldFiles.FindFileByPath(f.GetName())
		if err != nil {
			return nil, err
		}
		c.messages(fd.Messages())
		c.enums(fd.Enums())
		c.services(fd.Services())
	}
	return c.breaks, nil
}

type comparison struct {
	cur    *protoregistry.Files
	breaks []string
}

func (c *comparison) report(d protoreflect.Descriptor, format string, args ...any) {
	c.breaks = append(c.breaks, fmt.Sprintf("%s: %s: %s", d.ParentFile().Path(), d.FullName(), fmt.Sprintf(format, args...)))
}

// find returns the present descriptor of the same name and kind.
func find[D protoreflect.Descriptor](c *comparison, old D) (cur D, ok bool) {
	d, err := c.cur.FindDescriptorByName(old.FullName())
	if err == nil {
		cur, ok = d.(D)
	}
	if !ok {
		c.report(old, "is gone")
	}
	return cur, ok
}

func (c *comparison) messages(list protoreflect.MessageDescriptors) {
	for i := range list.Len() {
		old := list.Get(i)
		cur, ok := find(c, old)
		if !ok {
			continue
		}
		for j := range old.Fields().Len() {
			c.field(old.Fields().Get(j), cur)
		}
		for j := range cur.Fields().Len() {
			f := cur.Fields().Get(j)
			if old.ReservedRanges().Has(f.Number()) || old.ReservedNames().Has(f.Name()) {
				c.report(f, "uses a number or name that was reserved")
			}
			if f.Cardinality() == protoreflect.Required && old.Fields().ByNumber(f.Number()) == nil {
				c.report(f, "is a new required field: older messages do not have it")
			}
		}
		c.messages(old.Messages())
		c.enums(old.Enums())
	}
}

func (c *comparison) field(old protoreflect.FieldDescriptor, message protoreflect.MessageDescriptor) {
	cur := message.Fields().ByNumber(old.Number())
	if cur == nil {
		if moved := message.Fields().ByName(old.Name()); moved != nil {
			c.report(old, "had number %d and has %d", old.Number(), moved.Number())
		} else {
			c.report(old, "number %d is gone", old.Number())
		}
		return
	}
	if old.Name() != cur.Name() {
		c.report(old, "number %d is now called %s", old.Number(), cur.Name())
		return
	}
	if was, is := old.JSONName(), cur.JSONName(); was != is {
		c.report(old, "was %s in JSON and is %s", was, is)
	}
	if was, is := fieldType(old), fieldType(cur); was != is {
		c.report(old, "was of type %s and is %s", was, is)
	}
	if was, is := oneofName(old), oneofName(cur); was != is {
		c.report(old, "was %s and is %s", was, is)
	}
}

// fieldType spells everything about a field that its encoding depends on.
func fieldType(f protoreflect.FieldDescriptor) string {
	if f.IsMap() {
		return fmt.Sprintf("map<%s, %s>", fieldType(f.MapKey()), fieldType(f.MapValue()))
	}
	t := f.Kind().String()
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		t = string(f.Message().FullName())
	case protoreflect.EnumKind:
		t = string(f.Enum().FullName())
	}
	switch {
	case f.IsPacked():
		return "repeated packed " + t
	case f.IsList():
		return "repeated " + t
	case f.Cardinality() == protoreflect.Required:
		return "required " + t
	case f.HasPresence() && f.Message() == nil && f.ContainingOneof() == nil || f.HasOptionalKeyword():
		return "optional " + t
	}
	return t
}

func oneofName(f protoreflect.FieldDescriptor) string {
	if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
		return "in oneof " + string(o.Name())
	}
	return "in no oneof"
}

func (c *comparison) enums(list protoreflect.EnumDescriptors) {
	for i := range list.Len() {
		old := list.Get(i)
		cur, ok := find(c, old)
		if !ok {
			continue
		}
		for j := range old.Values().Len() {
			v := old.Values().Get(j)
			switch now := cur.Values().ByName(v.Name()); {
			case now != nil && now.Number() != v.Number():
				c.report(v, "had number %d and has %d", v.Number(), now.Number())
			case now == nil && cur.Values().ByNumber(v.Number()) != nil:
				c.report(v, "number %d is now called %s", v.Number(), cur.Values().ByNumber(v.Number()).Name())
			case now == nil:
				c.report(v, "number %d is gone", v.Number())
			}
		}
		for j := range cur.Values().Len() {
			v := cur.Values().Get(j)
			if old.ReservedRanges().Has(v.Number()) || old.ReservedNames().Has(v.Name()) {
				c.report(v, "uses a number or name that was reserved")
			}
		}
	}
}

func (c *comparison) services(list protoreflect.ServiceDescriptors) {
	for i := range list.Len() {
		old := list.Get(i)
		if _, ok := find(c, old); !ok {
			continue
		}
		for j := range old.Methods().Len() {
			m := old.Methods().Get(j)
			now, ok := find(c, m)
			if !ok {
				continue
			}
			if was, is := methodType(m), methodType(now); was != is {
				c.report(m, "was %s and is %s", was, is)
			}
		}
	}
}

func methodType(m protoreflect.MethodDescriptor) string {
	stream := map[bool]string{true: "stream "}
	return fmt.Sprintf("(%s%s) returns (%s%s)", stream[m.IsStreamingClient()], m.Input().FullName(), stream[m.IsStreamingServer()], m.Output().FullName())
}

// readReleased reads the released schema; fs.ErrNotExist when nothing is released.
func readReleased(path string) (*descriptorpb.FileDescriptorSet, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(b, set); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	sortFiles(set)
	return set, nil
}

func sortFiles(set *descriptorpb.FileDescriptorSet) {
	slices.SortFunc(set.File, func(a, b *descriptorpb.FileDescriptorProto) int { return cmp.Compare(a.GetName(), b.GetName()) })
}
