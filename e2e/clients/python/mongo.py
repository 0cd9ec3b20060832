"""MongoDB's protocol with pymongo, for Pluvio's tests.

write: inserts the bodies, which are JSON objects, each under its key if it has one.
read:  all documents, in the order of their keys.
"""

import argparse
import json

from bson import json_util
from messages import given, run, tell
from pymongo import MongoClient
from pymongo.errors import PyMongoError


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["write", "read"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--collection", required=True)
    args = parser.parse_args()
    client = MongoClient(args.url, serverSelectionTimeoutMS=5000)
    collection = client[args.database][args.collection]
    if args.verb == "write":
        keys = [(message["key"], json.loads(message["body"])) for message in given()]
        documents = [{"_id": key, **body} if key else body for key, body in keys]
        collection.insert_many(documents)
        return
    for document in collection.find().sort("_id", 1):
        key = document.pop("_id")
        body = json_util.dumps(document, json_options=json_util.RELAXED_JSON_OPTIONS)
        tell(body.encode(), args.collection, str(key), "application/json")


run(main, PyMongoError)
