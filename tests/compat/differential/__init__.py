"""The same script of S3 calls straight at a store and through the gateway: nothing may differ."""
