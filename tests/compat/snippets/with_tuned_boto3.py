import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

s3 = boto3.client(
    "s3",
    endpoint_url="http://127.0.0.1:8080",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region_name="us-east-1",
    config=Config(
        max_pool_connections=50,
        connect_timeout=5,
        read_timeout=130,
        retries={"mode": "standard", "max_attempts": 5},
        tcp_keepalive=True,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"},
    ),
)
parts = TransferConfig(
    multipart_threshold=64 * 2**20, multipart_chunksize=16 * 2**20, max_concurrency=10
)
s3.upload_file("tree/hello.txt", "my-bucket", "example/hello.txt", Config=parts)
assert s3.get_object(Bucket="my-bucket", Key="example/hello.txt")["Body"].read() == b"hello\n"
