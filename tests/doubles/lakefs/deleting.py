"""DeleteObjects.

Rules: if all keys have the same ref they are one batch, of which nothing is deleted if one cannot
be: the first reason is reported for each, and one without a path counts as success; otherwise each
key is deleted by itself; a key ends at its first newline.
"""

from __future__ import annotations

from tests.doubles.lakefs import addressing
from tests.doubles.lakefs.call import Call
from tests.doubles.lakefs.errors import CODES, ReadFault, Refusal
from tests.doubles.lakefs.objects import refuse_read_only
from tests.doubles.lakefs.wire import Answer
from tests.doubles.lakefs.xml import element, parse

MAX_KEYS = 1000


def delete_objects(call: Call) -> Answer:
    refuse_read_only(call)
    keys, is_quiet = _asked(call)
    found: dict[str, tuple[str, str]] = {}
    failures: dict[str, str] = {}
    for key in keys:
        try:
            found[key] = addressing.split_key(key)[:2]
        except ValueError:
            failures[key] = "ErrDeletingKey"
    refs = {ref for ref, _ in found.values()}
    batches = [list(found)] if len(refs) == 1 else [[key] for key in found]
    for batch in batches:
        if code := _delete_batch(call, found[batch[0]][0], [found[key][1] for key in batch]):
            failures.update(dict.fromkeys(batch, code))
    rows = [_error(key, failures[key]) for key in keys if key in failures]
    if not is_quiet:
        rows += [element("Deleted", element("Key", key)) for key in keys if key not in failures]
    return call.xml(element("DeleteResult", *rows, namespace=True))


def _asked(call: Call) -> tuple[list[str], bool]:
    try:
        tree = parse(call.read(), "Delete")
    except (ReadFault, ValueError):
        raise Refusal("BadRequest") from None
    keys = [node.findtext("Key") or "" for node in tree.findall("Object")]
    if not 1 <= len(keys) <= MAX_KEYS:
        raise Refusal("MalformedXML")
    return keys, tree.findtext("Quiet") == "true"


def _delete_batch(call: Call, ref: str, paths: list[str]) -> str:
    """The code of what went wrong, or "" if the batch is reported as deleted."""
    if not addressing.is_branch_name(ref):
        return "ErrDeletingKey"
    for path in paths:
        if not addressing.is_key(path):
            return "ErrDeletingKey" if path else ""
    with call.store.lock:
        branch = call.repository.branches.get(ref)
        if branch is None:
            return ""
        if branch.is_protected:
            return "ErrWriteToProtectedBranch"
        for path in paths:
            branch.entries.pop(path, None)
    return ""


def _error(key: str, code: str) -> bytes:
    message = CODES[code][1] if code in CODES else "error deleting key"
    return element("Error", element("Code", code), element("Key", key), element("Message", message))
