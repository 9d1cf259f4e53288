package simulator

import (
	"bytes"
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"slices"
	"strconv"
	"strings"
)

// wantsPicture: an image model draws unless it is told to write only.
func (r *request) wantsPicture() bool {
	modalities := texts(r.config, "responseModalities")
	return r.model.Image && (len(modalities) == 0 || slices.Contains(modalities, "IMAGE"))
}

func (r *request) wantsText() bool {
	modalities := texts(r.config, "responseModalities")
	return len(modalities) == 0 || slices.Contains(modalities, "TEXT")
}

// drawFor paints a small PNG in the aspect ratio that was asked for (square by default), ten pixels a unit; the colour
// depends on the prompt.
func drawFor(r *request) []byte {
	width, height := 10, 10
	if w, h, ok := strings.Cut(str(child(r.config, "imageConfig"), "aspectRatio"), ":"); ok {
		width, _ = strconv.Atoi(w)
		height, _ = strconv.Atoi(h)
		width, height = width*10, height*10
	}
	hash := fnv.New32a()
	hash.Write([]byte(r.lastText()))
	sum := hash.Sum32()
	canvas := image.NewRGBA(image.Rect(0, 0, width, height))
	paint := color.RGBA{R: byte(sum), G: byte(sum >> 8), B: byte(sum >> 16), A: 255}
	draw.Draw(canvas, canvas.Bounds(), image.NewUniform(paint), image.Point{}, draw.Src)
	var out bytes.Buffer
	if err := png.Encode(&out, canvas); err != nil {
		return nil
	}
	return out.Bytes()
}
