package window

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// ItemID is an item's index in its shard's dictionary.
type ItemID uint32

// MaxItems bounds a shard's dictionary, so that ids stay within three bytes and hostile input cannot take all memory.
const MaxItems = 65_536

// maxName bounds one name inside an encoded run.
const maxName = 1 << 20

// Errors of the dictionary.
var (
	ErrFull    = errors.New("item dictionary is full")
	ErrCorrupt = errors.New("corrupt encoding")
)

// Items is a shard's dictionary. It only grows (but for a rollback), so an id once written to a blob keeps its meaning. It also
// numbers the distinct categories, types, products and departments densely, in the order of their first appearance.
type Items struct {
	items                                    []Item
	ids                                      map[Item]ItemID
	categories, types, products, departments Numbers
}

// NewItems is an empty dictionary.
func NewItems() *Items {
	return &Items{ids: map[Item]ItemID{}, categories: newNumbers(), types: newNumbers(), products: newNumbers(), departments: newNumbers()}
}

// By gives the numbers of what links of a level call the items.
func (x *Items) By(level string) *Numbers {
	switch level {
	case sales.LevelProduct:
		return &x.products
	case sales.LevelType:
		return &x.types
	case sales.LevelDepartment:
		return &x.departments
	default:
		return &x.categories
	}
}

// ID gives the item's id and adds the item, with strings of its own, when it is new. ErrFull when there is no room.
func (x *Items) ID(it Item) (ItemID, error) {
	if id, ok := x.ids[it]; ok {
		return id, nil
	}
	if len(x.items) >= MaxItems {
		return 0, ErrFull
	}
	it.Category, it.Type = x.categories.add(it.Category), x.types.add(it.Type)
	it.Product, it.Department = x.products.add(it.Product), x.departments.add(it.Department)
	id := ItemID(len(x.items))
	x.items = append(x.items, it)
	x.ids[it] = id
	return id, nil
}

// Item gives what the id stands for. The id must be below Len.
func (x *Items) Item(id ItemID) Item { return x.items[id] }

// Len is the number of items.
func (x *Items) Len() int { return len(x.items) }

// Category is the item's category as a number below Categories.
func (x *Items) Category(id ItemID) int32 { return x.categories.of[id] }

// Type is the item's type as a number below Types.
func (x *Items) Type(id ItemID) int32 { return x.types.of[id] }

// Categories is the number of distinct categories.
func (x *Items) Categories() int { return len(x.categories.list) }

// Types is the number of distinct types.
func (x *Items) Types() int { return len(x.types.list) }

// CategoryName gives the category of a number.
func (x *Items) CategoryName(c int32) string { return x.categories.list[c] }

// TypeName gives the type of a number.
func (x *Items) TypeName(t int32) string { return x.types.list[t] }

// Find gives the id of an item that is in the dictionary.
func (x *Items) Find(it Item) (ItemID, bool) { id, ok := x.ids[it]; return id, ok }

// FindCategory gives the number of a category that some item has.
func (x *Items) FindCategory(name string) (int32, bool) {
	return x.categories.Find(name)
}

// Truncate forgets the items from n on: the rollback of a step that added them.
func (x *Items) Truncate(n int) {
	if n >= len(x.items) {
		return
	}
	for _, it := range x.items[n:] {
		delete(x.ids, it)
	}
	x.items = x.items[:n]
	for _, level := range sales.LinkLevels() {
		x.By(level).truncate(n)
	}
}

// RunItems is how many items a run has at the most: with names of 256 bytes it stays near half a megabyte, which every Kafka
// topic takes as one record.
const RunItems = 1_000

