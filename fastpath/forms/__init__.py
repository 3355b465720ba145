"""Browser forms (POST Object): parsed, verified, turned into a PutObject, answered. Pure.

    reader -> signature -> policy -> put -> file -> answer

Rules: only what the policy signs of a form counts; every error is one of AWS's, and no byte that
was not verified completes an object.
"""
