package code

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnlisted is wrapped by the error of [Table.Parse] for a text that is not in
// the list.
var ErrUnlisted = errors.New("not in the code list")

// ErrSecret is returned instead for a text that marks classified matter (涉密, 秘密,
// 机密, 绝密): order 809 does not reach it, and it must not enter (article 3).
var ErrSecret = errors.New("classified matter is outside order 809 (article 3) and must not be entered")

// Row is one line of a code list.
type Row[T ~uint8] struct {
	Value    T
	Code     string   // the national code, or the code of the field where there is no national one
	ZH, EN   string   // labels
	Synonyms []string // other codes and words in use, as [Key] writes them, in lower case
}

// Table is a code list. It is made once, in this package, and never changed.
type Table[T ~uint8] struct {
	name string // in Chinese
	rows []Row[T]
}

// Name returns the Chinese name of the list: "共享类型".
func (t Table[T]) Name() string { return t.name }

// Rows returns a copy of the lines in the order of their codes.
func (t Table[T]) Rows() []Row[T] { return append([]Row[T](nil), t.rows...) }

// Valid says that v is in the list; 0 never is.
func (t Table[T]) Valid(v T) bool { return t.row(v).Value != 0 }

// Code returns the code that is stored and exchanged, "" if v is not in the list.
func (t Table[T]) Code(v T) string { return t.row(v).Code }

// ZH returns the Chinese label, "" if v is not in the list.
func (t Table[T]) ZH(v T) string { return t.row(v).ZH }

// EN returns the English label, "" if v is not in the list.
func (t Table[T]) EN(v T) string { return t.row(v).EN }

func (t Table[T]) row(v T) Row[T] {
	for _, r := range t.rows {
		if r.Value == v {
			return r
		}
	}
	return Row[T]{}
}

// Parse finds the value for a code, a label in either language or a word in use,
// in any width, spacing and case; also for code and label together ("2 有条件共享"),
// if they agree. The error wraps [ErrUnlisted] or [ErrSecret].
func (t Table[T]) Parse(text string) (T, error) {
	key, ok := Key(text)
	key = strings.ToLower(key)
	if !ok || len(key) > 4*maxCode {
		return 0, fmt.Errorf("%s: %w", t.name, ErrUnlisted)
	}
	if v := t.find(key); v != 0 {
		return v, nil
	}
	// Code and label in one cell; codes are ASCII and at most 8 long ("sjjgcd01").
	for i := 1; i < len(key) && i <= 8; i++ {
		label := strings.Trim(key[i:], "-_:.,、。()[]")
		if v := t.find(key[:i]); v != 0 && v == t.find(label) {
			return v, nil
		}
	}
	for _, w := range []string{"涉密", "秘密", "机密", "绝密"} {
		if strings.Contains(key, w) && !strings.Contains(key, "非"+w) && !strings.Contains(key, "不"+w) {
			return 0, fmt.Errorf("%s: %w", t.name, ErrSecret)
		}
	}
	return 0, fmt.Errorf("%s %.40q: %w; possible are %s", t.name, text, ErrUnlisted, t.choices())
}

func (t Table[T]) find(key string) T {
	if key == "" {
		return 0
	}
	for _, r := range t.rows {
		if key == strings.ToLower(r.Code) || key == strings.ToLower(r.ZH) || key == labelKey(r.EN) {
			return r.Value
		}
		for _, s := range r.Synonyms {
			if key == s {
				return r.Value
			}
		}
	}
	return 0
}

func labelKey(en string) string { return strings.ToLower(strings.ReplaceAll(en, " ", "")) }

func (t Table[T]) choices() string {
	var b strings.Builder
	for i, r := range t.rows {
		if i == 12 {
			b.WriteString(", …")
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(r.Code + " " + r.ZH)
	}
	return b.String()
}
