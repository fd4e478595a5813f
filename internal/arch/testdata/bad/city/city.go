// Package city is one comment,
package city // want "has 2 comments"

// City is documented; its methods are not all.
type City struct{}

func (City) String() string { return "" }

func (*City) Grow() {} // want "Grow is exported and not documented"

func (c City) shrink() { c.shrink() }
