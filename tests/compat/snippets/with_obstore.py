import obstore
from obstore.store import S3Store

store = S3Store(
    "my-bucket",
    endpoint="http://127.0.0.1:8080",
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    secret_access_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
    client_options={"allow_http": True},
)
obstore.put(store, "example/hello.txt", b"hello")
assert bytes(obstore.get(store, "example/hello.txt").bytes()) == b"hello"
