#!/usr/bin/env python3
"""An independent check of every cross-sell: recomputes from the raw purchases what Leadline should have decided.

    crosssell.py [--touchpoints TOUCHPOINTS.jsonl[.gz]]... PURCHASES.jsonl[.gz]...

It shares no code with Leadline: confluent-kafka reads the topics (read_committed), fastavro decodes by the schemas of the
registry, the rest is this file. It wants an installation into which exactly these files were loaded, unshifted
(LEADLINE_KAFKA_BROKERS, LEADLINE_REGISTRY_URL and LEADLINE_TOPIC_PREFIX name it), and business_time_zone UTC.

What must hold (n violations of each are printed, the exit code is 1 if there is any):

  sound      a cross-sell A -> B was opened by an order of that customer who bought A in it or in the 60 days before (the days
             with the last 40 categories count), or, where it says so, was touched by A (of touches as many count), B was not bought in the 180 days up to and including that order, B had not been offered within the cool-down, no other offer was open, the link
             A -> B stood in the version of product-links that the journal names for that order, and was the best to B; the
             catalogue of that version has B, if it has A
  once       no (alert_id, revision) occurs twice on any alert topic
  complete   each order with a candidate has one of them sent, held out, or in the ledger as capped, now or within the cool-down;
             the decision counted as many candidates as this check; and an order is capped only while an offer is open

Which candidate is best is a matter of scorecards and is not recomputed here: internal/reference does that.
"""

import argparse
import bisect
import gzip
import io
import json
import os
import sys
import urllib.request
from collections import Counter, defaultdict
from datetime import datetime, timezone

import fastavro
from confluent_kafka import Consumer, KafkaException, TopicPartition

BROKERS = os.environ.get("LEADLINE_KAFKA_BROKERS", "127.0.0.1:19092")
REGISTRY = os.environ.get("LEADLINE_REGISTRY_URL", "http://127.0.0.1:18081")
PREFIX = os.environ.get("LEADLINE_TOPIC_PREFIX", "")
ALERT_TOPICS = ["alerts.cross-sell", "alerts.upsell", "alerts.declining", "alerts.suppressed"]
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
RECENT_DAYS, ENOUGH = 60, 40  # what was bought lately: in so many days, and no further back than the day with so many categories


class Violations:
    """Counts by rule, with the first few of each."""

    def __init__(self):
        self.count = Counter()
        self.examples = defaultdict(list)

    def add(self, rule, text):
        self.count[rule] += 1
        if len(self.examples[rule]) < 5:
            self.examples[rule].append(text)


# ---------------------------------------------------------------- reading

class Decoder:
    """Confluent's wire format: a zero byte, the schema's id in four, Avro."""

    def __init__(self):
        self.schemas = {}

    def __call__(self, value):
        if value[0] != 0:
            raise ValueError("not in Confluent's wire format")
        number = int.from_bytes(value[1:5], "big")
        if number not in self.schemas:
            with urllib.request.urlopen(f"{REGISTRY}/schemas/ids/{number}", timeout=10) as answer:
                self.schemas[number] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
        return fastavro.schemaless_reader(io.BytesIO(value[5:]), self.schemas[number], None)


