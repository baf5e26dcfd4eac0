package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Member is an engine that the group counts on, running or not.
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
	var members []Member
	for _, m := range groups[group].Members {
		member := Member{Host: m.ClientHost}
		if m.InstanceID != nil {
			member.Instance = *m.InstanceID
		}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				if t.Topic == purchases {
					member.Shards = slices.Sorted(slices.Values(t.Partitions))
				}
			}
		}
		members = append(members, member)
	}
	slices.SortFunc(members, func(a, b Member) int { return cmp.Compare(a.Instance, b.Instance) })
	return members, nil
}

// Remove makes the group forget engines that do not come back, so that the others need not wait for the end of their sessions.
// One that does run joins again at once; nothing is lost or said twice either way. An error names an instance that the group
// does not know.
func Remove(ctx context.Context, adm *kadm.Client, prefix string, instances ...string) error {
	group := (&Config{Prefix: prefix}).group()
	left, err := adm.LeaveGroup(ctx, kadm.LeaveGroup(group).Reason("removed by leadline engines remove").InstanceIDs(instances...))
	if err != nil {
		return fmt.Errorf("remove from group %s: %w", group, err)
	}
	var errs []error
	for _, l := range left.Sorted() {
		switch {
		case errors.Is(l.Err, kerr.UnknownMemberID):
			errs = append(errs, fmt.Errorf("group %s has no engine %q", group, l.InstanceID))
		case l.Err != nil:
			errs = append(errs, fmt.Errorf("remove %q from group %s: %w", l.InstanceID, group, l.Err))
		}
	}
	return errors.Join(errs...)
}
