"""A public CloudStack client, `cs`, reads events.

list_events.py URL KEY SECRET: prints one JSON object: each event's row by its id, of projects, too.
"""

import json
import sys

from cs import CloudStack


def main(url, key, secret):
    cloud = CloudStack(endpoint=url, key=key, secret=secret)
    rows = {}
    for projects in ({}, {"projectid": "-1"}):
        listed = cloud.listEvents(listall=True, page_size=100, fetch_list=True, **projects)
        rows.update((row["id"], row) for row in listed)
    json.dump(rows, sys.stdout)


main(*sys.argv[1:])
