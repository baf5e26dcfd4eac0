package wire

import (
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/avro"
)

// writer is a parsed writer's schema while it is compiled.
type writer struct {
	root        *avro.SchemaNode
	definitions map[string]*avro.SchemaNode // named types by full name
	references  map[*avro.SchemaNode]*avro.SchemaNode
	skippers    map[*avro.SchemaNode]*skipper
}

func parseWriter(text string) (*writer, error) {
	parsed, err := avro.Parse(text)
	if err != nil {
		return nil, err
	}
	w := &writer{
		root:        parsed.Root(),
		definitions: map[string]*avro.SchemaNode{},
		references:  map[*avro.SchemaNode]*avro.SchemaNode{},
		skippers:    map[*avro.SchemaNode]*skipper{},
	}
	walk(w.root, "", func(n *avro.SchemaNode, _ string) {
		if n.Type == "error" { // a record under another name
			n.Type = "record"
		}
		if n.Name != "" {
			w.definitions[fullName(n)] = n
		}
	})
	walk(w.root, "", func(n *avro.SchemaNode, namespace string) {
		if !builtin[n.Type] {
			err = errors.Join(err, w.refer(n, namespace))
		}
	})
	return w, err
}

var builtin = map[string]bool{"null": true, "boolean": true, "int": true, "long": true, "float": true, "double": true, "bytes": true,
	"string": true, "fixed": true, "enum": true, "array": true, "map": true, "record": true, "union": true}

// walk visits a schema's nodes, each with the namespace in which names stand there.
func walk(n *avro.SchemaNode, namespace string, visit func(n *avro.SchemaNode, namespace string)) {
	if n == nil {
		return
	}
	visit(n, namespace)
	if n.Name != "" {
		namespace = n.Namespace
	}
	for i := range n.Fields {
		walk(&n.Fields[i].Type, namespace, visit)
	}
	for i := range n.Branches {
		walk(&n.Branches[i], namespace, visit)
	}
	walk(n.Items, namespace, visit)
	walk(n.Values, namespace, visit)
}

// refer remembers what a node stands for that is only the name of a type.
func (w *writer) refer(n *avro.SchemaNode, namespace string) error {
	def, ok := w.definitions[qualified(namespace, n.Type)]
	if !ok {
		def, ok = w.definitions[n.Type]
	}
	if !ok {
		return fmt.Errorf("type %s is not defined", n.Type)
	}
	w.references[n] = def
	return nil
}

func fullName(n *avro.SchemaNode) string { return qualified(n.Namespace, n.Name) }

func qualified(namespace, name string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (w *writer) resolve(n *avro.SchemaNode) *avro.SchemaNode {
	if def, ok := w.references[n]; ok {
		return def
	}
	return n
}
