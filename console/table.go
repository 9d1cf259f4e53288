package console

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// listFormat is what a list is written in.
type listFormat int

const (
	asJSON listFormat = iota
	asCSV
	asExcel // CSV with a mark in front: without it Excel takes a file that is opened with a double click for another encoding than UTF-8
)

// utf8Mark is the byte order mark.
const utf8Mark = "\ufeff"

// formOf reads the parameter format; where it says nothing it is otherwise.
func formOf(text string, otherwise listFormat) (listFormat, error) {
	if text == "" {
		return otherwise, nil
	}
	i, err := choice(text, "format", []string{"json", "csv", "excel"})
	return listFormat(i), err
}

// table writes rows that no spreadsheet takes for anything but text and numbers.
type table struct{ out *csv.Writer }

// begin starts a table. What fails comes out with end.
func (f listFormat) begin(w io.Writer) table {
	if f == asExcel {
		_, _ = io.WriteString(w, utf8Mark)
	}
	return table{csv.NewWriter(w)}
}

func (t table) row(cells []string) error {
	for i := range cells {
		cells[i] = defused(cells[i])
	}
	return t.out.Write(cells)
}

func (t table) end() error {
	t.out.Flush()
	return t.out.Error()
}

// defused is a cell that no spreadsheet takes for a formula.
func defused(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

func asFile(c *fiber.Ctx, name string) {
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
}

// sendTable sends a table as a file.
func sendTable(c *fiber.Ctx, name string, f listFormat, rows [][]string) error {
	asFile(c, name)
	t := f.begin(c.Response().BodyWriter())
	for _, cells := range rows {
		if err := t.row(cells); err != nil {
			return err
		}
	}
	return t.end()
}

// sheet is a table that is sent while it is made.
type sheet struct {
	name string
	form listFormat
	head []string
	fill func(ctx context.Context, row func([]string) error) error
}

// stream sends a sheet as a file. One that breaks off ends in a line that says so.
func (s Services) stream(c *fiber.Ctx, what sheet) error {
	asFile(c, what.name)
	stopping := c.Context().Done()
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		t := what.form.begin(w)
		_ = t.row(what.head) // its errors come with the next flush
		err := what.fill(ctx, func(cells []string) error {
			select {
			case <-stopping:
				return errors.New("the gateway is stopping")
			default:
			}
			return t.row(cells)
		})
		if err != nil {
			_ = t.row([]string{"the table is not complete"})
			s.Log.Warn("a table was cut off", "file", what.name, "error", err)
		}
		_ = t.end() // the client has left
	})
	return nil
}
