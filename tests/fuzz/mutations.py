"""Owns the plain mutations of known inputs: what `make test` does to each, always the same.

Rules: the same seed makes the same inputs; nothing here looks at the code under test.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

# What the grammars turn on.
TOKENS = (
    *(bytes([byte]) for byte in b"\0\t\n\r \"%&'+,/:;<=>?@[]`{}~\x7f\x80\xff"),
    b"\r\n",
    b"\r\n\r\n",
    b"%00",
    b"%2e%2e",
    b"%C3",
    b"0",
    b"-1",
    b"fffffffffffffffff",
    b"9" * 30,
    b"&#10;",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"x" * 300,
)


def mutants(data: bytes, others: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` inputs, each a few changes away from `data`; some go on as one of `others`."""
    chance = random.Random(seed)
    for _ in range(count):
        mutant = bytearray(data)
        for _ in range(chance.choice((1, 1, 1, 2, 2, 4))):
            _change(mutant, others, chance)
        yield bytes(mutant)


def _change(mutant: bytearray, others: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(mutant) + 1)
    end = min(len(mutant), at + chance.choice((1, 1, 2, 8, 64)))
    match chance.randrange(6):
        case 0:  # flip a bit
            if at < len(mutant):
                mutant[at] ^= 1 << chance.randrange(8)
        case 1:  # leave something out
            del mutant[at:end]
        case 2:  # say something twice
            mutant[at:at] = mutant[at:end]
        case 3:  # put a token in, or in place
            mutant[at : end if chance.randrange(2) else at] = chance.choice(TOKENS)
        case 4:  # end early
            del mutant[at:]
        case 5:  # go on as another input does
            other = chance.choice(others)
            mutant[at:] = other[chance.randrange(len(other) + 1) :]
