package figures

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// section is what stands in a page between two marks. An empty one leaves the page's as it is.
type section struct{ name, text string }

func (s section) begin() string { return "<!-- " + s.name + ": written by leadline bench report -->\n" }
func (s section) end() string   { return "<!-- end of " + s.name + " -->\n" }

// WritePage draws the pictures beside the page, and writes the sections that the results have something for into it. The rest of the page
// stays as it is; a page that is not there yet is begun.
func WritePage(page string, r *Results) error {
	dir := filepath.Dir(page)
	text, err := os.ReadFile(page)
	begun := errors.Is(err, fs.ErrNotExist)
	if err != nil && !begun {
		return fmt.Errorf("read the page: %w", err)
	}
	for _, of := range []func(*Results, string) (section, error){growthSection, drainSection, latencySection, recoverySection, comparisonSection} {
		s, err := of(r, dir)
		if err != nil {
			return err
		}
		switch {
		case s.text == "":
		case begun:
			text = append(text, s.begin()+s.text+s.end()+"\n"...)
		default:
			if text, err = s.into(text); err != nil {
				return fmt.Errorf("%s: %w", page, err)
			}
		}
	}
	if err := os.WriteFile(page, text, 0o644); err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// into puts the section between its marks.
func (s section) into(page []byte) ([]byte, error) {
	before, rest, ok := strings.Cut(string(page), s.begin())
	_, after, ended := strings.Cut(rest, s.end())
	if !ok || !ended {
		return nil, fmt.Errorf("no place for the section %s: write the lines\n%s%swhere it is to stand", s.name, s.begin(), s.end())
	}
	return []byte(before + s.begin() + s.text + s.end() + after), nil
}

// printed sets a measurement's own table.
func printed(text *strings.Builder, measured interface{ Print(io.Writer) error }) error {
	text.WriteString("```\n")
	if err := measured.Print(text); err != nil {
		return err
	}
	text.WriteString("```\n\n")
	return nil
}
