import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import S3FileSystem

fs = S3FileSystem(
    endpoint_override="127.0.0.1:8080",
    scheme="http",
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
)
table = pa.table({"number": [1, 2, 3]})
pq.write_table(table, "my-bucket/example/numbers.parquet", filesystem=fs)
assert pq.read_table("my-bucket/example/numbers.parquet", filesystem=fs).equals(table)
