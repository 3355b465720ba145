import polars as pl

options = {
    "aws_endpoint_url": "http://127.0.0.1:8080",
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aws_region": "us-east-1",
    "aws_allow_http": "true",
}
table = pl.DataFrame({"number": [1, 2, 3]})
table.write_parquet("s3://my-bucket/example/numbers.parquet", storage_options=options)
found = pl.scan_parquet("s3://my-bucket/example/*.parquet", storage_options=options)
assert found.collect().equals(table)
