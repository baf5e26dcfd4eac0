#!/usr/bin/env python3
"""Talk to Leadline from Python: send purchases, read alerts, with confluent-kafka and the schema registry.

    leadline.py produce [--partitioner murmur2_random] [FILE]     JSON lines (standard input without FILE) -> purchases
    leadline.py read TOPIC...                                     topics up to their present end -> JSON lines

The servers come from LEADLINE_KAFKA_BROKERS and LEADLINE_REGISTRY_URL, the tenant's prefix from LEADLINE_TOPIC_PREFIX.

The partitioner is part of Leadline's contract: a customer's records must be on the partition that Java's murmur2 of the key
names. librdkafka's own default is CRC32: without partitioner=murmur2_random most purchases end in `dead-letters` with class
`misrouted`, from where `leadline dead-letters retry` sends them to the right partition.
"""

import argparse
import json
import os
import sys
from datetime import datetime

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

BROKERS = os.environ.get("LEADLINE_KAFKA_BROKERS", "127.0.0.1:19092")
REGISTRY = os.environ.get("LEADLINE_REGISTRY_URL", "http://127.0.0.1:18081")
PREFIX = os.environ.get("LEADLINE_TOPIC_PREFIX", "")


def to_avro(purchase, _context):
    """A line of JSON as fastavro wants it: an instant is a datetime."""
    at = purchase["occurred_at"]
    if isinstance(at, str):
        purchase["occurred_at"] = datetime.fromisoformat(at.replace("Z", "+00:00"))
    return purchase


def produce(registry, lines, partitioner):
    topic = PREFIX + "purchases"
    # The schemas are registered by `leadline topics create`; a client uses the newest and never registers its own.
    encode = AvroSerializer(registry, to_dict=to_avro, conf={"auto.register.schemas": False, "use.latest.version": True})
    conf = {"bootstrap.servers": BROKERS, "enable.idempotence": True, "linger.ms": 20}
    if partitioner != "default":
        conf["partitioner"] = partitioner
    producer = Producer(conf)
    failed = []

    def delivered(error, _message):
        if error is not None:
            failed.append(error)

    sent = 0
    for line in lines:
        purchase = json.loads(line)
        value = encode(purchase, SerializationContext(topic, MessageField.VALUE))
        producer.produce(topic, key=purchase["customer_id"].encode(), value=value, on_delivery=delivered)
        producer.poll(0)
        sent += 1
    producer.flush()
    if failed:
        sys.exit(f"{len(failed)} of {sent} purchases were not accepted: {failed[0]}")
    print(f"{sent} purchases sent", file=sys.stderr)


def read(registry, topics):
    decode = AvroDeserializer(registry)
    # Alerts are written in transactions: read_committed (the default) shows none that was taken back.
    consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": "leadline-python-example", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "enable.partition.eof": True})
    left = assign_all(consumer, topics)
    while left:
        message = consumer.poll(30)
        if message is None:
            sys.exit("the broker has been silent for 30 s")
        place = (message.topic(), message.partition())
        if message.error() is not None:
            if message.error().name() != "_PARTITION_EOF":
                raise KafkaException(message.error())
            left.discard(place)
            continue
        value = decode(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
        headers = {name: text.decode() for name, text in message.headers() or []}
        print(json.dumps({"topic": place[0], "partition": place[1], "offset": message.offset(),
                          "key": message.key().decode(), "headers": headers, "value": value}, default=str))
    consumer.close()


def assign_all(consumer, topics):
    """Assign every partition of the topics from the start; a set of (topic, partition) that are not read to their end."""
    places = []
    for topic in topics:
        metadata = consumer.list_topics(PREFIX + topic, timeout=10).topics[PREFIX + topic]
        if metadata.error is not None:
            raise KafkaException(metadata.error)
        places += [TopicPartition(PREFIX + topic, p, 0) for p in metadata.partitions]
    consumer.assign(places)
    return {(place.topic, place.partition) for place in places}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    send = commands.add_parser("produce", help="JSON lines -> purchases")
    send.add_argument("--partitioner", default="murmur2_random", help="librdkafka's name, or `default` (is misrouted)")
    send.add_argument("file", nargs="?", type=argparse.FileType("r", encoding="utf-8"), default=sys.stdin)
    commands.add_parser("read", help="topics -> JSON lines").add_argument("topics", nargs="+")
    args = parser.parse_args()
    registry = SchemaRegistryClient({"url": REGISTRY})
    if args.command == "produce":
        produce(registry, args.file, args.partitioner)
    else:
        read(registry, args.topics)


if __name__ == "__main__":
    main()
