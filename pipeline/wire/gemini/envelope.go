package gemini

import (
	"strconv"
	"time"

	"gcli2api/pipeline/apierror"
	"gcli2api/pipeline/wire"
)

// AppendError appends the error envelope that Gemini clients know. What Google said about the
// credential (Said) has no way into it.
func AppendError(dst []byte, e *apierror.Error) []byte {
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	dst = wire.AppendQuoted(append(dst, `,"message":`...), e.Message)
	dst = wire.AppendQuoted(append(dst, `,"status":`...), e.Code.GeminiStatus())
	dst = append(dst, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	dst = wire.AppendQuoted(dst, string(e.Code))
	dst = append(dst, `,"domain":"gcli2api"}`...)
	if e.Param != "" {
		dst = append(dst, `,{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":`...)
		dst = wire.AppendQuoted(dst, e.Param)
		dst = wire.AppendQuoted(append(dst, `,"description":`...), e.Message)
		dst = append(dst, "}]}"...)
	}
	if e.RetryAfter > 0 {
		dst = append(dst, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		dst = appendSeconds(dst, e.RetryAfter)
		dst = append(dst, `"}`...)
	}
	return append(dst, "]}}"...)
}

// appendSeconds writes a proto-JSON duration: "1.5s", never "1m30s".
func appendSeconds(dst []byte, d time.Duration) []byte {
	d = d.Round(time.Millisecond)
	return append(strconv.AppendFloat(dst, d.Seconds(), 'f', -1, 64), 's')
}
