package oauth

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"unicode/utf16"
)

const byteOrderMark = "\xef\xbb\xbf"

// readable gives the JSON text of a source, as it stands there or out of base64. asIs tells that the
// text is what the source itself holds, so that a piece of it can be replaced in place.
func readable(data []byte) (text []byte, asIs bool, err error) {
	text, asIs, err = inUTF8(data)
	if err != nil {
		return nil, false, err
	}
	if begin(text) == '{' || begin(text) == '[' {
		return text, asIs, nil
	}
	if text, err = unBase64(text); err != nil {
		return nil, false, err
	}
	if text, _, err = inUTF8(text); err != nil || begin(text) != '{' && begin(text) != '[' {
		return nil, false, errNoJSON()
	}
	return text, false, nil
}

// begin is the first character that is no white space, 0 when there is none.
func begin(text []byte) byte {
	for _, c := range text {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return c
		}
	}
	return 0
}

func errNoJSON() error {
	return errors.New("it is not a JSON object, nor a list of such, nor base64 of either")
}

// inUTF8 gives a text in UTF-8 without byte order mark. What Windows saves as "Unicode" is
// converted where it says so itself.
func inUTF8(data []byte) (text []byte, asIs bool, err error) {
	asIs = true
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		data, asIs = fromUTF16(data[2:], binary.LittleEndian), false
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		data, asIs = fromUTF16(data[2:], binary.BigEndian), false
	case bytes.IndexByte(data, 0) >= 0:
		return nil, false, errors.New("it is no text in UTF-8: save it with the encoding UTF-8")
	}
	text = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if begin(text) == 0 {
		return nil, false, errors.New("it is empty")
	}
	return text, asIs, nil
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, 0, len(data)/2)
	for ; len(data) >= 2; data = data[2:] {
		units = append(units, order.Uint16(data))
	}
	return []byte(string(utf16.Decode(units)))
}

// unBase64 takes both alphabets, with or without padding, and lines of any length.
func unBase64(text []byte) ([]byte, error) {
	plain := make([]byte, 0, len(text))
	for _, b := range text {
		switch b {
		case ' ', '\t', '\r', '\n', '=':
		case '-':
			plain = append(plain, '+')
		case '_':
			plain = append(plain, '/')
		default:
			plain = append(plain, b)
		}
	}
	data, err := base64.RawStdEncoding.DecodeString(string(plain))
	if err != nil {
		return nil, errNoJSON() // the error of the decoder quotes a byte
	}
	return data, nil
}
