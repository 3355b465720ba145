"""An authority for TLS contexts of the rig, which would load the system's list in 40 ms each."""

from __future__ import annotations

import trustme

CA_PEM = trustme.CA().cert_pem.bytes().decode()
