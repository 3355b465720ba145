"""A stand-in for lakeFS on loopback, built from a written description of lakeFS 1.84 alone.

Rules: what it does is our reading of lakeFS, not lakeFS; docs/lakefs.md says what that proves.
"""

from tests.doubles.lakefs.double import LakeFS

__all__ = ["LakeFS"]
