package window

import (
	"cmp"
	"slices"
)

// Translate gives each item of the window the id that to says, as when the customer moves to a shard with another dictionary. On
// an error of to the window must not be used any more.
func (w *Window) Translate(to func(ItemID) (ItemID, error)) (err error) {
	for i := range w.lines {
		if w.lines[i].Item, err = to(w.lines[i].Item); err != nil {
			return err
		}
	}
	for i := range w.touches {
		if t := &w.touches[i]; t.About != NoItem {
			if t.About, err = to(t.About); err != nil {
				return err
			}
		}
	}
	for i := range w.past {
		if w.past[i].Item, err = to(w.past[i].Item); err != nil {
			return err
		}
	}
	slices.SortFunc(w.past, func(a, b Past) int { return cmp.Compare(a.Item, b.Item) })
	slices.SortFunc(w.lines, func(a, b Line) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Item, b.Item)) })
	slices.SortFunc(w.touches, compareTouches)
	return nil
}
