package server

import (
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// What can be wrong with an upload.
var (
	ErrUploadTooLarge = errors.New("the request is larger than what is taken")
	ErrUploadCoding   = errors.New("the request body is compressed: send it as it is")
)

// uploadIdle is how long an upload may be silent.
const uploadIdle = 30 * time.Second

// Upload is the body of a console request as it arrives, for routes that take large ones: nothing of
// it is held, and it may take its time while it moves. Close it before the answer.
type Upload struct {
	src   io.Reader
	conn  net.Conn
	left  int64
	size  int64 // announced; chunked when it is not
	ended bool
}

// OpenUpload takes the body of a request, of at most limit bytes.
func OpenUpload(ctx *fasthttp.RequestCtx, limit int64) (*Upload, error) {
	h := &ctx.Request.Header
	u := &Upload{src: ctx.RequestBodyStream(), conn: ctx.Conn(), left: limit, size: int64(h.ContentLength())}
	if u.src == nil {
		u.src = strings.NewReader(string(ctx.Request.Body()))
	}
	if coding := strings.ToLower(string(h.ContentEncoding())); coding != "" && coding != "identity" {
		u.Close()
		return nil, ErrUploadCoding
	}
	if u.size > limit {
		u.Close()
		return nil, ErrUploadTooLarge
	}
	return u, nil
}

// Read gives what has arrived. It fails where the client left, fell silent or sends too much.
func (u *Upload) Read(p []byte) (int, error) {
	if u.left <= 0 {
		return 0, ErrUploadTooLarge
	}
	if u.conn != nil {
		_ = u.conn.SetReadDeadline(time.Now().Add(uploadIdle))
	}
	n, err := u.src.Read(p[:min(int64(len(p)), u.left)])
	u.left -= int64(n)
	if l, ok := u.conn.(*lingerConn); ok && err == io.EOF && l.lazyConn.ended {
		err = io.ErrUnexpectedEOF // fasthttp takes the end of the connection for the end of the body
	}
	u.ended = u.ended || err == io.EOF
	return n, err
}

// Close says that nothing more is read: what is still under way is let run into the void.
func (u *Upload) Close() {
	if u.conn == nil {
		return
	}
	leftUnread(u.conn, !u.ended && u.size != 0)
	if u.ended {
		_ = u.conn.SetReadDeadline(time.Time{})
	}
}
