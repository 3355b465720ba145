"""What connections are read into, and how much of a peer's bytes TLS keeps before that.

Rules: whoever reads copies out what came before the next read, so that all share these; a head and
a small body fit into the first read, and the rest of a large body is left to the kernel then
(`splice`); later reads are of bodies that are copied. Memory of a slow body is the point of the
numbers for TLS: uvloop reads 256 KiB of ciphertext and keeps what nobody wants yet, and what was
decrypted waits in the other side's write buffer.

Not here: write buffers (`limits`), when reading stops (`downstream`, `upstream`).
"""

from __future__ import annotations

import asyncio

FIRST_READ = memoryview(bytearray(69632))  # a head and 64 KiB (docs/adr/0005-splice.md)
NEXT_READ = memoryview(bytearray(262144))
# Where a side speaks TLS: a read's worth waits before decryption or behind encryption, too.
LESS_READ = NEXT_READ[:98304]

# Ciphertext that makes TLS stop reading, and that makes it read on. The second must be more than
# one record, 16,645 bytes, or a record of which a part is here would never be completed; the loop's
# own first is 256 KiB, reached by the second read and not by the first.
_TLS_KEEPS_BYTES, _TLS_WANTS_BYTES = 32768, 24576


def room_of(transport: asyncio.Transport) -> memoryview:
    """What bodies of this connection are read into. Limits what TLS keeps of them."""
    if transport.get_extra_info("ssl_object") is None:
        return NEXT_READ
    # Transports of TLS have this, the type of all transports does not.
    limit = getattr(transport, "set_read_buffer_limits")  # noqa: B009
    limit(high=_TLS_KEEPS_BYTES, low=_TLS_WANTS_BYTES)
    return LESS_READ
