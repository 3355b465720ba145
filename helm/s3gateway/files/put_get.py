"""Writes an object through the gateway, reads it again and deletes it; `helm test` runs this.

Variables: ENDPOINT, BUCKET, KEY, AWS_REGION and a key pair. Without BUCKET it only asks whether the
gateway is ready.
"""

import os
import ssl
import urllib.request
import uuid

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError


def put_get(endpoint: str, bucket: str, key: str, verify: bool) -> str:
    """Returns what was done; raises SystemExit if what is read is not what was written."""
    client = botocore.session.get_session().create_client(
        "s3",
        region_name=os.environ["AWS_REGION"],
        endpoint_url=endpoint,
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard"}),
        verify=verify,
    )
    body = uuid.uuid4().hex.encode()
    client.put_object(Bucket=bucket, Key=key, Body=body)
    answer = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    client.delete_object(Bucket=bucket, Key=key)
    if answer != body:
        raise SystemExit(f"{endpoint}: {bucket}/{key} is not what was written")
    return f"{bucket}/{key} was written, read and deleted"


def ready(endpoint: str, verify: bool) -> str:
    """Returns that the gateway is ready; raises OSError if it is not."""
    context = None if verify else ssl._create_unverified_context()
    with urllib.request.urlopen(f"{endpoint}/-/readyz", timeout=10, context=context) as response:
        return f"ready ({response.status}); set test.bucket for a signed round trip"


def main() -> None:
    """Does the one or the other, and says what came of it."""
    endpoint, bucket, key = (os.environ[name] for name in ("ENDPOINT", "BUCKET", "KEY"))
    # The certificate is made for the name that clients use, and this asks the Service.
    verify = not endpoint.startswith("https://")
    try:
        said = put_get(endpoint, bucket, key, verify) if bucket else ready(endpoint, verify)
    except (BotoCoreError, ClientError, OSError) as error:
        raise SystemExit(f"{endpoint}: {error}") from None
    print(f"{endpoint}: {said}")


main()
