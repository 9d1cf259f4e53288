package responses

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

type object = map[string]any

// watcher is what a client makes of a stream: it knows in which order events may come, and adds up
// what they say. It fails at the first event that does not fit.
type watcher struct {
	t      testing.TB
	seq    int
	items  []object // done
	item   object   // open
	part   string   // "text" or "summary" while a part of it is open
	said   string   // by the deltas of that part, or of the open item
	told   bool     // the end of them was told
	notes  []any    // annotations so far
	last   object   // the response in the last event that had one
	status string   // of the stream: "", created, in_progress, error, and at the end the response's own
}

// watch reads a stream to its end.
func watch(t testing.TB, stream string) *watcher {
	t.Helper()
	w := &watcher{t: t}
	for event := range strings.SplitSeq(strings.TrimSuffix(stream, "\n\n"), "\n\n") {
		name, data, ok := strings.Cut(strings.TrimPrefix(event, "event: "), "\ndata: ")
		if !ok || !strings.HasPrefix(event, "event: ") || strings.ContainsAny(data, "\r\n") {
			t.Fatalf("no event: %q", event)
		}
		var e object
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatalf("%v: %s", err, data)
		}
		w.need(e, e["type"] == name && e["sequence_number"] == float64(w.seq), "has another type or number")
		w.seq++
		w.event(name, e)
	}
	return w
}

func (w *watcher) need(e object, ok bool, why string) {
	w.t.Helper()
	if !ok {
		b, _ := json.Marshal(e)
		w.t.Fatalf("event %d %s: %s\n(item %v, part %q, said %q)", w.seq, why, b, w.item, w.part, w.said)
	}
}

func (w *watcher) event(name string, e object) {
	w.need(e, w.status != "completed" && w.status != "incomplete" && w.status != "failed", "comes after the end")
	if response, ok := e["response"].(object); ok {
		w.lifecycle(name, e, response)
		return
	}
	if name == "error" {
		nested, _ := e["error"].(object)
		w.need(e, w.status == "in_progress" && nested["message"] == e["message"] && nested["code"] == e["code"] && nested["type"] != "", "is no error")
		w.status = "error"
		return
	}
	w.need(e, w.status == "in_progress", "comes too early or too late")
	w.need(e, e["output_index"] == float64(len(w.items)), "is about another item")
	switch name {
	case "response.output_item.added":
		w.item, _ = e["item"].(object)
		w.said, w.told, w.notes = "", false, nil
		w.need(e, w.item["status"] == "in_progress" && w.item["id"] != "", "is not in progress")
		return
	case "response.output_item.done":
		w.doneItem(e)
		return
	}
	w.need(e, w.item != nil && e["item_id"] == w.item["id"], "is about no open item")
	w.inside(name, e)
}

func (w *watcher) lifecycle(name string, e, response object) {
	status := strings.TrimPrefix(name, "response.")
	before := map[string]string{"created": "", "in_progress": "created", "completed": "in_progress", "incomplete": "in_progress", "failed": "error"}
	w.need(e, w.status == before[status], "comes in the wrong order")
	if status == "created" {
		w.need(e, response["status"] == "in_progress", "has the wrong status")
	} else {
		w.need(e, response["status"] == status, "has the wrong status")
	}
	w.need(e, w.item == nil || status == "failed", "leaves an item open")
	output, ok := response["output"].([]any)
	w.need(e, ok && len(output) == len(w.items), "has another output")
	for i := range output {
		w.need(e, reflect.DeepEqual(output[i], any(w.items[i])), "has another item")
	}
	w.need(e, w.last == nil || w.last["id"] == response["id"], "is another response")
	w.status, w.last = status, response
}

