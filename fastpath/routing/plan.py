"""Holds the rules that concern one bucket, and says where its requests go.

    decide(asked)     the one place of a request: a write's, by the conditions of rules
    chain(asked)      the places of a key or a bucket, in the order in which reads look
    places(asked)     the places of the keys that begin with a prefix

A rule with conditions makes its target a place for everything about the bucket that the rule's
identities ask, whatever its operations, because what is written there must be found again. It takes
a new object only if its operations and its conditions do. Other rules are literal.

Rules: the first matching rule wins, in file order; a request about many keys that are in several
places is refused, unless it is answered from all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastpath.errors import NOT_IMPLEMENTED, S3Error
from fastpath.routing.asked import Asked
from fastpath.routing.chain import Chain, Decision, chain_of
from fastpath.routing.key_globs import Coverage
from fastpath.routing.rules import CREATING, Fallback, Kind, Mismatch


class Plan:
    """The rules that concern one bucket; `fixed` when they do not depend on the request."""

    __slots__ = ("_choices", "_otherwise", "fixed")

    def __init__(
        self, choices: Sequence[tuple[Kind, Decision]], otherwise: tuple[Decision, Fallback | None]
    ) -> None:
        """`otherwise`: where requests go that no rule takes."""
        self._choices = choices
        self._otherwise = otherwise
        self.fixed: Decision | None = None
        if not choices:
            self.fixed = otherwise[0] if otherwise[1] is None else None
        elif choices[0][0].unconditional and choices[0][0].fallback is None:
            self.fixed = choices[0][1]

    def decide(self, asked: Asked) -> Decision:
        """Return the one place of a request. Raises S3Error: there are several."""
        if asked.operation not in CREATING:
            chain = self.chain(asked)
            if chain.candidates > 1:
                raise has_several_targets()
            return chain.primary
        if asked.prefix is not None:
            return self._place_of_uploads(asked)
        for kind, decision in self._choices:
            if kind.mismatch(asked) is None:
                return decision
        return self._otherwise[0]

    def _place_of_uploads(self, asked: Asked) -> Decision:
        """Return the one place where uploads may be under way: their size is not known."""
        found: list[Decision] = []
        across: list[Decision] = []  # places of some of the keys
        for kind, decision in self._choices:
            mismatch = kind.mismatch_as_place(asked)
            if mismatch is Mismatch.ACROSS and kind.takes_uploads:
                across.append(decision)
            elif mismatch is None and kind.takes_uploads:
                found.append(decision)
            if mismatch is None and kind.takes_every_upload:
                break
        else:
            found.append(self._otherwise[0])
        if not all(place.is_same_place(found[0]) for place in across):
            raise lies_across()
        if not all(place.is_same_place(found[0]) for place in found):
            raise has_several_targets()
        return found[0]

    def chain(self, asked: Asked) -> Chain:
        """Return the places of a key, or of a bucket. Raises S3Error: its keys are in several."""
        candidates: list[Decision] = []
        across: list[Decision] = []  # places of some of the keys
        fallback = self._otherwise[1]
        for kind, decision in self._choices:
            mismatch = kind.mismatch_as_place(asked)
            if mismatch is Mismatch.ACROSS:
                across.append(decision)
            elif mismatch is None:
                candidates.append(decision)
                if kind.conditions is None:
                    fallback = kind.fallback
                    break
        else:
            candidates.append(self._otherwise[0])
        chain = chain_of(candidates, *_fallbacks(candidates[-1], fallback))
        if not all(one.is_same_place(chain.primary) for one in across):
            raise lies_across()
        return chain

    def places(self, asked: Asked) -> list[tuple[Decision, Coverage]]:
        """Return the places of keys with a prefix, and how many of these keys have each.

        In the order in which reads look, if all have ALL; ALL is certain.
        """
        found: list[tuple[Decision, Coverage]] = []
        for decision, coverage in self._visit(asked):
            # One that has some keys already, and comes again with all, is a later place of others.
            if not any(decision.is_same_place(other) for other, _ in found):
                found.append((decision, coverage))
        return found

    def _visit(self, asked: Asked) -> Iterator[tuple[Decision, Coverage]]:
        is_whole = True  # no earlier rule without conditions takes some of the keys
        for kind, decision in self._choices:
            mismatch = kind.mismatch_as_place(asked)
            if mismatch is not None and mismatch is not Mismatch.ACROSS:
                continue
            whole = is_whole and mismatch is None
            yield decision, Coverage.ALL if whole else Coverage.SOME
            if kind.conditions is not None:
                continue
            for place in _fallbacks(decision, kind.fallback)[0]:
                yield place, Coverage.ALL if whole else Coverage.SOME
            if mismatch is None:
                return
            is_whole = False
        rest = Coverage.ALL if is_whole else Coverage.SOME
        decision, fallback = self._otherwise
        for place in [decision, *_fallbacks(decision, fallback)[0]]:
            yield place, rest


def _fallbacks(
    primary: Decision, fallback: Fallback | None
) -> tuple[list[Decision], frozenset[str]]:
    """Return the places behind one, which have the client's names, and what leads there."""
    if fallback is None:
        return [], frozenset()
    return [Decision(target, primary.rule) for target in fallback.targets], fallback.passes


def lies_across() -> S3Error:
    """Return the error for a request about many keys that are in several places."""
    return S3Error(
        NOT_IMPLEMENTED,
        message="The keys that this request asks for are on several storage targets. Please ask "
        "for a longer prefix.",
    )


def has_several_targets() -> S3Error:
    """Return the error for a request to a bucket whose objects several targets may get."""
    return S3Error(
        NOT_IMPLEMENTED,
        message="The objects of this bucket are on several storage targets, and this request can "
        "be made to one of them only.",
    )
