package engine

import (
	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// Knowledge is everything that shards know beyond their own customers. The runtime changes it only between steps, and the version with
// it: shards keep what they made of the links for as long as the version stays.
type Knowledge struct {
	Version   sales.KnowledgeVersion
	Links     *affinity.Table
	Activity  *activity.Index
	Catalogue *catalogue.Catalogue
	Models    *scorecard.Models
	Feedback  *feedback.Table // nil: nobody has complained
}
