LOAD httpfs;
CREATE SECRET gateway (
    TYPE s3,
    ENDPOINT '127.0.0.1:8080',
    URL_STYLE 'path',
    USE_SSL false,
    KEY_ID 'AKIAIOSFODNN7EXAMPLE',
    SECRET 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    REGION 'us-east-1'
);
COPY (SELECT range AS number FROM range(1000)) TO 's3://my-bucket/example/numbers.parquet';
SELECT count(*) FROM 's3://my-bucket/example/numbers.parquet';
