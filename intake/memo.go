package intake

import "mulian/internal/code"

// keys remembers the forms in which names are compared: of the name at hand, which
// is asked for three times, and of owners, of which a file has few.
type keys struct {
	name, form string
	ok         bool
	owners     map[string]string
}

// key is [code.Key].
func (k *keys) key(name string) (string, bool) {
	if name != k.name || name == "" {
		k.name = name
		k.form, k.ok = code.Key(name)
	}
	return k.form, k.ok
}

// often is [code.Key] for a text that comes again and again.
func (k *keys) often(name string) (string, bool) {
	if form, ok := k.owners[name]; ok {
		return form, form != ""
	}
	form, ok := code.Key(name)
	if k.owners == nil {
		k.owners = make(map[string]string)
	}
	if len(k.owners) < maxKeys && ok {
		k.owners[name] = form
	}
	return form, ok
}

// words remembers what the words of code lists mean: a file has few of them, and
// each is looked for in several lists and forms.
type words struct {
	cycles  map[string]word[code.UpdateCycle]
	formats map[string]word[code.ResourceFormat]
}

type word[T any] struct {
	value T
	err   error
}

func remembered[T any](m *map[string]word[T], text string, parse func(string) (T, error)) (T, error) {
	if w, ok := (*m)[text]; ok {
		return w.value, w.err
	}
	v, err := parse(text)
	if *m == nil {
		*m = make(map[string]word[T])
	}
	if len(*m) < maxKeys && len(text) <= maxHeader {
		(*m)[text] = word[T]{v, err}
	}
	return v, err
}

func (b *builder) parseCycle(text string) (code.UpdateCycle, error) {
	return remembered(&b.words.cycles, text, parseCycle)
}

func (b *builder) parseFormat(text string) (code.ResourceFormat, error) {
	return remembered(&b.words.formats, text, parseFormat)
}
