"""Messages as Pluvio's tests exchange them with their clients: one JSON object a line.

`place` (queue, topic, bucket …), `key` (what the server calls it), `content_type`, `properties` (a
name to a text) and `body` (base64).
"""

import base64
import json
import sys


def given():
    """What is to be written, from standard input."""
    for line in sys.stdin:
        message = json.loads(line)
        message["body"] = base64.b64decode(message["body"])
        yield message


def coded(body, place, key=None, content_type=None, properties=None):
    """A message as a line."""
    properties = {name: text(value) for name, value in (properties or {}).items()}
    line = {"place": place, "key": key, "content_type": content_type, "properties": properties}
    return json.dumps({**line, "body": base64.b64encode(body).decode()})


def tell(body, place, key=None, content_type=None, properties=None):
    """Says that this message is there."""
    print(coded(body, place, key, content_type, properties), flush=True)


def text(value):
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value if isinstance(value, str) else str(value)


def run(main, *expected):
    """Runs `main`; errors of these kinds are said in a line."""
    try:
        main()
    except expected as error:
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(1)
