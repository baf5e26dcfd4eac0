package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Member is an engine that the group counts on, running or not: all lanes of one process.
type Member struct {
	Instance string
	Host     string  // from where it joined
	Shards   []int32 // that it has, sorted
}

// Members lists the engines of a tenant's group by instance. While the group deals the shards out anew, none has any.
func Members(ctx context.Context, adm *kadm.Client, prefix string) ([]Member, error) {
	group := (&Config{Prefix: prefix}).group()
	groups, err := adm.DescribeGroups(ctx, group)
	if err == nil {
		err = groups.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("describe group %s: %w", group, err)
	}
	purchases := names{prefix}.topic(inputs[purchasesInput].Topic)
	found := map[string]*Member{}
	for _, m := range groups[group].Members {
		instance := ""
		if m.InstanceID != nil {
			instance = processOf(*m.InstanceID)
		}
		member := found[instance]
		if member == nil {
			member = &Member{Instance: instance, Host: m.ClientHost}
			found[instance] = member
		}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				if t.Topic == purchases {
					member.Shards = append(member.Shards, t.Partitions...)
				}
			}
		}
	}
	var members []Member
	for _, instance := range slices.Sorted(maps.Keys(found)) {
		slices.Sort(found[instance].Shards)
		members = append(members, *found[instance])
	}
	return members, nil
}

// Remove makes the group forget engines that do not come back, so that the others need not wait for the end of their sessions.
// One that does run joins again at once; nothing is lost or said twice either way. An error names an instance that the group
// does not know.
func Remove(ctx context.Context, adm *kadm.Client, prefix string, instances ...string) error {
	group := (&Config{Prefix: prefix}).group()
	var members []string
	for _, instance := range instances {
		for lane := range lanes {
			members = append(members, laneOf(instance, lane))
		}
	}
	left, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).Reason("removed by leadline engines remove").InstanceIDs(members...))
	if err != nil {
		return fmt.Errorf("remove from group %s: %w", group, err)
	}
	var errs []error
	known := map[string]bool{}
	for _, l := range left.Sorted() {
		if errors.Is(l.Err, kerr.UnknownMemberID) {
			continue
		}
		known[processOf(l.InstanceID)] = true
		if l.Err != nil {
			errs = append(errs, fmt.Errorf("remove %q from group %s: %w", l.InstanceID, group, l.Err))
		}
	}
	for _, instance := range instances {
		if !known[instance] {
			errs = append(errs, fmt.Errorf("group %s has no engine %q", group, instance))
		}
	}
	return errors.Join(errs...)
}
