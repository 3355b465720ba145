"""The seed's boto3 example: the program that the demo runs through the gateway.

Rules: a test compares the body of `run_example` with the seed's own file; only the endpoint and the
key pair differ, which a caller gives.
"""

from __future__ import annotations

import boto3

BUCKETS = ("lakefs-data-repo", "traditional-s3-bucket")


def run_example(endpoint_url: str, aws_access_key_id: str, aws_secret_access_key: str) -> None:
    # Configure Boto3 to use S3 Router
    s3_client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,  # S3 Router endpoint
        aws_access_key_id=aws_access_key_id,
        aws_secret_access_key=aws_secret_access_key,
        region_name="us-east-1",
    )
    # Now all S3 operations will be routed automatically
    # Operations on 'lakefs-*' buckets go to lakeFS
    # Operations on other buckets go to S3
    # This goes to lakeFS
    s3_client.put_object(
        Bucket="lakefs-data-repo",
        Key="main/data/file.txt",
        Body="Hello from lakeFS!",
    )
    # This goes to S3
    s3_client.put_object(
        Bucket="traditional-s3-bucket",
        Key="data/file.txt",
        Body="Hello from S3!",
    )