// inside reads events about the open item.
func (w *watcher) inside(name string, e object) {
	kind := w.item["type"].(string)
	short := strings.TrimPrefix(name, "response.")
	of := func(k string) { w.need(e, kind == k, "is about another kind of item") }
	switch short {
	case "content_part.added", "reasoning_summary_part.added":
		w.need(e, w.part == "" && e["part"].(object)["text"] == "", "opens a part in a part")
		w.part, w.said, w.told = short, "", false
	case "content_part.done", "reasoning_summary_part.done":
		part := e["part"].(object)
		w.need(e, w.part == strings.Replace(short, "done", "added", 1) && w.told && part["text"] == w.said, "says something else than its deltas")
		if short == "content_part.done" {
			w.need(e, len(w.notes) == len(part["annotations"].([]any)) && (len(w.notes) == 0 || reflect.DeepEqual(part["annotations"], any(w.notes))), "has other annotations")
		}
		w.part = ""
	case "output_text.delta", "reasoning_summary_text.delta":
		w.need(e, w.part != "" && !w.told && strings.HasPrefix(w.part, "content") == (short == "output_text.delta"), "comes outside of its part")
		w.add(e)
	case "output_text.done", "reasoning_summary_text.done":
		w.need(e, w.part != "" && e["text"] == w.said, "says something else than its deltas")
		w.told = true
	case "output_text.annotation.added":
		w.need(e, w.part == "content_part.added" && e["annotation_index"] == float64(len(w.notes)), "is out of order")
		w.notes = append(w.notes, e["annotation"])
	case "function_call_arguments.delta":
		of("function_call")
		w.add(e)
	case "function_call_arguments.done":
		of("function_call")
		w.need(e, e["arguments"] == w.said && e["name"] == w.item["name"], "says something else than its deltas")
	case "custom_tool_call_input.delta":
		of("custom_tool_call")
		w.add(e)
	case "custom_tool_call_input.done":
		of("custom_tool_call")
		w.need(e, e["input"] == w.said, "says something else than its deltas")
	case "shell_call_command.added", "shell_call_command.delta", "shell_call_command.done":
		of("shell_call")
		w.command(short, e)
	case "code_interpreter_call_code.delta":
		of("code_interpreter_call")
		w.add(e)
	case "code_interpreter_call_code.done":
		of("code_interpreter_call")
		w.need(e, e["code"] == w.said, "says something else than its deltas")
	case "code_interpreter_call.in_progress", "code_interpreter_call.interpreting", "code_interpreter_call.completed",
		"web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed",
		"image_generation_call.in_progress", "image_generation_call.generating", "image_generation_call.completed":
		of(short[:strings.IndexByte(short, '.')])
	default:
		w.need(e, false, "is none")
	}
	if _, ok := e["content_index"]; ok {
		of("message")
		w.need(e, e["content_index"] == 0.0, "is about another part")
	}
	if _, ok := e["summary_index"]; ok {
		of("reasoning")
		w.need(e, e["summary_index"] == 0.0, "is about another part")
	}
}

// command reads what is told of one command of a shell call, in three events.
func (w *watcher) command(short string, e object) {
	done := float64(len(w.notes))
	w.need(e, e["command_index"] == done, "is about another command")
	switch short {
	case "shell_call_command.added":
		w.need(e, e["command"] == "", "says something at once")
		w.said = ""
	case "shell_call_command.delta":
		w.add(e)
	default:
		w.need(e, e["command"] == w.said, "says something else than its deltas")
		w.notes = append(w.notes, w.said)
	}
}

func (w *watcher) add(e object) {
	delta, ok := e["delta"].(string)
	w.need(e, ok, "has no delta")
	w.said += delta
}

// doneItem compares the item with what was said of it.
func (w *watcher) doneItem(e object) {
	item, _ := e["item"].(object)
	w.need(e, w.item != nil && w.part == "" && item["id"] == w.item["id"] && item["type"] == w.item["type"] && item["status"] != "in_progress", "is not what was open")
	said := any(nil)
	switch item["type"] {
	case "message":
		said = item["content"].([]any)[0].(object)["text"]
	case "reasoning":
		said = ""
		for _, s := range item["summary"].([]any) {
			said = s.(object)["text"]
		}
	case "function_call":
		said = item["arguments"]
	case "custom_tool_call":
		said = item["input"]
	case "code_interpreter_call":
		said = item["code"]
	case "shell_call":
		commands := item["action"].(object)["commands"].([]any)
		w.need(e, len(commands) == len(w.notes) && (len(commands) == 0 || reflect.DeepEqual(commands, w.notes)), "has other commands")
	}
	w.need(e, said == nil || said == w.said, "says something else than its deltas")
	w.items, w.item = append(w.items, item), nil
}
