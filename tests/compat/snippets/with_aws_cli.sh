export AWS_ENDPOINT_URL_S3=http://127.0.0.1:8080
export AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE
export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
export AWS_DEFAULT_REGION=us-east-1
aws s3 cp tree/hello.txt s3://my-bucket/example/hello.txt
aws s3 sync s3://my-bucket/example/ copies/
aws s3 presign s3://my-bucket/example/hello.txt
