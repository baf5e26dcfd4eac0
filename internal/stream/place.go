package stream

import (
	"context"
	"fmt"
	"time"

	"leadline/internal/promise"
)

// strangerPatience is how long somebody else may hold this engine's place in the group before that counts as another engine. It may
// also be a request of an earlier session of our own, answered after that was over: such a member sends no heartbeat, and the
// group drops it.
const strangerPatience = sessionTimeout + 5*time.Second

// place is this engine's place in the group, by its instance id.
type place struct {
	members  map[string]bool // the ids under which this process has held it
	stranger time.Time       // since when somebody else has it; zero: nobody
}

// hold remembers what this process is called in the group; empty is nothing yet.
func (pl *place) hold(member string) {
	if member != "" {
		pl.members[member] = true
	}
}

// stillOurs is asked before a session after the first. Who joins takes the place from whoever holds it: an engine that was frozen
// or cut off, and whose place was given to a new process meanwhile, would throw that one out. So it looks first, and ends when the
// other one stays.
func (r *Runtime) stillOurs(ctx context.Context) error {
	if len(r.place.members) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	groups, err := r.adm.DescribeGroups(ctx, r.cfg.group())
	if err == nil {
		err = groups.Error()
	}
	if err != nil {
		return fmt.Errorf("look who is in the group: %w", err)
	}
	for _, m := range groups[r.cfg.group()].Members {
		if m.InstanceID == nil || *m.InstanceID != r.cfg.InstanceID || r.place.members[m.MemberID] {
			continue
		}
		if r.place.stranger.IsZero() {
			r.place.stranger = time.Now()
		}
		if time.Since(r.place.stranger) > strangerPatience {
			return promise.Break("give each engine an instance id of its own", "another engine runs as %q, as member %s of the group", r.cfg.InstanceID, m.MemberID)
		}
		return fmt.Errorf("member %s of the group may be another engine that runs as %q", m.MemberID, r.cfg.InstanceID)
	}
	r.place.stranger = time.Time{}
	return nil
}
