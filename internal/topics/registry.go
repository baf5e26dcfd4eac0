package topics

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/sr"

	"leadline/schemas"
)

// registerAll registers every topic's schema, after checking it against each version that is registered already.
func (a *Admin) registerAll(ctx context.Context, alter bool, done *Changes) error {
	for _, t := range Catalogue(a.opts) {
		text, ok := t.schema()
		if !ok {
			continue
		}
		if err := a.register(ctx, schemas.Subject(a.name(t)), text, alter, done); err != nil {
			return err
		}
	}
	return nil
}

func (a *Admin) register(ctx context.Context, subject, text string, alter bool, done *Changes) error {
	known, err := a.subject(ctx, subject, text)
	if err != nil {
		return err
	}
	if known.id == 0 {
		if known.conflict != nil {
			return fmt.Errorf("register %s: %w", subject, known.conflict)
		}
		if _, err := a.registry.CreateSchema(ctx, subject, sr.Schema{Schema: text}); err != nil {
			return fmt.Errorf("register %s: %w", subject, err)
		}
		done.Registered = append(done.Registered, subject)
	}
	if known.level == sr.CompatFullTransitive {
		return nil
	}
	if len(known.versions) > 0 && !alter {
		done.Differences = append(done.Differences, levelDifference(subject, known))
		return nil
	}
	for _, r := range a.registry.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, subject) {
		if r.Err != nil {
			return fmt.Errorf("set compatibility of %s: %w", subject, r.Err)
		}
	}
	return nil
}

// subject is what the registry knows of one subject.
type subject struct {
	versions []sr.SubjectSchema
	id       int // of our schema, 0 = it is not registered
	level    sr.CompatibilityLevel
	hasLevel bool
	conflict error // why our schema can not follow the registered versions
}

func (a *Admin) subject(ctx context.Context, name, text string) (subject, error) {
	var s subject
	versions, err := a.registry.Schemas(ctx, name)
	if err != nil && !notFound(err) {
		return s, fmt.Errorf("read schemas of %s: %w", name, err)
	}
	s.versions = versions
	for _, v := range versions {
		if err := schemas.CompatibleAs(fmt.Sprintf("version %d", v.Version), v.Schema.Schema, "this Leadline's schema", text); err != nil {
			s.conflict = errors.Join(s.conflict, err)
		}
	}
	if len(versions) > 0 {
		found, err := a.registry.LookupSchema(ctx, name, sr.Schema{Schema: text})
		if err != nil && !notFound(err) {
			return s, fmt.Errorf("look up schema of %s: %w", name, err)
		}
		s.id = found.ID
	}
	for _, r := range a.registry.Compatibility(ctx, name) {
		if r.Err != nil && !notFound(r.Err) {
			return s, fmt.Errorf("read compatibility of %s: %w", name, r.Err)
		}
		s.level, s.hasLevel = r.Level, r.Err == nil
	}
	return s, nil
}

// CheckSchemas is the part of Check that asks the registry.
func (a *Admin) CheckSchemas(ctx context.Context) ([]Difference, error) {
	var diffs []Difference
	for _, t := range Catalogue(a.opts) {
		text, ok := t.schema()
		if !ok {
			continue
		}
		name := schemas.Subject(a.name(t))
		s, err := a.subject(ctx, name, text)
		if err != nil {
			return diffs, err
		}
		diffs = append(diffs, s.differences(name)...)
	}
	return diffs, nil
}

func (s subject) differences(name string) []Difference {
	var diffs []Difference
	if s.id == 0 {
		diffs = append(diffs, Difference{Where: name, What: "schema", Have: "not registered", Want: "this version's", Todo: todoCreate})
	}
	if s.conflict != nil {
		diffs = append(diffs, Difference{Where: name, What: "schema", Have: "incompatible: " + strings.ReplaceAll(s.conflict.Error(), "\n", "; "), Want: "compatible with every version",
			Todo: "take the change back and delete that version (deploy/README.md, Changing a schema), or use another topic_prefix"})
	}
	if len(s.versions) > 0 && s.level != sr.CompatFullTransitive {
		diffs = append(diffs, levelDifference(name, s))
	}
	return diffs
}

func levelDifference(name string, s subject) Difference {
	have := "the registry's default"
	if s.hasLevel {
		have = s.level.String()
	}
	return Difference{Where: name, What: "compatibility", Have: have, Want: sr.CompatFullTransitive.String(), Todo: todoAlter}
}

// IDs gives the registered id of every schema that Leadline writes, by subject without the tenant's prefix, as the
// encoder wants them. A schema that is not registered is an error that says what to do.
func IDs(ctx context.Context, registry *sr.Client, prefix string) (map[string]int, error) {
	ids := map[string]int{}
	for _, topic := range schemas.Topics() {
		text, _ := schemas.ForTopic(topic)
		found, err := registry.LookupSchema(ctx, schemas.Subject(prefix+topic), sr.Schema{Schema: text})
		switch {
		case notFound(err):
			return nil, fmt.Errorf("%w: %s: %s", ErrNotRegistered, schemas.Subject(prefix+topic), todoCreate)
		case err != nil:
			return nil, fmt.Errorf("look up schema of %s: %w", schemas.Subject(prefix+topic), err)
		}
		ids[schemas.Subject(topic)] = found.ID
	}
	return ids, nil
}

// ErrNotRegistered means that the registry answered, and does not know a schema that this version writes.
var ErrNotRegistered = errors.New("schema is not registered")

// notFound is true only for the registry's own error codes: a bare 404 may come from anything on the way there.
func notFound(err error) bool {
	var answer *sr.ResponseError
	return errors.As(err, &answer) && sr.IsNotFoundError(answer.ErrorCode)
}
