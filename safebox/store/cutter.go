package store

// Cutter cuts what is written to it into parts of [PartBytes], the last one shorter, and puts
// each as soon as it is full.
type Cutter struct {
	// Put takes part n; the bytes are its own until it returns.
	Put func(n uint32, part []byte) error

	next uint32
	buf  []byte
}

// Write implements [io.Writer].
func (c *Cutter) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), PartBytes-len(c.buf))
		c.buf, b = append(c.buf, b[:k]...), b[k:]
		if len(c.buf) == PartBytes {
			if err := c.Flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// Flush puts what is left, if anything is, as the last part.
func (c *Cutter) Flush() error {
	if len(c.buf) == 0 {
		return nil
	}
	err := c.Put(c.next, c.buf)
	c.next, c.buf = c.next+1, c.buf[:0]
	return err
}
