rclone config create gw s3 provider=Other endpoint=http://127.0.0.1:8080 region=us-east-1 \
    access_key_id=AKIAIOSFODNN7EXAMPLE \
    secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
rclone sync tree gw:my-bucket/example
rclone check tree gw:my-bucket/example
rclone copy gw:my-bucket/example gw:my-bucket/example/copied
