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

// ZH is Error in Chinese.
func (p *Problem) ZH() string {
	switch p.Reason {
	case Length:
		return fmt.Sprintf("%s共 %d 个字符，应为 %s", p.What, p.At, wantZH(p.Want))
	case CheckChar:
		return fmt.Sprintf("%s第 %d 位校验码不符，按其余各位应为 %s：必有一位写错", p.What, p.At, p.Want)
	}
	return fmt.Sprintf("%s第 %d 位不能是这个字符，应为%s", p.What, p.At, wantZH(p.Want))
}

// The wants of this package; numbers and check characters are the same in Chinese.
const (
	wantUSCC       = "a digit or a capital letter but I, O, S, V, Z"
	wantRegion     = "a digit of the region code"
	wantAlnum      = "a digit or a capital letter"
	wantDigit      = "a digit"
	wantProvince   = "the two digits of a province"
	wantPrefecture = "a prefecture before a county"
	wantKind       = "1 to 7"
	wantBody       = "32 before the extension"
	wantExtended   = "34 to 65 with the extension"
	wantResource   = "32 to 65"
)

func wantZH(want string) string {
	switch want {
	case wantUSCC:
		return "数字或大写字母（不含 I、O、S、V、Z）"
	case wantRegion:
		return "行政区划数字"
	case wantAlnum:
		return "数字或大写字母"
	case wantDigit:
		return "数字"
	case wantProvince:
		return "省级代码的两位数字"
	case wantPrefecture:
		return "县级之前的地级代码"
	case wantKind:
		return " 1 至 7"
	case wantBody:
		return "扩展码之前 32 个"
	case wantExtended:
		return "连同扩展码 34 至 65 个"
	case wantResource:
		return "32 至 65 个"
	}
	return want + " 个"
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
