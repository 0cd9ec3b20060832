"""OpenSearch with opensearch-py, for Pluvio's tests.

write: indexes the bodies, which are JSON objects, each under its key if it has one.
read:  all documents of an index, in the order of their keys; nothing if there is no such index.
"""

import argparse
import json

from messages import given, run, tell
from opensearchpy import OpenSearch, OpenSearchException, helpers


def write(client, index):
    def action(message):
        document = {"_op_type": "index", "_index": index, "_source": json.loads(message["body"])}
        return {**document, "_id": message["key"]} if message["key"] else document

    helpers.bulk(client, map(action, given()), refresh=True)


def read(client, index):
    if not client.indices.exists(index=index):
        return
    client.indices.refresh(index=index)
    hits = helpers.scan(client, index=index, query={"query": {"match_all": {}}})
    for hit in sorted(hits, key=lambda hit: hit["_id"]):
        tell(json.dumps(hit["_source"]).encode(), hit["_index"], hit["_id"], "application/json")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["write", "read"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--index", required=True)
    args = parser.parse_args()
    client = OpenSearch(args.url, timeout=10, max_retries=0)
    (write if args.verb == "write" else read)(client, args.index)


run(main, OpenSearchException)
