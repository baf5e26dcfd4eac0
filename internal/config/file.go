package config

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"leadline/internal/engine"
)

// entry is one setting as the file says it.
type entry struct {
	text string
	line int
}

// document is a file that was read: its settings by name, and its rules on top of the default ones.
type document struct {
	settings map[string]entry
	rules    engine.Rules
}

// ReadRules reads the rules of the file again, for a reload without restart. It checks the whole file, so that a mistake
// is told now and not at the next restart.
func ReadRules(path string) (engine.Rules, error) {
	doc, err := readDocument(path)
	return doc.rules, err
}

// ReadRulesOver reads the rules of a file as changes: what it says takes the place of the same in any rules, and the rest of those stays.
// The file is checked as ReadRules does.
func ReadRulesOver(path string) (func(engine.Rules) (engine.Rules, error), error) {
	if _, err := readDocument(path); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("rules file: %w", err)
	}
	return func(under engine.Rules) (engine.Rules, error) {
		own, err := engine.ParseRules(string(under.JSON())) // a copy: the rules hold maps
		if err != nil {
			return own, err
		}
		doc, err := parseOver(path, text, own)
		if err == nil {
			err = doc.rules.Validate()
		}
		if err != nil {
			return own, fmt.Errorf("%s over the rules that were in force: %w", path, err)
		}
		return doc.rules, nil
	}, nil
}

func readDocument(path string) (document, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return document{}, fmt.Errorf("configuration file: %w", err)
	}
	doc, err := parseDocument(path, text)
	if err != nil {
		return document{}, err
	}
	if err := doc.rules.Validate(); err != nil {
		return document{}, fmt.Errorf("%s: rules: %w", path, err)
	}
	return doc, nil
}

// parseDocument is strict: a key that is not a setting, a second document, an anchor or a key said twice is an error that
// names its line. Messages never quote the file's text, which may hold secrets.
func parseDocument(path string, text []byte) (document, error) {
	return parseOver(path, text, engine.DefaultRules())
}

// parseOver is parseDocument on top of rules, which it may change.
func parseOver(path string, text []byte, under engine.Rules) (document, error) {
	doc := document{settings: map[string]entry{}, rules: under}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return doc, fmt.Errorf("%s: %w", path, withoutSource(err))
	}
	if len(file.Docs) > 1 {
		return doc, fmt.Errorf("%s: more than one YAML document: keep one", path)
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return doc, nil
	}
	w := walker{path: path, doc: &doc, known: map[string]value{}}
	var c Config
	for _, r := range c.table() {
		w.known[r.name] = r.at
	}
	w.mapping("", file.Docs[0].Body)
	return doc, errors.Join(w.errs...)
}

type walker struct {
	path  string
	doc   *document
	known map[string]value
	errs  []error
}

func (w *walker) fail(n ast.Node, format string, args ...any) {
	w.errs = append(w.errs, fmt.Errorf("%s:%d: %s", w.path, line(n), fmt.Sprintf(format, args...)))
}

func (w *walker) mapping(under string, n ast.Node) {
	m, ok := n.(ast.MapNode)
	if !ok {
		w.fail(n, "want settings as name: value%s", inside(under))
		return
	}
	for it := m.MapRange(); it.Next(); {
		name := it.Key().String()
		if strings.Contains(name, ".") {
			w.fail(it.Key(), "%s: write sections as indented blocks, without a dot", name)
			continue
		}
		if under != "" {
			name = under + "." + name
		}
		w.setting(name, it.KeyValue())
	}
}

func (w *walker) setting(name string, kv *ast.MappingValueNode) {
	if name == "rules" {
		w.readRules(kv.Value)
		return
	}
	at, known := w.known[name]
	_, section := kv.Value.(ast.MapNode)
	switch {
	case known:
		w.scalar(name, at, kv)
	case section && w.isSection(name):
		w.mapping(name, kv.Value)
	case w.isSection(name):
		if kv.Value.Type() != ast.NullType {
			w.fail(kv.Key, "%s is a section: put its settings below it, indented", name)
		}
	default:
		w.fail(kv.Key, "unknown setting %s%s", name, w.similar(name))
	}
}

// scalar takes a value that stands alone, or a list where several addresses are possible. A name without a value is as
// good as not said.
func (w *walker) scalar(name string, at value, kv *ast.MappingValueNode) {
	if kv.Value.Type() == ast.NullType {
		return
	}
	text, ok := scalarText(kv.Value)
	if seq, isSeq := kv.Value.(*ast.SequenceNode); isSeq {
		if _, takesMany := at.(addrsValue); takesMany {
			text, ok = sequenceText(seq)
		}
	}
	if !ok {
		w.fail(kv.Value, "%s wants one value", name)
		return
	}
	w.doc.settings[name] = entry{text: text, line: line(kv.Key)}
}

func (w *walker) readRules(n ast.Node) {
	if n.Type() == ast.NullType {
		return
	}
	if err := decodeRules(n, &w.doc.rules); err != nil {
		w.errs = append(w.errs, fmt.Errorf("%s: rules: %w", w.path, err))
	}
}

func decodeRules(n ast.Node, into *engine.Rules) (err error) {
	defer func() {
		if r := recover(); r != nil { // the library panics on a tag where a list is wanted
			err = fmt.Errorf("not readable as rules, look for a stray ! or tag: %v", r)
		}
	}()
	if err := yaml.NodeToValue(n, into, yaml.Strict()); err != nil {
		return withoutSource(err)
	}
	return nil
}

func (w *walker) isSection(name string) bool {
	for known := range w.known {
		if strings.HasPrefix(known, name+".") {
			return true
		}
	}
	return false
}

// similar points at a flat or dashed spelling, the likely mistakes.
func (w *walker) similar(name string) string {
	for known := range w.known {
		if flagName(known) == flagName(name) {
			return ": did you mean " + known + "?"
		}
	}
	return " (leadline settings lists all)"
}

func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.BoolNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func sequenceText(seq *ast.SequenceNode) (string, bool) {
	parts := make([]string, len(seq.Values))
	for i, n := range seq.Values {
		text, ok := scalarText(n)
		if !ok {
			return "", false
		}
		parts[i] = text
	}
	return strings.Join(parts, ","), true
}

func line(n ast.Node) int {
	if tk := n.GetToken(); tk != nil && tk.Position != nil {
		return tk.Position.Line
	}
	return 0
}

func inside(under string) string {
	if under == "" {
		return ""
	}
	return " below " + under
}

// withoutSource drops the excerpt that the YAML library adds to its messages.
func withoutSource(err error) error {
	return errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
}
