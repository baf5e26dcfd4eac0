package load_test

import (
	"strings"
	"testing"

	"leadline/internal/load"
	"leadline/internal/sales"
)

// Each gives what Run would send, and counts what Run would refuse.
func TestEach(t *testing.T) {
	const text = `{"product_id":"a","name":"A","category":"TEA"}
{"product_id":"","name":"nobody","category":"TEA"}
{"product_id":"b","name":"B","category":"TEA"}`
	var got []string
	rejected, err := load.Each(t.Context(), load.Options{Paths: []string{"-"}, Stdin: strings.NewReader(text), Topic: "products"}, func(record any) error {
		got = append(got, record.(*sales.Product).ProductID)
		return nil
	})
	if err != nil || rejected != 1 || strings.Join(got, " ") != "a b" {
		t.Errorf("%v, %d rejected, %v", err, rejected, got)
	}
}
