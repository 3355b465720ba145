"""Writes an object through the gateway, reads it again and deletes it; `helm test` runs this.

Variables: ENDPOINT, BUCKET, KEY, AWS_REGION and a key pair. Without BUCKET it only asks whether the
gateway is ready.
"""

import os
import urllib.request
import uuid

import botocore.session
from botocore.config import Config

endpoint, bucket, key = (os.environ[name] for name in ("ENDPOINT", "BUCKET", "KEY"))

# The certificate is made for the clients' name, and the test asks the Service.
verify = not endpoint.startswith("https://")

if bucket:
    config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard"})
    client = botocore.session.get_session().create_client(
        "s3",
        region_name=os.environ["AWS_REGION"],
        endpoint_url=endpoint,
        config=config,
        verify=verify,
    )
    body = uuid.uuid4().hex.encode()
    client.put_object(Bucket=bucket, Key=key, Body=body)
    answer = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    client.delete_object(Bucket=bucket, Key=key)
    if answer != body:
        raise SystemExit(f"{endpoint}: {bucket}/{key} is not what was written")
    print(f"{endpoint}: {bucket}/{key} was written, read and deleted")
else:
    import ssl

    context = None if verify else ssl._create_unverified_context()
    with urllib.request.urlopen(f"{endpoint}/-/readyz", timeout=10, context=context) as response:
        print(f"{endpoint}: ready ({response.status}); set test.bucket for a signed round trip")
