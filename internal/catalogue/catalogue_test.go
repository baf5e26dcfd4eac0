package catalogue_test

import (
	"math"
	"testing"
	"unsafe"

	"leadline/internal/catalogue"
	"leadline/internal/sales"
	"leadline/internal/window"

	"pgregory.net/rapid"
)

func TestSizesOfRealNames(t *testing.T) {
	for name, want := range map[string]catalogue.Size{
		"KIDS CEREAL 14.5 OZ":                 {Unit: catalogue.Mass, Amount: 14.5},
		"PUDDINGS DRY .9 OZ":                  {Unit: catalogue.Mass, Amount: 0.9},
		"PISTACHIOS 2 LB":                     {Unit: catalogue.Mass, Amount: 32},
		"POTATOES RUSSET (BULK&BAG) 8 LB BAG": {Unit: catalogue.Mass, Amount: 128},
		"ORGANIC PEARS LB":                    {Unit: catalogue.Mass, Amount: 16},
		"POPCORN - MICROWAVE 3/3 OZ":          {Unit: catalogue.Mass, Amount: 9},
		"FRUIT BOWL AND CUPS 6 PK/4 OZ":       {Unit: catalogue.Mass, Amount: 24},
		"SW GDS: MUFFINS 9 CT/35 OZ":          {Unit: catalogue.Mass, Amount: 35},
		"TAMALES 13 1/2 OZ":                   {Unit: catalogue.Mass, Amount: 13.5},
		"GUM (PACKAGED) 564856 4 OZ":          {Unit: catalogue.Mass, Amount: 4},
		"DRAIN CARE 64  OZ":                   {Unit: catalogue.Mass, Amount: 64},
		"COLD AND FLU .50 FL OZ":              {Unit: catalogue.Volume, Amount: 0.5},
		"WATER 64 FL OZ":                      {Unit: catalogue.Volume, Amount: 64},
		"DAIRY CASE 100% PURE JUICE - O 1 GA": {Unit: catalogue.Volume, Amount: 128},
		"FLUID MILK WHITE ONLY 1/2 GAL":       {Unit: catalogue.Volume, Amount: 64},
		"RICE BEVERAGE QT":                    {Unit: catalogue.Volume, Amount: 32},
		"FRUIT VARIETAL WINES 4/187 ML":       {Unit: catalogue.Volume, Amount: 748 * 0.033814},
		"RTD COCKTAILS 750ML PLUS 1.75 L":     {Unit: catalogue.Volume, Amount: 1.75 * 33.814},
		"VITAMIN - NON HERBAL 200 CT":         {Unit: catalogue.Count, Amount: 200},
		"EGGS - X-LARGE 1 DZ":                 {Unit: catalogue.Count, Amount: 12},
		"TOILET TISSUE 83.5 SQ FT":            {Unit: catalogue.Area, Amount: 83.5},
		"MEAT: BEEF BULK":                     {Unit: catalogue.Each, Amount: 1},
		"CIGARETTES 516666 CTN":               {Unit: catalogue.Each, Amount: 1},
		"PANSIES 0 OZ":                        {Unit: catalogue.Each, Amount: 1},
		"":                                    {Unit: catalogue.Each, Amount: 1},
	} {
		got := catalogue.ParseSize(name)
		if got.Unit != want.Unit || math.Abs(got.Amount-want.Amount) > 1e-9*want.Amount {
			t.Errorf("size of %q is %g %s, want %g %s", name, got.Amount, got.Unit, want.Amount, want.Unit)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	f.Add("KIDS CEREAL 14.5 OZ")
	f.Add("A 999 PK/9999 999999/999999.9999 DZ")
	f.Add("A 0/0 GAL")
	f.Fuzz(func(t *testing.T, name string) {
		if s := catalogue.ParseSize(name); !(s.Amount > 0) || math.IsInf(s.Amount, 0) || s.Unit > catalogue.Area {
			t.Errorf("size of %q is %v", name, s)
		}
	})
}

func TestBucketHoldsItsPrice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := catalogue.Price{
			Unit:  catalogue.Unit(rapid.IntRange(0, 4).Draw(t, "unit")),
			Minor: math.Exp(rapid.Float64Range(-90, 90).Draw(t, "log")),
		}
		middle, ok := catalogue.PriceOf(p.Bucket())
		if !ok || middle.Unit != p.Unit || math.Abs(math.Log(middle.Minor/p.Minor)) > 0.01+1e-9 {
			t.Fatalf("%v is counted as %v", p, middle)
		}
		dearer := catalogue.Price{Unit: p.Unit, Minor: p.Minor * 1.03}
		if dearer.Bucket() <= p.Bucket() {
			t.Fatalf("3%% more than %v is not counted as dearer", p)
		}
	})
}

