"""CloudEvents over HTTP with the SDK of its makers, for Pluvio's tests.

serve: takes events in structured, binary and batch mode at any path, and appends each to a file
       before it answers 204: its attributes as `ce-…`, its data as the body.
       POST /control {"ids": […], "status": 429, "times": 2, "retry_after": 1} lets requests with one
       of these ids (or with any, without "ids") fail so many times, or for ever without "times";
       {"wait": 5} lets them wait so many seconds first. DELETE /control forgets that; GET tells how
       many requests came and which ids were refused how often.
send:  what is on standard input, to a URL in one of the modes.
"""

import argparse
import collections
import json
import ssl
import threading
import time
import urllib.error
import urllib.request

from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from flask import Flask, Response, request
from messages import coded, given, run

REQUIRED = {"specversion", "id", "source", "type"}
BATCH = "application/cloudevents-batch+json"

app = Flask("webhook")
lock = threading.Lock()
rules = []
refused = collections.Counter()
requests = collections.Counter()
book = None


def received():
    """The mode and the events of a request, each with the names that it really has.

    The SDK makes up what is missing, which would hide a mistake.
    """
    headers = {name.lower(): value for name, value in request.headers}
    if not request.mimetype.startswith("application/cloudevents"):
        names = {name[3:] for name in headers if name.startswith("ce-")}
        return "binary", [(http.from_http_event(http.HTTPMessage(headers, request.get_data())), names)]
    body = request.get_json(force=True)
    is_batch = request.mimetype == BATCH
    events = body if is_batch else [body]
    if not isinstance(events, list):
        raise ValueError("a batch is a list")
    parsed = [(JSONFormat().read(None, json.dumps(event)), set(event)) for event in events]
    return ("batch" if is_batch else "structured"), parsed


def note(mode, event, names):
    missing = REQUIRED - names
    if missing:
        raise ValueError(f"missing: {sorted(missing)}")
    attributes = event.get_attributes().items()
    properties = {f"ce-{name}": value for name, value in attributes if name in names}
    for name in ("time", "recordedtime"):
        value = properties.get(f"ce-{name}")
        if hasattr(value, "isoformat"):
            properties[f"ce-{name}"] = value.isoformat().replace("+00:00", "Z")
    properties["mode"] = mode
    if "Authorization" in request.headers:
        properties["authorization"] = request.headers["Authorization"]
    data = event.get_data()
    body = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    content_type = event.get_attributes().get("datacontenttype")
    return coded(b"" if data is None else body, request.path, None, content_type, properties)


def rule_for(ids):
    for rule in rules:
        if rule.get("times") != 0 and ("ids" not in rule or ids & set(rule["ids"])):
            if rule.get("times"):
                rule["times"] -= 1
            return rule
    return {}


def accept():
    mode, events = received()
    ids = {event.get_id() for event, _ in events}
    with lock:
        requests["all"] += 1
        rule = dict(rule_for(ids))
    time.sleep(rule.get("wait", 0))
    with lock:
        if "status" in rule:
            refused.update(ids)
            after = {"Retry-After": str(rule["retry_after"])} if "retry_after" in rule else {}
            return Response("as it was told\n", status=rule["status"], headers=after)
        lines = [note(mode, event, names) for event, names in events]
        book.write("".join(line + "\n" for line in lines))
        book.flush()
    return Response(status=204)


@app.post("/", defaults={"path": ""})
@app.post("/<path:path>")
def post(path):
    try:
        return accept()
    except Exception as error:  # whatever the SDK says of what is no event
        return Response(f"{type(error).__name__}: {error}\n", status=400)


@app.route("/control", methods=["GET", "POST", "DELETE"])
def control():
    with lock:
        if request.method == "DELETE":
            rules.clear()
        elif request.method == "POST":
            rules.append(request.get_json(force=True))
        return {"requests": requests["all"], "refused": dict(refused)}


@app.before_request
def handshake():
    """The webhook's specification wants to be asked before anything is sent."""
    if request.method != "OPTIONS":
        return None
    origin = request.headers.get("WebHook-Request-Origin", "*")
    allowed = {"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*", "Allow": "POST"}
    return Response(headers=allowed)


def serve(args):
    global book
    book = open(args.file, "a", encoding="utf-8")
    context = None
    if args.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(args.cert, args.key)
    app.run("127.0.0.1", args.port, threaded=True, ssl_context=context)


def send(args):
    events = []
    for message in given():
        attributes = {name[3:]: value for name, value in message["properties"].items()}
        attributes["datacontenttype"] = "application/json"
        events.append(CloudEvent(attributes, json.loads(message["body"])))
    if args.mode == "batch":
        body = b"[" + b",".join(JSONFormat().write(event) for event in events) + b"]"
        pieces = [http.HTTPMessage({"content-type": BATCH}, body)]
    elif args.mode == "binary":
        pieces = [http.to_binary_event(event) for event in events]
    else:
        pieces = [http.to_structured_event(event) for event in events]
    context = ssl.create_default_context(cafile=args.ca) if args.ca else None
    for piece in pieces:
        posted = urllib.request.Request(args.url, piece.body, piece.headers)
        urllib.request.urlopen(posted, timeout=10, context=context).close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["serve", "send"])
    parser.add_argument("--port", type=int)
    parser.add_argument("--file")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--ca")
    parser.add_argument("--url")
    parser.add_argument("--mode", choices=["binary", "structured", "batch"])
    args = parser.parse_args()
    (serve if args.verb == "serve" else send)(args)


run(main, OSError)
