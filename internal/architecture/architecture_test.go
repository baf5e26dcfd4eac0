package architecture

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTree holds the project to the rules.
func TestTree(t *testing.T) {
	files, err := parseTree(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 20 {
		t.Fatalf("only %d files were found: the rules would hold for nothing", len(files))
	}
	for _, v := range violations(files) {
		t.Error(v)
	}
}

// TestRulesBite shows each rule one file that breaks it.
func TestRulesBite(t *testing.T) {
	for name, tc := range map[string]struct {
		file, source string
		want         []string
	}{
		"upwards": {"internal/engine/x.go", `import "leadline/internal/stream"`, []string{
			"internal/engine/x.go imports internal/stream: imports go down only (internal/README.md), and internal/stream is not below internal/engine"}},
		"sideways": {"internal/stream/x.go", `import "leadline/internal/analyst"`, []string{
			"internal/stream/x.go imports internal/analyst: imports go down only (internal/README.md), and internal/analyst is not below internal/stream"}},
		"stranger": {"internal/util/x.go", ``, []string{
			"internal/util has no place in the drawing: add it to a layer here and to internal/README.md"}},
		"socket in the core": {"internal/window/x.go", `import "net/http"`, []string{
			"internal/window/x.go imports net/http: " + bans[0].reason}},
		"random source in the core": {"internal/engine/x.go", `import "math/rand/v2"`, []string{
			"internal/engine/x.go imports math/rand/v2: " + bans[1].reason}},
		"Avro in a role": {"internal/load/x.go", `import "github.com/linkedin/goavro/v2"`, []string{
			"internal/load/x.go imports github.com/linkedin/goavro/v2: " + bans[2].reason}},
		"clock in the core": {"internal/engine/x.go", `import "time"; var x = time.Now()`, []string{
			"internal/engine/x.go uses time.Now: time is an argument in a pure package, so that a replay sees the same"}},
		"goroutine in the core": {"internal/engine/x.go", `func f() { go f() }`, []string{
			"internal/engine/x.go starts a goroutine: a pure package returns before anything happens"}},
		"all is well": {"internal/stream/x.go", `import ("leadline/internal/engine"; "github.com/twmb/franz-go/pkg/kgo"; "time"); var x = time.Now()`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			parsed, err := parser.ParseFile(token.NewFileSet(), tc.file, "package x\n"+tc.source, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, violations(map[string]*ast.File{tc.file: parsed})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// parseTree parses every Go file that is part of a program: tests may import what they like.
func parseTree(root fs.FS) (map[string]*ast.File, error) {
	files := map[string]*ast.File{}
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		source, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		files[name], err = parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		return err
	})
	return files, err
}

// violations are all breaches of the rules, sorted.
func violations(files map[string]*ast.File) []string {
	var found []string
	for name, file := range files {
		pkg := path.Dir(name)
		layer := layerOf(pkg)
		if layer < 0 {
			if !isTestOnly(pkg) {
				found = append(found, pkg+" has no place in the drawing: add it to a layer here and to internal/README.md")
			}
			continue
		}
		for _, spec := range file.Imports {
			found = append(found, importViolations(name, pkg, layer, strings.Trim(spec.Path.Value, `"`))...)
		}
		if slices.Contains(pure, pkg) {
			found = append(found, impurities(name, file)...)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// isTestOnly tells the packages that hold suites for tests; nothing but tests may import them, see importViolations.
func isTestOnly(pkg string) bool { return strings.HasSuffix(pkg, "test") }

func importViolations(name, pkg string, layer int, imported string) []string {
	var found []string
	if own, ok := strings.CutPrefix(imported, "leadline/"); ok {
		if below := layerOf(own); below < 0 || below >= layer {
			found = append(found, fmt.Sprintf("%s imports %s: imports go down only (internal/README.md), and %s is not below %s", name, own, own, pkg))
		}
	}
	for _, b := range bans {
		if b.covers(pkg) && slices.ContainsFunc(b.imports, func(p string) bool { return imported == p || strings.HasPrefix(imported, p+"/") }) {
			found = append(found, fmt.Sprintf("%s imports %s: %s", name, imported, b.reason))
		}
	}
	return found
}

func (b ban) covers(pkg string) bool {
	return (b.from == nil || slices.Contains(b.from, pkg)) && !slices.Contains(b.except, pkg)
}

// impurities finds uses of the wall clock, and goroutines.
func impurities(name string, file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, name+" starts a goroutine: a pure package returns before anything happens")
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
				found = append(found, fmt.Sprintf("%s uses time.%s: time is an argument in a pure package, so that a replay sees the same", name, n.Sel.Name))
			}
		}
		return true
	})
	return found
}

// layerOf is the index of the package's layer, -1 if it has none.
func layerOf(pkg string) int {
	return slices.IndexFunc(layers, func(names []string) bool { return slices.Contains(names, pkg) })
}