func TestBucketsOfExtremes(t *testing.T) {
	for _, p := range []catalogue.Price{{Minor: math.SmallestNonzeroFloat64}, {Unit: catalogue.Area, Minor: math.MaxFloat64}, {Minor: math.Inf(1)}} {
		if got, ok := catalogue.PriceOf(p.Bucket()); !ok || got.Unit != p.Unit {
			t.Errorf("%v is counted as %v", p, got)
		}
	}
	for _, wild := range []int32{-1, math.MinInt32, math.MaxInt32, 50_000} {
		if p, ok := catalogue.PriceOf(wild); ok {
			t.Errorf("bucket %d has price %v", wild, p)
		}
	}
}

func shop() *catalogue.Catalogue {
	c := catalogue.New()
	c.Set(sales.Product{ProductID: "own", Name: "COLA 20 OZ", Type: "COLA", Category: "SOFT DRINKS", Brand: "Private"})
	c.Set(sales.Product{ProductID: "brand", Name: "COLA 10 OZ", Type: "COLA", Category: "SOFT DRINKS", Brand: "National"})
	c.Set(sales.Product{ProductID: "gold", Name: "COLA 10 OZ", Type: "COLA", Category: "SOFT DRINKS", Brand: "Private", Tier: 7})
	c.Set(sales.Product{ProductID: "untyped", Name: "THING", Category: "GADGETS"})
	return c
}

func TestItemOfALine(t *testing.T) {
	c := shop()
	for _, x := range []struct {
		product, category string
		want              window.Item
	}{
		{"own", "SOFT DRINKS", window.Item{Category: "SOFT DRINKS", Type: "COLA", Tier: 1}},
		{"brand", "SOFT DRINKS", window.Item{Category: "SOFT DRINKS", Type: "COLA", Tier: 2}},
		{"gold", "SOFT DRINKS", window.Item{Category: "SOFT DRINKS", Type: "COLA", Tier: 7}},
		{"own", "", window.Item{Category: "SOFT DRINKS", Type: "COLA", Tier: 1}},
		{"own", "PROMOTION", window.Item{Category: "PROMOTION", Type: "COLA", Tier: 1}},
		{"untyped", "GADGETS", window.Item{Category: "GADGETS", Type: "GADGETS"}},
		{"unheard of", "GADGETS", window.Item{Category: "GADGETS", Type: "GADGETS"}},
	} {
		if got := c.Item(x.product, x.category); got != x.want {
			t.Errorf("a line of %q in %q holds %v, want %v", x.product, x.category, got, x.want)
		}
	}
}

func TestBrandTiersHoldForKnownProducts(t *testing.T) {
	c := shop()
	c.SetBrandTiers(map[string]int32{"National": 5})
	for product, want := range map[string]int32{"own": 0, "brand": 5, "gold": 7} {
		if got := c.Item(product, "").Tier; got != want {
			t.Errorf("%s has tier %d, want %d", product, got, want)
		}
	}
	c.Delete("brand")
	if got := c.Item("brand", "X"); got != (window.Item{Category: "X", Type: "X"}) {
		t.Errorf("a deleted product still is %v", got)
	}
}

func TestUnitPrice(t *testing.T) {
	c := shop()
	p, ok := c.UnitPrice("own", 2, 400)
	if !ok || p != (catalogue.Price{Unit: catalogue.Mass, Minor: 10}) {
		t.Errorf("two colas of 20 ounces for 4.00 cost %v", p)
	}
	for _, x := range []struct {
		product  string
		quantity int32
		amount   int64
	}{{"own", 0, 100}, {"own", 1, 0}, {"unheard of", 1, 100}} {
		if p, ok := c.UnitPrice(x.product, x.quantity, x.amount); ok {
			t.Errorf("%v has unit price %v", x, p)
		}
	}
}

func TestCatalogueKeepsNoRecordBytes(t *testing.T) {
	id, typ := []byte("p1"), []byte("COLA")
	c := catalogue.New()
	c.Set(sales.Product{ProductID: alias(id), Type: alias(typ), Category: "DRINKS"})
	copy(id, "XX")
	copy(typ, "XXXX")
	if got := c.Item("p1", "DRINKS").Type; got != "COLA" {
		t.Errorf("type became %q when the record's bytes were reused", got)
	}
}

// alias is a string over bytes that change, as the decoder hands them out.
func alias(b []byte) string { return unsafe.String(&b[0], len(b)) }
