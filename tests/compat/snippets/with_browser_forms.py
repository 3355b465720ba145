import boto3
import urllib3
from botocore.config import Config

s3 = boto3.client(
    "s3",
    endpoint_url="http://127.0.0.1:8080",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region_name="us-east-1",
    config=Config(signature_version="s3v4"),
)
kind = {"Content-Type": "text/plain"}
post = s3.generate_presigned_post("my-bucket", "example/hello.txt", kind, [kind])
form = {**post["fields"], "file": ("hello.txt", b"hello")}
assert urllib3.request("POST", post["url"], fields=form).status == 204
