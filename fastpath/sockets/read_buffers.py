"""The read buffers that all connections of a worker share, and their sizes for plain and TLS.

Rules: a reader copies its bytes out before the next read, so all connections share these buffers. A
head and a small body fit into the first read; splice(2) moves the rest of a large body. Later reads
are of bodies that are copied. The numbers for TLS bound the memory of a slow body: uvloop reads 256
KiB of ciphertext and keeps bytes that nobody wants yet, and decrypted bytes wait in the write
buffer of the other side.
"""

from __future__ import annotations

import asyncio

FIRST_READ = memoryview(bytearray(69632))  # a head and 64 KiB (docs/adr/0005-splice.md)
NEXT_READ = memoryview(bytearray(262144))
# For connections with TLS on either side: as many bytes wait before decryption or after encryption.
LESS_READ = NEXT_READ[:98304]

# At the first number of bytes of ciphertext TLS stops reading, below the second it reads on. The
# second must exceed one record, 16,645 bytes, or a record that is here in part would never be
# completed. The loop's own first number is 256 KiB, which the second read reaches, not the first.

_TLS_KEEPS_BYTES, _TLS_WANTS_BYTES = 32768, 24576


def room_of(transport: asyncio.Transport) -> memoryview:
    """The buffer for bodies of this connection; bounds the bytes that its TLS buffers."""
    if transport.get_extra_info("ssl_object") is None:
        return NEXT_READ
    # Transports of TLS have this method, the type of all transports does not.
    limit = getattr(transport, "set_read_buffer_limits")  # noqa: B009
    limit(high=_TLS_KEEPS_BYTES, low=_TLS_WANTS_BYTES)
    return LESS_READ