// AppendRun encodes the items from first on, at most RunItems of them; nil when there are none. Where one has a product or a department a 0 comes
// first, and each item's two names last: a run without is what earlier releases wrote and read.
func (x *Items) AppendRun(first int) []byte {
	if first >= len(x.items) {
		return nil
	}
	items := x.items[first:min(len(x.items), first+RunItems)]
	fine := slices.ContainsFunc(items, func(it Item) bool { return it.Product != "" || it.Department != "" })
	var dst []byte
	if fine {
		dst = append(dst, 0)
	}
	dst = binary.AppendUvarint(dst, uint64(len(items)))
	for _, it := range items {
		dst = appendName(dst, it.Category)
		if it.Type == it.Category { // a quarter of all types: 0 says so, any other type is its length plus one
			dst = append(dst, 0)
		} else {
			dst = append(binary.AppendUvarint(dst, uint64(len(it.Type))+1), it.Type...)
		}
		dst = binary.AppendVarint(dst, int64(it.Tier))
		if fine {
			dst = appendName(appendName(dst, it.Product), it.Department)
		}
	}
	return dst
}

// AddRun adds a run whose first item has the given index. A run, or the part of it, that is known already is only compared. A gap,
// a contradiction or a broken encoding is ErrCorrupt, and then nothing is added.
func (x *Items) AddRun(first int, run []byte) error {
	if first < 0 || first > len(x.items) {
		return fmt.Errorf("add item run at %d to %d items: %w", first, len(x.items), ErrCorrupt)
	}
	added, err := decodeRun(run)
	if err != nil {
		return fmt.Errorf("decode item run at %d: %w", first, err)
	}
	before := len(x.items)
	for i, it := range added {
		if id, err := x.ID(it); err != nil || int(id) != first+i {
			x.Truncate(before)
			return fmt.Errorf("add item %d of run at %d: %w", i, first, ErrCorrupt)
		}
	}
	return nil
}

func decodeRun(run []byte) ([]Item, error) {
	fine := len(run) > 0 && run[0] == 0
	if fine {
		run = run[1:]
	}
	r := reader{b: run}
	n := r.count(3)
	items := make([]Item, 0, n)
	for range n {
		it := Item{Category: r.name()}
		it.Type = it.Category
		if n := r.uvarint(maxName); n > 0 {
			it.Type = string(r.bytes(int(n - 1)))
		}
		it.Tier = int32(r.varint(math.MinInt32, math.MaxInt32))
		if fine {
			it.Product, it.Department = r.name(), r.name()
		}
		items = append(items, it)
	}
	if r.bad || len(r.b) != 0 {
		return nil, ErrCorrupt
	}
	return items, nil
}

func appendName(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// Numbers numbers one of the items' names in the order of their first appearance.
type Numbers struct {
	ids  map[string]int32
	list []string
	of   []int32 // by ItemID
}

func newNumbers() Numbers { return Numbers{ids: map[string]int32{}} }

// Of is the number of the item's name, below Len.
func (n *Numbers) Of(id ItemID) int32 { return n.of[id] }

// Len is how many names there are.
func (n *Numbers) Len() int { return len(n.list) }

// Name gives the name of a number.
func (n *Numbers) Name(number int32) string { return n.list[number] }

// Find gives the number of a name that some item has.
func (n *Numbers) Find(name string) (int32, bool) { number, ok := n.ids[name]; return number, ok }

// add numbers the next item's name, and gives the one kept copy of it.
func (n *Numbers) add(name string) string {
	number, ok := n.ids[name]
	if !ok {
		number, name = int32(len(n.list)), strings.Clone(name)
		n.ids[name] = number
		n.list = append(n.list, name)
	}
	n.of = append(n.of, number)
	return n.list[number]
}

// truncate forgets the items from n on.
func (n *Numbers) truncate(items int) {
	n.of = n.of[:items]
	length := highest(n.of)
	for _, name := range n.list[length:] {
		delete(n.ids, name)
	}
	n.list = n.list[:length]
}

// highest is one more than the highest number, 0 of none.
func highest(numbers []int32) int {
	top := int32(-1)
	for _, n := range numbers {
		top = max(top, n)
	}
	return int(top) + 1
}