def read_topics(topics, decode):
    """Every committed record of the topics: (topic, partition, offset, key, value or None), by topic, partition, offset."""
    consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": "leadline-verify", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    places = []
    for topic in topics:
        metadata = consumer.list_topics(PREFIX + topic, timeout=10).topics[PREFIX + topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        places += [TopicPartition(PREFIX + topic, p, 0) for p in metadata.partitions]
    consumer.assign(places)
    left, records = len(places), []
    while left:
        message = consumer.poll(60)
        if message is None:
            sys.exit("the broker has been silent for 60 s")
        if message.error() is None:
            value = message.value()
            records.append((message.topic()[len(PREFIX):], message.partition(), message.offset(), message.key(),
                            None if value is None else decode(value)))
        elif message.error().name() == "_PARTITION_EOF":
            left -= 1
        else:
            raise KafkaException(message.error())
    consumer.close()
    records.sort(key=lambda r: r[:3])
    return records


def read_raw(paths):
    """The orders of the files by event_id, each with what the check needs."""
    orders = {}
    for path in paths:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                o = json.loads(line)
                if o.get("kind", "ORDER") != "ORDER":
                    sys.exit(f"{path}: {o['event_id']} is a refund, which this check does not know")
                at = datetime.fromisoformat(o["occurred_at"].replace("Z", "+00:00"))
                orders[o["event_id"]] = Order(o["event_id"], o["customer_id"], at, o["lines"])
    return orders


class Order:
    def __init__(self, event_id, customer, at, lines):
        self.event_id, self.customer, self.at = event_id, customer, at
        self.held = {line["category"] for line in lines}
        # What was given away is held, but is no reason to offer anything.
        self.bought = {line["category"] for line in lines if line["amount_minor"] > 0}
        self.day = (at - EPOCH).days
        self.place = None  # (partition, offset) in purchases


# ---------------------------------------------------------------- what the journal knew

class Touch:
    def __init__(self, touch):
        self.event_id, self.customer, self.kind = touch["event_id"], touch["customer_id"], touch["kind"].lower()
        self.category, self.product = touch.get("category"), touch.get("product_id")
        at = datetime.fromisoformat(touch["occurred_at"].replace("Z", "+00:00"))
        self.day = (at - EPOCH).days
        self.csn = None  # of the commit that read it


def read_touches(paths):
    touches = {}
    for path in paths:
        with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as lines:
            for touch in map(Touch, map(json.loads, lines)):
                touches[touch.event_id] = touch
    return touches


def place_touches(touches, records, journal, products):
    """Which commit read each touch first, and what it is about."""
    for _, partition, offset, _, value in records:
        touch = touches.get(value["event_id"])
        if touch is None and (value["category"] or value["product_id"]):
            sys.exit(f"touch {value['event_id']} on the topic is not in the files: what it led to cannot be checked")
        if touch is None:
            continue  # about nothing, it leads to nothing
        commit = journal.commit((partition, offset), "touchpoints")
        if touch.csn is None and commit is not None:
            touch.csn = commit["csn"]
        touch.category = touch.category or products.category(touch.product)


class Journal:
    """Which commit read a purchase, and what it knew."""

    def __init__(self, records):
        self.ends, self.commits, self.rules = defaultdict(list), defaultdict(list), None
        for _, partition, _, _, commit in records:
            if commit["rules"]:
                rules = json.loads(commit["rules"])
                if self.rules is not None and rules != self.rules:
                    sys.exit("the rules changed while the orders were read, which this check does not know")
                self.rules = rules
            for run in commit["runs"]:
                if run["to"] > run["from"]:
                    self.ends[run["topic"], partition].append(run["to"])
                    self.commits[run["topic"], partition].append(commit)
        if self.rules is None:
            sys.exit("leadline.journal names no rules: has it been read from its beginning?")

    def commit(self, place, topic="purchases"):
        """The commit that read what stands at (partition, offset) of an input, None if none did yet."""
        partition, offset = place
        i = bisect.bisect_right(self.ends[PREFIX + topic, partition], offset)
        return self.commits[PREFIX + topic, partition][i] if i < len(self.ends[PREFIX + topic, partition]) else None


class Links:
    """The cross-sell links of product-links as they stood at any version."""

    def __init__(self, records):
        self.log, self.tables = records, {}

    def at(self, version):
        """{(via, from): [(score, to)...]} as of a knowledge version "topic:next,..."; via is empty for what was bought. Versions repeat: cached."""
        end = position(version, "product-links")
        if end not in self.tables:
            standing = {}
            for _, _, offset, key, link in self.log:
                if offset >= end:
                    break
                standing[key] = link
            table = defaultdict(list)
            for link in standing.values():
                if link is not None and link["kind"] == "CROSS_SELL":
                    table[link.get("via") or "", link["from"]].append((link["score"], link["to"]))
            self.tables[end] = table
        return self.tables[end]


class Products:
    """The categories that have a product, as of any version."""

    def __init__(self, records):
        self.log, self.sold, self.categories = records, {}, None

    def at(self, version):
        end = position(version, "products")
        if end not in self.sold:
            standing = {}
            for _, _, offset, key, product in self.log:
                if offset < end:
                    standing[key] = product
            self.sold[end] = {p["category"] for p in standing.values() if p is not None}
        return self.sold[end]

    def category(self, product):
        """The category of a product, of which the last word counts."""
        if self.categories is None:
            self.categories = {p["product_id"]: p["category"] for _, _, _, _, p in self.log if p is not None}
        return self.categories.get(product)


def position(version, topic):
    """How far a topic had been read at a knowledge version "topic:next,..."."""
    return next(int(v.rsplit(":", 1)[1]) for v in version.split(",") if v.rsplit(":", 1)[0] == topic)


# ---------------------------------------------------------------- the check

class Check:
    def __init__(self, orders, touches, journal, links, products, alerts, found):
        self.orders, self.journal, self.links, self.products, self.found = orders, journal, links, products, found
        self.touches = defaultdict(list)
        for touch in touches.values():
            self.touches[touch.customer].append(touch)
        rules = journal.rules
        if rules["link_level"] != "category":
            sys.exit(f"link_level {rules['link_level']}: this check knows categories only")
        self.window, self.cooldown = rules["window_days"], rules["cooldown_days"]
        self.excluded = set(rules["links"]["exclude_categories"] or [])
        self.opened, self.capped = defaultdict(list), defaultdict(list)  # by the place of the order that caused them
        self.ended = {}  # alert_id -> its last revision
        self.seen = Counter()
        self.by_place = {o.place: o for o in orders.values() if o.place is not None}
        for topic, _, _, _, alert in alerts:
            self.sort(topic, alert)

    def sort(self, topic, alert):
        if alert["kind"] != "CROSS_SELL":
            return
        by = alert["suppressed_by"]
        control = alert["experiment_arm"] == "CONTROL"
        if (topic == "alerts.suppressed") != (by is not None) or (by == "holdout" and not control) or (by is None and control):
            self.found.add("sound: arm and topic agree", f"{topic}: {alert['alert_id']} {alert['experiment_arm']} {by}")
        if alert["status"] != "OPENED":
            self.ended[alert["alert_id"]] = alert
            return
        places = {(e["partition"], e["offset"]) for r in alert["reasons"] for e in r["evidence"]
                  if e["topic"] == PREFIX + "purchases"}
        causes = [o for o in map(self.by_place.get, places) if o and o.at == alert["event_time"]]
        if not causes or causes[0].customer != alert["customer_id"]:
            self.found.add("sound: an order of the customer caused it", describe(alert))
            return
        (self.capped if by == "cap" else self.opened)[causes[0].place].append(alert)
        self.seen[by or "sent"] += 1

    def run(self):
        by_customer = defaultdict(list)
        for order in self.orders.values():
            if order.place is not None:
                by_customer[order.customer].append(order)
        for customer in sorted(by_customer):
            Customer(self).follow(sorted(by_customer[customer], key=lambda o: o.place))


class Customer:
    """One customer's orders in the order in which Kafka has them, beside what Leadline said about each."""

    def __init__(self, check):
        self.check, self.found = check, check.found
        self.held = {}     # category -> day of the last line
        self.offered = {}  # category -> day of the last offer
        self.ledger = {}   # category -> day of the last cap
        self.bought = defaultdict(set)  # day -> what was bought on it
        self.touches = []
        self.alerts = []   # opened so far

    def follow(self, orders):
        self.touches = self.check.touches[orders[0].customer]
        for order in orders:
            commit = self.check.journal.commit(order.place)
            if commit is None:
                self.found.add("complete: the journal covers every order", order.event_id)
                continue
            for category in order.held:
                self.held[category] = max(order.day, self.held.get(category, order.day))
            self.bought[order.day] |= order.bought - self.check.excluded
            candidates = self.candidates(order, commit)
            for alert in self.check.opened.get(order.place, []):
                self.sound(alert, order, commit, candidates)
            self.complete(order, candidates)
            for alert in self.check.opened.get(order.place, []):
                self.offered[alert["to_product"]] = order.day
                self.alerts.append(alert)
            for alert in self.check.capped.get(order.place, []):
                self.ledger[alert["to_product"]] = order.day

    def lately(self, order):
        """What was bought in the order and lately."""
        found = set()
        for day in sorted((d for d in self.bought if d > order.day - RECENT_DAYS), reverse=True):
            if len(found) >= ENOUGH:
                break
            found |= self.bought[day]
        return {("", a) for a in found | order.bought - self.check.excluded}

    def touched(self, order, commit):
        """How the customer was touched lately about what, as far as the order's commit knew: of one commit touches come first."""
        found = set()
        for day in range(order.day, order.day - RECENT_DAYS, -1):
            if len(found) >= ENOUGH:
                break
            found |= {(t.kind, t.category) for t in self.touches if t.day == day and t.category and t.category not in self.check.excluded
                      and t.csn is not None and t.csn <= commit["csn"]}
        return found

    def candidates(self, order, commit):
        """{to: (-score, from, via)} of what may be offered, with the best link to it."""
        excluded, days = self.check.excluded, self.check.window
        sold = self.check.products.at(commit["knowledge_version"])
        table, found = self.check.links.at(commit["knowledge_version"]), {}
        for via, a in self.lately(order) | self.touched(order, commit):
            for score, b in table.get((via, a), ()):
                if b == a and not via or b in excluded or a in sold and b not in sold:
                    continue
                if order.day - self.held.get(b, -10**9) < days:
                    continue
                if order.day - self.offered.get(b, -10**9) < self.check.cooldown:
                    continue
                found[b] = min((-score, a, via), found.get(b, (1, "", "")))
        return found

    def sound(self, alert, order, commit, candidates):
        a, b, text = alert["from_product"], alert["to_product"], describe(alert)
        touched = alert["reasons"][0]["code"] == "touched"
        self.check.seen["sent or held out, from a touch"] += touched
        if a not in {name for _, name in (self.touched(order, commit) if touched else self.lately(order))}:
            self.found.add("sound: A was bought in that order or lately, or touched", text)
        if order.day - self.held.get(b, -10**9) < self.check.window:
            self.found.add("sound: no B in the window", text)
        if order.day - self.offered.get(b, -10**9) < self.check.cooldown:
            self.found.add("sound: cool-down kept", text)
        if b not in candidates:
            self.found.add("sound: the journaled links have it", text)
        elif candidates[b][1] != a or (candidates[b][2] != "") != touched:
            self.found.add("sound: the best link to B is named", f"{text}, not {candidates[b]}")
        self.weighed(alert, candidates)
        if any(self.is_open(other, alert) for other in self.alerts):
            self.found.add("sound: one open offer", text)

    def complete(self, order, candidates):
        capped = self.check.capped.get(order.place, [])
        if not candidates:
            if capped:
                self.found.add("sound: a capped offer was a candidate", describe(capped[0]))
            return
        self.check.seen["orders with a candidate"] += 1
        for alert in capped:
            self.weighed(alert, candidates)
            if not any(self.is_open(other, alert) for other in self.alerts):
                self.found.add("complete: capped only while an offer is open", describe(alert))
        if any(a["to_product"] in candidates for a in self.check.opened.get(order.place, []) + capped):
            return
        if any(order.day - self.ledger.get(b, -10**9) < self.check.cooldown for b in candidates):
            self.check.seen["in the ledger already"] += 1
        else:
            self.found.add("complete: no offer is missing", f"{order.event_id} of {order.customer}: {min(candidates)}")

    def weighed(self, alert, candidates):
        if alert["details"].get("candidates") != len(candidates):
            self.found.add("complete: all candidates were weighed",
                           f"{describe(alert)}: {alert['details'].get('candidates')}, not {len(candidates)}")

    def is_open(self, other, alert):
        """Whether the offer `other` still stood when `alert` was decided."""
        end = self.check.ended.get(other["alert_id"])
        return end is None or end["event_time"] > alert["event_time"]


def describe(alert):
    return (f"{alert['alert_id']} {alert['customer_id']}: {alert['from_product']} -> {alert['to_product']} "
            f"at {alert['event_time']:%Y-%m-%d %H:%M} ({alert['suppressed_by'] or 'sent'})")


def duplicates(alerts, found):
    counts = Counter((a["alert_id"], a["revision"]) for _, _, _, _, a in alerts)
    for (alert_id, revision), n in counts.items():
        if n > 1:
            found.add("once: alert_id and revision", f"{alert_id}.{revision} occurs {n} times")


def place(orders, purchases, found):
    """Where each order of the files stands in Kafka. A redelivered one counts where it came first."""
    foreign = 0
    for _, partition, offset, key, value in purchases:
        order = orders.get(value["event_id"])
        if order is None or order.customer != value["customer_id"] or order.at != value["occurred_at"]:
            foreign += 1
        elif order.place is None:
            order.place = (partition, offset)
    for order in orders.values():
        if order.place is None:
            found.add("complete: every order was loaded", order.event_id)
    return foreign


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("purchases", nargs="+", help="the JSON lines that were loaded, plain or gzip")
    parser.add_argument("--touchpoints", action="append", default=[], help="the JSON lines of touchpoints that were loaded")
    args = parser.parse_args()
    orders, touches = read_raw(args.purchases), read_touches(args.touchpoints)
    decode, found = Decoder(), Violations()
    foreign = place(orders, read_topics(["purchases"], decode), found)
    if foreign:
        sys.exit(f"{foreign} purchases on the topic are not those of the files: what they led to cannot be checked")
    journal = Journal(read_topics(["leadline.journal"], decode))
    links = Links(read_topics(["product-links"], decode))
    products = Products(read_topics(["products"], decode))
    place_touches(touches, read_topics(["touchpoints"], decode), journal, products)
    alerts = read_topics(ALERT_TOPICS, decode)
    duplicates(alerts, found)
    check = Check(orders, touches, journal, links, products, alerts, found)
    check.run()

    print(f"{len(orders)} orders of {len({o.customer for o in orders.values()})} customers, {len(alerts)} alert records")
    print(f"{len(links.log)} link records in {len(links.tables)} versions that decided")
    for name, n in sorted(check.seen.items()):
        print(f"  {n:7} {name}")
    for rule, n in sorted(found.count.items()):
        print(f"VIOLATED {n} times: {rule}")
        for text in found.examples[rule]:
            print(f"    {text}")
    print(f"{sum(found.count.values())} violations")
    if check.seen["sent"] == 0:
        sys.exit("no cross-sell was sent: nothing was shown")
    sys.exit(1 if found.count else 0)


if __name__ == "__main__":
    main()
