import s3fs

fs = s3fs.S3FileSystem(
    endpoint_url="http://127.0.0.1:8080",
    key="AKIAIOSFODNN7EXAMPLE",
    secret="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
)
fs.pipe("my-bucket/example/hello.txt", b"hello")
assert fs.cat("my-bucket/example/hello.txt") == b"hello"
assert fs.ls("my-bucket/example/") == ["my-bucket/example/hello.txt"]
