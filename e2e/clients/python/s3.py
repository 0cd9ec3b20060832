"""S3 with boto3, for Pluvio's tests.

bucket: makes one. write: puts objects; their properties become metadata.
read:   all objects below a prefix, in the order of their keys, unpacked if they say gzip.
"""

import argparse
import gzip

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from messages import given, run, tell


def client_of(args):
    # Checksums behind the body are chunks, after which versitygw misreads a connection's next request.
    config = Config(
        request_checksum_calculation="when_required",
        s3={"addressing_style": "path"},
        retries={"total_max_attempts": 1},
    )
    return boto3.client(
        "s3",
        endpoint_url=args.url,
        aws_access_key_id=args.user,
        aws_secret_access_key=args.password,
        region_name="us-east-1",
        verify=args.ca,
        config=config,
    )


def write(client, args):
    for message in given():
        client.put_object(
            Bucket=args.bucket,
            Key=message["key"],
            Body=message["body"],
            ContentType=message["content_type"] or "application/octet-stream",
            Metadata=message["properties"],
        )


def read(client, args):
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=args.bucket, Prefix=args.prefix)
    for name in (it["Key"] for page in pages for it in page.get("Contents", [])):
        found = client.get_object(Bucket=args.bucket, Key=name)
        body, properties = found["Body"].read(), dict(found["Metadata"])
        properties["etag"] = found["ETag"]
        if "ContentEncoding" in found:
            properties["content-encoding"] = found["ContentEncoding"]
        if found.get("ContentEncoding") == "gzip" or name.endswith(".gz"):
            body = gzip.decompress(body)
        tell(body, args.bucket, name, found["ContentType"], properties)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["bucket", "write", "read"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--ca")
    parser.add_argument("--bucket", required=True)
    parser.add_argument("--prefix", default="")
    args = parser.parse_args()
    client = client_of(args)
    if args.verb == "bucket":
        client.create_bucket(Bucket=args.bucket)
    else:
        (write if args.verb == "write" else read)(client, args)


run(main, BotoCoreError, ClientError)
