import urllib.request

import boto3
from botocore.config import Config

s3 = boto3.client(
    "s3",
    endpoint_url="http://127.0.0.1:8080",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region_name="us-east-1",
    config=Config(signature_version="s3v4"),
)
where = {"Bucket": "my-bucket", "Key": "example/hello.txt"}
put = s3.generate_presigned_url("put_object", where, ExpiresIn=600)
urllib.request.urlopen(urllib.request.Request(put, b"hello", method="PUT"))
get = s3.generate_presigned_url("get_object", where, ExpiresIn=600)
assert urllib.request.urlopen(get).read() == b"hello"
