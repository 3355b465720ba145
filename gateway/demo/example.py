"""The seed's examples that the demo runs through the gateway: two stores, and the migration loop.

Rules: a test compares `run_example` and `HybridDataManager` with the seed's own files; only the
endpoint and the key pair differ, which a caller gives.
"""

from __future__ import annotations

from typing import Any

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


class HybridDataManager:
    """Manage data across S3 and lakeFS through S3 Router"""

    def __init__(self, s3_client: Any) -> None:
        self.s3_client = s3_client

    def migrate_bucket_to_lakefs(self, s3_bucket: str, lakefs_repo: str) -> None:
        """Migrate data from S3 bucket to lakeFS repository"""
        print(f"Starting migration: {s3_bucket} → {lakefs_repo}")
        # List all objects in S3 bucket
        paginator = self.s3_client.get_paginator("list_objects_v2")
        pages = paginator.paginate(Bucket=s3_bucket)
        migrated_count = 0
        for page in pages:
            for obj in page.get("Contents", []):
                try:
                    # Copy object from S3 to lakeFS
                    self.s3_client.copy_object(
                        Bucket=lakefs_repo,
                        Key=f"main/{obj['Key']}",  # Add to main branch
                        CopySource={"Bucket": s3_bucket, "Key": obj["Key"]},
                    )
                    migrated_count += 1
                    if migrated_count % 100 == 0:
                        print(f"Migrated {migrated_count} objects...")
                except Exception as e:
                    print(f"Failed to migrate {obj['Key']}: {e}")
        print(f"Migration completed: {migrated_count} objects migrated")
