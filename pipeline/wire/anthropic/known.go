package anthropic

import (
	"gcli2api/pipeline/apierror"
)

// known is a client tool whose schema only Anthropic's models know; another model must be told it.
type known struct{ name, declaration string }

// bash is declared for bash_20241022 and later.
const bash = `"description":"Run a command in a bash shell that stays open between calls, and get what it prints.",` +
	`"parametersJsonSchema":{"type":"object","properties":{` +
	`"command":{"type":"string","description":"The command to run. Required unless restart is true."},` +
	`"restart":{"type":"boolean","description":"True starts the shell anew."}}}`

// The editor in its two forms: first with undo_edit and the text of insert in new_str, then without
// the one and with insert_text.
const (
	editorHead = `"description":"View, create and change text files. The commands are: view (a file, or what a folder holds; view_range gives its first and last line), ` +
		`create (a file with file_text), str_replace (the one place where old_str stands gets new_str), insert (`
	editorMid = `"parametersJsonSchema":{"type":"object","properties":{` +
		`"path":{"type":"string","description":"Absolute path of the file or folder."},` +
		`"file_text":{"type":"string","description":"For create: the content of the file."},` +
		`"old_str":{"type":"string","description":"For str_replace: the text to be replaced, exactly as it is in the file."},` +
		`"insert_line":{"type":"integer","description":"For insert: the line behind which the text goes."},` +
		`"view_range":{"type":"array","items":{"type":"integer"},"description":"For view: the first and the last line, -1 for the end."},`
	editorTail = `},"required":["command","path"]}`
	editorNew  = editorHead + `insert_text goes behind the line insert_line, 0 for the top).",` + editorMid +
		`"command":{"type":"string","enum":["view","create","str_replace","insert"]},` +
		`"new_str":{"type":"string","description":"For str_replace: the new text."},` +
		`"insert_text":{"type":"string","description":"For insert: the text."}` + editorTail
	editorOld = editorHead + `new_str goes behind the line insert_line, 0 for the top), undo_edit (takes back the last change of the file).",` + editorMid +
		`"command":{"type":"string","enum":["view","create","str_replace","insert","undo_edit"]},` +
		`"new_str":{"type":"string","description":"For str_replace and insert: the new text."}` + editorTail
)

// editor is the text editor of this version.
func editor(kind string) known {
	if kind == "text_editor_20241022" || kind == "text_editor_20250124" {
		return known{"str_replace_editor", editorOld}
	}
	return known{"str_replace_based_edit_tool", editorNew}
}

// appendKnown appends the declaration of such a tool.
func (f *form) appendKnown(dst []byte, t *tool, box *toolbox, k known) ([]byte, *apierror.Error) {
	if t.name == "" {
		t.name = k.name
	}
	dst, err := f.declare(dst, t, box)
	if err != nil {
		return dst, err
	}
	dst = append(append(dst, ','), k.declaration...)
	return append(dst, '}'), nil
}
