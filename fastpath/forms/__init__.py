"""Browser forms (POST Object): taken apart, verified, turned into a PutObject: pure.

    reader -> signature -> policy -> put -> file -> answer

Rules: a form is believed only as far as its policy was signed; every error is one of AWS's, and no
byte that was not verified completes an object.

Not here: the exchange that carries a form (`posting`).
"""
