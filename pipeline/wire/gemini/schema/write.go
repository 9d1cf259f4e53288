package schema

import "gcli2api/pipeline/wire"

// write appends the finished schema. Keywords come in the order of the client.
func (n *node) write(dst []byte) []byte {
	dst = append(dst, '{')
	open := len(dst)
	for _, w := range n.order[:n.ordered] {
		if !n.says(w) {
			continue
		}
		if len(dst) > open {
			dst = append(dst, ',')
		}
		dst = n.writeWord(dst, w)
	}
	return append(dst, '}')
}

// writeWord appends the member for a keyword that says something.
func (n *node) writeWord(dst []byte, w word) []byte {
	switch w {
	case wType:
		return n.writeType(dst)
	case wTitle:
		return writeText(dst, `"title":`, n.title)
	case wDescription:
		return writeText(dst, `"description":`, n.description)
	case wFormat:
		return writeText(dst, `"format":`, n.format)
	case wMinItems:
		return writeNumber(dst, `"minItems":`, n.minItems)
	case wMaxItems:
		return writeNumber(dst, `"maxItems":`, n.maxItems)
	case wMinimum:
		return writeNumber(dst, `"minimum":`, n.minimum)
	case wMaximum:
		return writeNumber(dst, `"maximum":`, n.maximum)
	case wRequired:
		return writeNames(dst, `"required":[`, n.required.list)
	case wOrdering:
		return writeNames(dst, `"propertyOrdering":[`, n.ordering.list)
	case wPrefixItems:
		return writeSchemas(dst, `"prefixItems":[`, n.prefix)
	case wAnyOf:
		return writeSchemas(dst, `"anyOf":[`, n.anyOf)
	case wEnum:
		return n.writeEnum(dst)
	case wProperties:
		return n.writeProperties(dst)
	case wAdditional:
		return n.writeAdditional(dst)
	}
	return n.items.write(append(dst, `"items":`...))
}

func (n *node) writeType(dst []byte) []byte {
	list := n.types&(n.types-1) != 0
	if dst = append(dst, `"type":`...); list {
		dst = append(dst, '[')
	}
	first := true
	for i, name := range kindNames {
		if n.types&(1<<i) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(append(dst, '"'), name...), '"')
	}
	if list {
		dst = append(dst, ']')
	}
	return dst
}

func writeText(dst []byte, key string, text []byte) []byte {
	return wire.AppendQuotedBytes(append(dst, key...), text)
}

func writeNumber(dst []byte, key string, number []byte) []byte {
	return append(append(dst, key...), number...)
}

func writeNames(dst []byte, key string, list [][]byte) []byte {
	dst = append(dst, key...)
	for i, name := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = wire.AppendQuotedBytes(dst, name)
	}
	return append(dst, ']')
}

func writeSchemas(dst []byte, key string, list []*node) []byte {
	dst = append(dst, key...)
	for i, one := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = one.write(dst)
	}
	return append(dst, ']')
}

func (n *node) writeEnum(dst []byte) []byte {
	dst = append(dst, `"enum":[`...)
	for i, d := range n.enum {
		if i > 0 {
			dst = append(dst, ',')
		}
		if d.kind == wire.KindString {
			dst = wire.AppendQuotedBytes(dst, d.text)
		} else {
			dst = append(dst, d.text...)
		}
	}
	return append(dst, ']')
}

func (n *node) writeProperties(dst []byte) []byte {
	dst = append(dst, `"properties":{`...)
	for i, p := range n.props.list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(wire.AppendQuotedBytes(dst, p.name), ':')
		dst = p.node.write(dst)
	}
	return append(dst, '}')
}

func (n *node) writeAdditional(dst []byte) []byte {
	switch n.extra {
	case extraYes:
		return append(dst, `"additionalProperties":true`...)
	case extraNo:
		return append(dst, `"additionalProperties":false`...)
	}
	return n.rest.write(append(dst, `"additionalProperties":`...))
}
