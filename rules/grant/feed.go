package grant

import (
	"fmt"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/rules/act"
	"mulian/state"
)

// FeedKey is the state key of an owner's feed.
func FeedKey(owner string) string { return feeds.Name() + "/" + owner }

// NotificationKey is the object that the n-th event of an owner's feed names last.
func NotificationKey(owner string, n uint64) string {
	return fmt.Sprintf("%s/%010d", FeedKey(owner), n)
}

// feedOf returns an owner's feed, or a new one.
func feedOf(v state.View, owner string) *grantv1.NotificationFeed {
	f, ok := feeds.Get(v, owner)
	if !ok {
		f = &grantv1.NotificationFeed{Owner: owner}
	}
	return f
}

// next gives the feed its next number and stores it. The event that the caller emits has
// to name what it returns.
func next(a *act.Act, f *grantv1.NotificationFeed) string {
	f.Count++
	f.AtMs = a.TimeMs
	feeds.Put(a.Tx, f.Owner, f)
	return NotificationKey(f.Owner, f.Count)
}

// with appends what a notification adds to an event's objects: its number in the owner's
// feed, if there is an owner.
func with(a *act.Act, owner string, objects ...string) []string {
	if owner == "" {
		return objects
	}
	return append(objects, next(a, feedOf(a.Tx, owner)))
}

// Told appends to an event's objects that its owner is told of it: for the other nouns whose
// acts concern an owner. The event has to be emitted in the same act.
func Told(a *act.Act, owner string, objects ...string) []string { return with(a, owner, objects...) }

// ofGrant are the objects of an event about a grant, the subject first, the owner's
// notification last.
func ofGrant(a *act.Act, g *grantv1.Grant, subject ...string) []string {
	objects := append(subject, grantKey(g.Id), requestKey(g.Request))
	if g.Entry != "" {
		objects = append(objects, entryKey(g.Entry))
	}
	return with(a, g.Owner, objects...)
}

// ofRequest likewise, about a request.
func ofRequest(a *act.Act, r *grantv1.DataRequest) []string {
	return with(a, r.Owner, requestKey(r.Id), useKey(r.Use))
}

// note changes what the ledger keeps of a data user.
func note(a *act.Act, org string, change func(*grantv1.GranteeStanding)) {
	s, ok := standings.Get(a.Tx, org)
	if !ok {
		s = &grantv1.GranteeStanding{Org: org}
	}
	change(s)
	standings.Put(a.Tx, org, s)
}

// began and finished keep count of an owner's standing grants that are not over. The event
// that goes with them writes the feed, too: both take it as it stands in the state.
func began(a *act.Act, g *grantv1.Grant) {
	if g.Kind != standing || g.Basis == byDuty {
		return
	}
	liveIndex.Put(a.Tx, key(g.Owner, g.Id), "")
	f := feedOf(a.Tx, g.Owner)
	f.Standing++
	feeds.Put(a.Tx, g.Owner, f)
}

func finished(a *act.Act, g *grantv1.Grant) {
	if !liveIndex.Has(a.Tx, key(g.Owner, g.Id)) {
		return
	}
	liveIndex.Delete(a.Tx, key(g.Owner, g.Id))
	f := feedOf(a.Tx, g.Owner)
	f.Standing--
	feeds.Put(a.Tx, g.Owner, f)
}
