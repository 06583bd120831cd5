"""Headers: the patterns of a command table, and every spelling of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator


def short_form(word: str) -> str:
    """Return the short form of a mnemonic: its capitals, as CURR of CURRent."""
    return "".join(letter for letter in word if not letter.islower())


_NODE = re.compile(r"\[:?([A-Za-z]+(?:<n>)?):?\]|(\*?[A-Za-z]+(?:<n>)?)")


def spellings(pattern: str) -> Iterator[str]:
    """Yield every spelling of a header pattern, in capitals, `#` for each numeric suffix."""
    alternatives: list[list[str]] = []
    for optional_node, node in _NODE.findall(pattern.rstrip("?")):
        name = (optional_node or node).removesuffix("<n>")
        forms = sorted({short_form(name), name.upper()})
        if (optional_node or node).endswith("<n>"):
            forms += [form + "#" for form in forms]
        alternatives.append([*forms, ""] if optional_node else forms)
    for nodes in itertools.product(*alternatives):
        yield ":".join(filter(None, nodes)) + ("?" if pattern.endswith("?") else "")
