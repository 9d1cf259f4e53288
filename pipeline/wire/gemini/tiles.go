package gemini

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
)

const (
	tileTokens = 258 // what Google counts for one tile of a picture
	onePiece   = 384 // a picture up to this size on both sides is one tile
	leastTile  = 256
	mostTile   = 768
	mostTiles  = 16 // larger pictures are scaled down to 3072 pixels first
	mostHead   = 256 << 10
)

// tiles is how many tiles Google cuts a picture into, by the rule that it publishes: squares of two
// thirds of the shorter side, but of 256 to 768 pixels. One, where the size cannot be read.
func tiles(data []byte) int64 {
	c, ok := size(data)
	if !ok || c.Width <= onePiece && c.Height <= onePiece {
		return 1
	}
	side := min(max(min(c.Width, c.Height)*2/3, leastTile), mostTile)
	across, down := min((c.Width+side-1)/side, mostTiles), min((c.Height+side-1)/side, mostTiles)
	return int64(min(max(across*down, 1), mostTiles))
}

// PictureSize reads width and height off a PNG, JPEG or GIF picture in base64, as a JSON string has it
// between its quotes; false where they cannot be read.
func PictureSize(data []byte) (width, height int, ok bool) {
	c, ok := size(data)
	return c.Width, c.Height, ok
}

// size reads the head of a PNG, JPEG or GIF picture that is written in base64, as a JSON string has it.
func size(data []byte) (image.Config, bool) {
	read := png.DecodeConfig
	switch {
	case bytes.HasPrefix(data, []byte("iVBOR")):
	case bytes.HasPrefix(data, []byte("R0lGO")):
		read = gif.DecodeConfig
	case bytes.HasPrefix(data, []byte("/9j")), bytes.HasPrefix(data, []byte("_9j")), bytes.HasPrefix(data, []byte(`\/9j`)):
		read = jpeg.DecodeConfig
	default:
		return image.Config{}, false
	}
	plain := make([]byte, 0, min(len(data), mostHead))
	for _, c := range data {
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		case '\\', '=': // "\/" is a slash; padding says nothing
			continue
		}
		if plain = append(plain, c); len(plain) == mostHead {
			break
		}
	}
	head := make([]byte, base64.RawStdEncoding.DecodedLen(len(plain)))
	n, _ := base64.RawStdEncoding.Decode(head, plain) // what stands before a mistake will do
	c, err := read(bytes.NewReader(head[:n]))
	return c, err == nil
}
