package code

// RegionLevel is the level of a region in its code.
type RegionLevel uint8

// Levels of a region code of six digits.
const (
	Province   RegionLevel = iota + 1 // 省级: PP0000
	Prefecture                        // 地级: PPCC00
	County                            // 县级: PPCCXX
)

// provinces are the first two digits that GB/T 2260 uses.
const provinces = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 61 62 63 64 65 71 81 82"

// CheckRegion returns nil if s has the shape of a region code of GB/T 2260: six
// digits that begin with one of the 34 provinces. Which lower regions exist changes
// every year and is not checked here.
func CheckRegion(s string) error {
	const what = "行政区划代码"
	if n := countRunes(s); n != 6 {
		return &Problem{what, Length, n, "6"}
	}
	place := 0
	for _, r := range s {
		place++
		if r < '0' || r > '9' {
			return &Problem{what, Character, place, wantDigit}
		}
	}
	for i := 0; i < len(provinces); i += 3 {
		if provinces[i:i+2] == s[:2] {
			if s[2:4] == "00" && s[4:] != "00" {
				return &Problem{what, Unlisted, 3, wantPrefecture}
			}
			return nil
		}
	}
	return &Problem{what, Unlisted, 1, wantProvince}
}

// LevelOf returns the level that a code which passes [CheckRegion] has, else 0.
func LevelOf(region string) RegionLevel {
	switch {
	case CheckRegion(region) != nil:
		return 0
	case region[2:] == "0000":
		return Province
	case region[4:] == "00":
		return Prefecture
	}
	return County
}

// Within says that region inner is outer or a part of it, by the codes alone.
func Within(inner, outer string) bool {
	switch LevelOf(outer) {
	case Province:
		return LevelOf(inner) != 0 && inner[:2] == outer[:2]
	case Prefecture:
		return LevelOf(inner) != 0 && inner[:4] == outer[:4]
	case County:
		return inner == outer
	}
	return false
}
