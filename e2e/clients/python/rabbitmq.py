"""RabbitMQ by AMQP 0-9-1 with pika, for Pluvio's tests.

declare: a durable queue, if wanted with a limit beyond which publishing is refused, and bound.
write:   publishes persistently to the default exchange; each is confirmed.
read:    everything in the queue, which stays there. take: the same, and it is gone.
"""

import argparse
import ssl

import pika
from messages import given, run, tell


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["declare", "write", "read", "take"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--ca")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--limit", type=int)
    parser.add_argument("--exchange")
    parser.add_argument("--kind", default="topic")
    parser.add_argument("--routing-key", default="#")
    return parser.parse_args()


def connect(args):
    parameters = pika.URLParameters(args.url)
    parameters.socket_timeout = parameters.blocked_connection_timeout = 10
    if args.ca:
        context = ssl.create_default_context(cafile=args.ca)
        parameters.ssl_options = pika.SSLOptions(context, "localhost")
    return pika.BlockingConnection(parameters)


def declare(channel, args):
    limit = {"x-max-length": args.limit, "x-overflow": "reject-publish"} if args.limit else {}
    channel.queue_declare(args.queue, durable=True, arguments=limit)
    if args.exchange:
        channel.exchange_declare(args.exchange, args.kind, durable=True)
        channel.queue_bind(args.queue, args.exchange, args.routing_key)


def write(channel, args):
    channel.confirm_delivery()
    for message in given():
        properties = pika.BasicProperties(
            message_id=message["key"],
            content_type=message["content_type"],
            headers=message["properties"],
            delivery_mode=pika.DeliveryMode.Persistent.value,
        )
        channel.basic_publish("", args.queue, message["body"], properties, mandatory=True)


def read(channel, args, is_taken):
    while True:
        method, properties, body = channel.basic_get(args.queue, auto_ack=is_taken)
        if method is None:
            return
        known = {**(properties.headers or {}), "routing_key": method.routing_key}
        known["exchange"] = method.exchange
        known["delivery_mode"] = properties.delivery_mode
        tell(body, args.queue, properties.message_id, properties.content_type, known)


def main():
    args = arguments()
    connection = connect(args)
    channel = connection.channel()
    if args.verb == "declare":
        declare(channel, args)
    elif args.verb == "write":
        write(channel, args)
    else:
        read(channel, args, args.verb == "take")
    connection.close()


run(main, pika.exceptions.AMQPError, OSError)
