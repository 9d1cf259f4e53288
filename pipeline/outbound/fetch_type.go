package outbound

import (
	"bytes"
	"encoding/binary"
	"mime"
	"strings"
)

// sniffMax is how much of the beginning decides on the type.
const sniffMax = 512

// pictureType finds the type of a picture by its first bytes; "" for all that Google does not take,
// above all SVG and HTML, which are text.
func pictureType(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\x89PNG\r\n\x1a\n")):
		return "image/png"
	case bytes.HasPrefix(head, []byte("\xff\xd8\xff")):
		return "image/jpeg"
	case bytes.HasPrefix(head, []byte("GIF87a")), bytes.HasPrefix(head, []byte("GIF89a")):
		return "image/gif"
	case len(head) >= 16 && string(head[:4]) == "RIFF" && string(head[8:15]) == "WEBPVP8":
		return "image/webp"
	}
	return boxType(head)
}

// boxType looks at the brands of an ISO media file, the container of HEIC and HEIF, AVIF and video.
func boxType(head []byte) string {
	if len(head) < 16 || string(head[4:8]) != "ftyp" {
		return ""
	}
	size := int(min(binary.BigEndian.Uint32(head), sniffMax))
	if size < 16 {
		return ""
	}
	brands := head[8:min(len(head), size)]
	found := ""
	for at := 0; at+4 <= len(brands); at += 4 {
		if at == 4 {
			continue // the version of the first brand
		}
		switch string(brands[at : at+4]) {
		case "avif", "avis":
			return ""
		case "heic", "heix", "heim", "heis":
			found = "image/heic"
		case "mif1":
			if found == "" {
				found = "image/heif"
			}
		}
	}
	return found
}

// declaresPicture says whether a Content-Type goes with a picture. Which one is not compared:
// servers often call a PNG a JPEG, and what counts is the bytes.
func declaresPicture(contentType string) bool {
	if contentType == "" {
		return true
	}
	switch kind, _, _ := mime.ParseMediaType(contentType); kind {
	case "application/octet-stream", "binary/octet-stream":
		return true
	default:
		return strings.HasPrefix(kind, "image/") && !strings.HasPrefix(kind, "image/svg")
	}
}
