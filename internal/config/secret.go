package config

import (
	"fmt"
	"os"
	"strings"
)

// Secret is a value that no log line, message or dump shows.
type Secret struct{ plain string }

// NewSecret keeps a value out of sight.
func NewSecret(plain string) Secret { return Secret{plain: plain} }

// Reveal gives the value, for the one place that hands it to a server.
func (s Secret) Reveal() string { return s.plain }

// Format hides the value under every verb, %+v and %#v included.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.String())) }

// String is empty for no secret, else ***.
func (s Secret) String() string {
	if s.plain == "" {
		return ""
	}
	return "***"
}

// MarshalText hides the value from encoders (JSON, YAML, zap).
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// readSecret takes the secret from its own file when one is named. The setting and the file at once would leave open
// which of them counts.
func readSecret(into *Secret, file, setting string) error {
	if file == "" {
		return nil
	}
	if into.plain != "" {
		return fmt.Errorf("%s and %s_file are both set: keep one of them", setting, setting)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s_file: %w", setting, err)
	}
	into.plain = strings.TrimRight(string(text), "\r\n")
	return nil
}
