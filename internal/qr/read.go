package qr

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // photographs
	_ "image/png"  // screenshots

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// Bounds of a picture: a phone's 16-megapixel photograph fits.
const (
	MaxImage  = 16 << 20 // bytes of the file
	MaxPixels = 24 << 20
)

// ErrNoCode says that a picture is none, is too large, or shows no code that can be read.
var ErrNoCode = errors.New("no QR code can be read there")

// Read returns the text of the QR code in a PNG or JPEG file.
func Read(file []byte) (string, error) {
	if len(file) > MaxImage {
		return "", fmt.Errorf("%w: a file of %d bytes, at most %d", ErrNoCode, len(file), MaxImage)
	}
	c, _, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return "", fmt.Errorf("%w: neither PNG nor JPEG", ErrNoCode)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Width > MaxPixels/c.Height {
		return "", fmt.Errorf("%w: a picture of %d x %d", ErrNoCode, c.Width, c.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return "", fmt.Errorf("%w: the picture is damaged", ErrNoCode)
	}
	return read(img)
}

// read looks twice: as a camera sees, then as what was drawn exactly.
func read(img image.Image) (text string, err error) {
	defer func() { // the reader is a translation and has array indices of its own
		if r := recover(); r != nil {
			text, err = "", fmt.Errorf("%w: %v", ErrNoCode, r)
		}
	}()
	b, err := gozxing.NewBinaryBitmapFromImage(img)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNoCode, err)
	}
	reader := qrcode.NewQRCodeReader()
	for _, hint := range []gozxing.DecodeHintType{gozxing.DecodeHintType_TRY_HARDER, gozxing.DecodeHintType_PURE_BARCODE} {
		if r, err := reader.Decode(b, map[gozxing.DecodeHintType]any{hint: true}); err == nil {
			return r.GetText(), nil
		}
	}
	return "", ErrNoCode
}
