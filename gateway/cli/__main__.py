"""The entry point `python -m gateway.cli`, the same as the console script `s3gateway`."""

from gateway.cli.main import main

main(prog_name="s3gateway")
