"""Tests of what users install: the wheel, the image, the compose file, the systemd unit."""
