"""MQTT 3.1.1 and 5 with paho, for Pluvio's tests.

follow: subscribes by a session that outlives it, says "subscribed" on standard error and then tells
        what comes, until SIGTERM; over a restart of the broker it connects again.
write:  publishes with quality of service 1; each is acknowledged.
"""

import argparse
import signal
import sys
import threading

import paho.mqtt.client as mqtt
from messages import given, run, tell
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

# Longer than any test: the broker keeps what comes while nobody is there.
SESSION_SECONDS = 3600
PATIENCE_SECONDS = 10


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["follow", "write"])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--version", choices=["3.1.1", "5"], default="5")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--ca")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--client", default="")
    parser.add_argument("--topic", default="#")
    return parser.parse_args()


def client_of(args):
    is_five = args.version == "5"
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2,
        client_id=args.client,
        clean_session=None if is_five else not args.client,
        protocol=mqtt.MQTTv5 if is_five else mqtt.MQTTv311,
    )
    if args.user:
        client.username_pw_set(args.user, args.password)
    if args.ca:
        client.tls_set(args.ca, args.cert, args.key)
    client.reconnect_delay_set(0.1, 0.5)
    return client


def connect(client, args):
    settings = {}
    if args.version == "5":
        settings["clean_start"] = not args.client
        settings["properties"] = Properties(PacketTypes.CONNECT)
        if args.client:
            settings["properties"].SessionExpiryInterval = SESSION_SECONDS
    client.connect("localhost", args.port, keepalive=10, **settings)


def on_message(_client, _data, message):
    properties = {"qos": message.qos, "retain": message.retain}
    content_type = None
    if message.properties is not None:
        content_type = getattr(message.properties, "ContentType", None)
        properties.update(getattr(message.properties, "UserProperty", []))
    tell(message.payload, message.topic, None, content_type, properties)


def follow(client, args):
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())

    def on_connect(client, _data, _flags, reason, _properties):
        if reason.is_failure:
            print(f"error: {reason}", file=sys.stderr, flush=True)
        else:
            client.subscribe(args.topic, qos=1)

    def on_subscribe(*_):
        print("subscribed", file=sys.stderr, flush=True)

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    connect(client, args)
    client.loop_start()
    stopped.wait()
    client.disconnect()
    client.loop_stop()


def write(client, args):
    refused = []
    connected = threading.Event()

    def on_connect(_client, _data, _flags, reason, _properties):
        if reason.is_failure:
            refused.append(str(reason))
        connected.set()

    def on_publish(_client, _data, _id, reason, _properties):
        if reason.is_failure:
            refused.append(str(reason))

    client.on_connect, client.on_publish = on_connect, on_publish
    connect(client, args)
    client.loop_start()
    if not connected.wait(PATIENCE_SECONDS) or refused:
        raise OSError(f"not connected: {refused}")
    for message in given():
        properties = None
        if args.version == "5":
            properties = Properties(PacketTypes.PUBLISH)
            if message["content_type"]:
                properties.ContentType = message["content_type"]
            properties.UserProperty = list(message["properties"].items())
        sent = client.publish(message["place"], message["body"], qos=1, properties=properties)
        sent.wait_for_publish(PATIENCE_SECONDS)
        if refused or not sent.is_published():
            raise OSError(f"not acknowledged: {refused}")
    client.disconnect()
    client.loop_stop()


def main():
    args = arguments()
    client = client_of(args)
    (follow if args.verb == "follow" else write)(client, args)


run(main, OSError, ValueError)
