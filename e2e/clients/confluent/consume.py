"""Reads topics with confluent-kafka (librdkafka) and prints what it sees, for Pluvio's tests.

One JSON object a line on standard output: a record, or `{"assigned": ["topic", ...]}` when a group
gives or takes topics. Keys, values and headers' values are base64, so that bytes stay what they are.
Ends after `--count` records or at SIGTERM, and with `--commit` commits exactly what it printed. What
it cannot do it says on standard error, and exits with 1.
"""

import argparse
import base64
import json
import signal
import sys

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    KafkaError,
    KafkaException,
    TopicPartition,
)

# A mistake in these does not mend itself: librdkafka would try for ever.
FATAL = (KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--topics", required=True)
    parser.add_argument("--from", dest="begin", default="beginning")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--group", default="")
    parser.add_argument("--commit", action="store_true")
    parser.add_argument("--ca", default="")
    parser.add_argument("--mechanism", default="")
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    return parser.parse_args()


def settings(args):
    def on_error(error):
        if error.code() in FATAL:
            raise KafkaException(error)

    values = {
        "bootstrap.servers": args.brokers,
        "group.id": args.group or "no-group",
        "enable.auto.commit": False,
        "auto.offset.reset": "latest" if args.begin == "end" else "earliest",
        "partition.assignment.strategy": "roundrobin",
        "session.timeout.ms": 6000,
        "heartbeat.interval.ms": 500,
        "reconnect.backoff.max.ms": 500,
        "error_cb": on_error,
    }
    if args.mechanism:
        values["sasl.mechanism"] = args.mechanism
        values["sasl.username"] = args.user
        values["sasl.password"] = args.password
    if args.ca:
        values["ssl.ca.location"] = args.ca
    protocol = {(True, True): "SASL_SSL", (True, False): "SASL_PLAINTEXT", (False, True): "SSL"}
    values["security.protocol"] = protocol.get((bool(args.mechanism), bool(args.ca)), "PLAINTEXT")
    return values


def say(line):
    print(json.dumps(line), flush=True)


def coded(value):
    return None if value is None else base64.b64encode(value).decode()


def start(consumer, args):
    """Without a group: each topic from where it was asked for."""
    topics = args.topics.split(",")
    kind, _, number = args.begin.partition(":")
    offset = {"beginning": OFFSET_BEGINNING, "end": OFFSET_END, "offset": int(number or 0)}
    places = [TopicPartition(topic, 0, offset.get(kind, int(number or 0))) for topic in topics]
    if kind == "time":
        places = consumer.offsets_for_times(places, timeout=10)
    consumer.assign(places)


def join(consumer, args):
    """With a group: what it is given, from its commits."""
    held = set()

    def commit():
        if args.commit:
            try:
                consumer.commit(asynchronous=False)
            except KafkaException as error:
                # A broker that was restarted does not know its members any more: they join again and
                # read again what they had not committed.
                harmless = (KafkaError._NO_OFFSET, KafkaError._ASSIGNMENT_LOST)
                if error.args[0].code() not in harmless:
                    raise

    def assigned(_consumer, partitions):
        held.update(partition.topic for partition in partitions)
        say({"assigned": sorted(held)})

    def revoked(_consumer, partitions):
        commit()
        held.difference_update(partition.topic for partition in partitions)
        say({"assigned": sorted(held)})

    consumer.subscribe(args.topics.split(","), on_assign=assigned, on_revoke=revoked)
    return commit


def main():
    args = arguments()
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    consumer = Consumer(settings(args))
    commit = join(consumer, args) if args.group else start(consumer, args)
    count = 0
    while not stopped and (args.count == 0 or count < args.count):
        message = consumer.poll(0.1)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        count += 1
        say(
            {
                "topic": message.topic(),
                "offset": message.offset(),
                "timestamp": message.timestamp()[1],
                "key": coded(message.key()),
                "value": coded(message.value()),
                "headers": [[name, coded(value)] for name, value in message.headers() or []],
            }
        )
    if commit:
        commit()
    consumer.close()


if __name__ == "__main__":
    try:
        main()
    except KafkaException as error:
        print(f"error: {error.args[0]}", file=sys.stderr)
        sys.exit(1)
