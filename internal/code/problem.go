package code

import "fmt"

// Reason says what is wrong with a code.
type Reason uint8

// Reasons, in the order in which they are looked for.
const (
	Length    Reason = iota + 1 // too short or too long
	Character                   // a character that cannot stand at its place
	CheckChar                   // the check character does not follow from the others
	Unlisted                    // a part is not in its list (province, kind of code)
)

// String names the reason in English.
func (r Reason) String() string {
	switch r {
	case Length:
		return "length"
	case Character:
		return "character"
	case CheckChar:
		return "check character"
	case Unlisted:
		return "not in the list"
	}
	return fmt.Sprintf("reason(%d)", uint8(r))
}

// Problem is the error of the checks of this package.
type Problem struct {
	What   string // what should have been read: "统一社会信用代码"
	Reason Reason
	At     int    // Length: characters there are; else place of the first bad character, from 1
	Want   string // Length: characters wanted; CheckChar: the right character; else what may stand there
}

// Error is one English sentence. It does not repeat the code.
func (p *Problem) Error() string {
	switch p.Reason {
	case Length:
		return fmt.Sprintf("%s has %d characters, want %s", p.What, p.At, p.Want)
	case CheckChar:
		return fmt.Sprintf("%s: check character %d is wrong, the others give %s: one of them is mistyped", p.What, p.At, p.Want)
	}
	return fmt.Sprintf("%s: character %d cannot stand there, want %s", p.What, p.At, p.Want)
}
