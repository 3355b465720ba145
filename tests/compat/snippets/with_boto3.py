import boto3

s3 = boto3.client(
    "s3",
    endpoint_url="http://127.0.0.1:8080",
    aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
    aws_secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region_name="us-east-1",
)
s3.put_object(Bucket="my-bucket", Key="example/hello.txt", Body=b"hello")
assert s3.get_object(Bucket="my-bucket", Key="example/hello.txt")["Body"].read() == b"hello"
