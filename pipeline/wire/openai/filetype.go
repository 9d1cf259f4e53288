package openai

import "strings"

// fileType is the MIME type of a file by the ending of its name, in a form that Google takes: what
// people write is text, whatever it is written in.
func fileType(name string) (mime string, ok bool) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return "", false
	}
	mime, ok = fileTypes[strings.ToLower(name[dot+1:])]
	return mime, ok
}

// fileTypes is never written to.
var fileTypes = map[string]string{
	"pdf": "application/pdf", "rtf": "text/rtf",
	"txt": "text/plain", "log": "text/plain", "json": "text/plain", "jsonl": "text/plain", "yaml": "text/plain",
	"yml": "text/plain", "toml": "text/plain", "ini": "text/plain", "sql": "text/plain", "py": "text/plain",
	"js": "text/plain", "ts": "text/plain", "go": "text/plain", "rs": "text/plain", "java": "text/plain",
	"c": "text/plain", "h": "text/plain", "cpp": "text/plain", "cs": "text/plain", "rb": "text/plain",
	"php": "text/plain", "sh": "text/plain", "tex": "text/plain",
	"md": "text/markdown", "csv": "text/csv", "tsv": "text/plain", "html": "text/html", "htm": "text/html",
	"css": "text/css", "xml": "text/xml",
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "heic": "image/heic", "heif": "image/heif",
	"wav": "audio/wav", "mp3": "audio/mp3", "aiff": "audio/aiff", "aac": "audio/aac", "ogg": "audio/ogg",
	"flac": "audio/flac", "m4a": "audio/m4a", "opus": "audio/opus",
	"mp4": "video/mp4", "mpeg": "video/mpeg", "mov": "video/mov", "webm": "video/webm", "wmv": "video/wmv", "3gp": "video/3gpp",
}
