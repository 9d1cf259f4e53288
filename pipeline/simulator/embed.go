package simulator

import "fmt"

// mostInBatch is how many requests batchEmbedContents takes.
const mostInBatch = 100

// embed answers embedContent and batchEmbedContents with vectors made from the text.
func (s *Server) embed(x *exchange, name string, batch bool) {
	m, standing, f := s.publicModel(x, studio, name, site{})
	if f != nil {
		x.fail(f)
		return
	}
	message := "EmbedContent"
	if batch {
		message = "BatchEmbed"
	}
	tree, _, f := x.decode(studio, message)
	var vectors []object
	if f == nil {
		vectors, f = embeddings(tree, m, batch)
	}
	if f == nil {
		f = s.embedFault(x, standing)
	}
	switch {
	case f != nil:
		x.fail(f)
	case batch:
		x.json(object{"embeddings": vectors})
	default:
		x.json(object{"embedding": vectors[0]})
	}
}

func embeddings(tree object, m Model, batch bool) ([]object, *failure) {
	if !batch {
		v, f := embedding(tree, m, "EmbedContentRequest", false)
		return []object{v}, f
	}
	list := items(tree, "requests")
	if len(list) == 0 {
		return nil, badRequest("* BatchEmbedContentsRequest.requests: requests is not specified\n")
	}
	if len(list) > mostInBatch {
		return nil, badRequest("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n")
	}
	out := make([]object, 0, len(list))
	for i, item := range list {
		one, _ := item.(object)
		v, f := embedding(one, m, fmt.Sprintf("BatchEmbedContentsRequest.requests[%d]", i), true)
		if f != nil {
			return nil, f
		}
		out = append(out, v)
	}
	return out, nil
}

// embedding checks one request and makes its vector. In a batch each must name the model of the path; alone it may.
func embedding(in object, m Model, place string, named bool) (object, *failure) {
	refuse := func(field, why string) (object, *failure) {
		return nil, badRequest("* " + place + "." + field + ": " + why + "\n")
	}
	if name := str(in, "model"); (named || name != "") && name != "models/"+m.Name {
		return refuse("model", "model must match the model in the path")
	}
	c := newContent(child(in, "content"))
	if len(c.parts) == 0 {
		return refuse("content", "contents is not specified")
	}
	for i, p := range c.parts {
		switch {
		case p.kind != "text":
			return refuse(fmt.Sprintf("content.parts[%d]", i), "only text can be embedded with this model")
		case p.text == "":
			return refuse(fmt.Sprintf("content.parts[%d].text", i), "text content is empty")
		}
	}
	size, given := number(in["outputDimensionality"])
	if given && (size < 1 || int(size) > m.Dimensions) {
		return refuse("output_dimensionality", fmt.Sprintf("must be in the range [1, %d]", m.Dimensions))
	}
	if !given {
		size = float64(m.Dimensions)
	}
	return object{"values": vector(c.text(), int(size))}, nil
}

// vector spreads the bytes of a text over n numbers.
func vector(text string, n int) []float64 {
	out := make([]float64, n)
	for i := range n {
		c := text[i%len(text)]
		out[i] = (float64(c) + float64(i%7)) / 1000
	}
	return out
}
