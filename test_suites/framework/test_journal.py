"""A journal shows every change to it, and refuses what a record cannot carry."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bodies import judgement_body, measured_body, requirement_body
from hil.decision import Judgement
from hil.device import Polarity
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.journal import (
    GENESIS,
    Chain,
    ChainBroken,
    Record,
    links,
    plain,
    read,
    verify_chain,
)
from hil.measurement import Component, Measurement
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.verdict import Verdict

law = settings(derandomize=True, deadline=None, max_examples=300)
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def written() -> list[Record]:
    chain = Chain()
    bodies: list[tuple[str, dict[str, Any], float | None]] = [
        ("run", {"seed": 7, "small": 1e-05, "none": None, "yes": True}, None),
        ("armed", {"text": 'Ohm \u03a9, \u00b5A, a "quote", a\nline'}, 0.1234567),
        ("judgement", {"value": Decimal("0.0040"), "limit": Exact.parse("4.0 mA")}, 12.5),
        ("note", {"list": [1, 2.5, "x"], "empty": {}, "nested": {"b": 1, "a": [[]]}}, 13.0),
        ("end", {"seconds": 1.25}, None),
    ]
    return [
        chain.append(kind, body, utc=NOON + timedelta(seconds=n), bench=bench)
        for n, (kind, body, bench) in enumerate(bodies)
    ]


RECORDS = written()
LINES = [record.line for record in RECORDS]


def content(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogatepass")


def parsed(lines: Iterable[str]) -> list[Record]:
    return list(read(content(lines)))


def test_what_was_written_is_read() -> None:
    assert parsed(LINES) == RECORDS
    assert parsed([]) == []
    assert RECORDS[0].prev == GENESIS
    assert [record.n for record in RECORDS] == [0, 1, 2, 3, 4]
    assert RECORDS[1].bench == 0.123457
    assert RECORDS[0].utc == "2026-03-01T12:00:00.000+00:00"


def test_the_chain_can_be_checked_by_anybody_who_can_hash_bytes() -> None:
    """The form that a stranger's verification relies on: no JSON library is needed."""
    prev = "0" * 64
    for n, line in enumerate(content(LINES).splitlines()):
        head, digest = line[:-75], line[-66:-2].decode()
        assert hashlib.sha256(head + b"}").hexdigest() == digest
        assert head.startswith(f'{{"n":{n},"prev":"{prev}","kind":"'.encode())
        assert line[-75:] == f',"hash":"{digest}"}}'.encode()
        prev = digest
    assert "\u03a9" in LINES[1]


def test_the_body_is_canonical_json_and_the_keys_stand_in_their_order() -> None:
    for line in LINES:
        entry = json.loads(line)
        assert list(entry) == ["n", "prev", "kind", "utc", "bench", "body", "hash"]
        body = json.dumps(entry["body"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert f',"body":{body},"hash":"' in line


def test_each_record_is_one_line() -> None:
    assert all("\n" not in line and "\r" not in line for line in LINES)


@law
@given(st.data())
def test_any_single_character_change_is_found(data: st.DataObject) -> None:
    n = data.draw(st.integers(0, len(LINES) - 1))
    line = LINES[n]
    place = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.sampled_from('0123456789abcdefE{}[]",:.+- \u00e9\t'))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete"]))
    tail = line[place:] if kind == "insert" else line[place + 1 :]
    changed = line[:place] + ("" if kind == "delete" else other) + tail
    if changed == line:
        return
    with pytest.raises(ChainBroken, match=f"record {n} "):
        parsed([*LINES[:n], changed, *LINES[n + 1 :]])


@pytest.mark.parametrize("n", range(len(LINES)))
def test_every_character_counts(n: int) -> None:
    for place, character in enumerate(LINES[n]):
        other = "1" if character == "0" else "0"
        changed = LINES[n][:place] + other + LINES[n][place + 1 :]
        with pytest.raises(ChainBroken):
            parsed([*LINES[:n], changed, *LINES[n + 1 :]])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1e-05", "1E-05"),
        ("1e-05", "0.00001"),
        ('"seed":7', '"seed":8,"seed":7'),
        ('"seed":7', '"seed": 7'),
        ('"yes":true', '"yes":1'),
        ('"n":0', '"n":false'),
        ('"n":0', '"n":0.0'),
        ("+00:00", "\\u002b00:00"),
    ],
)
def test_the_same_content_in_another_text_is_found(old: str, new: str) -> None:
    assert old in LINES[0]
    with pytest.raises(ChainBroken, match="record 0 "):
        parsed([LINES[0].replace(old, new), *LINES[1:]])


def forged(old: str, new: str) -> bytes:
    """The first line changed, with a hash that fits: what someone with our format would write."""
    head = LINES[0][:-75].replace(old, new)
    assert head != LINES[0][:-75]
    digest = hashlib.sha256(head.encode() + b"}").hexdigest()
    return f'{head},"hash":"{digest}"}}\n'.encode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1e-05", "1E-05"),
        ("1e-05", "0.00001"),
        ('"seed":7', '"seed":8,"seed":7'),
        ('"seed":7', '"seed": 7'),
        ('"seed":7', '"seed":NaN'),
        ('"small"', '"\\u0073mall"'),
        ('"none":null,"seed":7', '"seed":7,"none":null'),
        (',"body":{', ',"more":1,"body":{'),
        (',"body":{', ',"body":{},"body":{'),
        (',"body":{', ',"hash":"x","body":{'),
        (',"body":{', ',"line":"x","body":{'),
        ("+00:00", "\\u002b00:00"),
    ],
)
def test_a_record_that_hides_another_is_refused_where_it_is_read(old: str, new: str) -> None:
    line = forged(old, new)
    assert verify_chain(line).n == 1  # its bytes hang together
    (link,) = links(line)
    with pytest.raises(ChainBroken, match="record 0"):
        link.record()


@pytest.mark.parametrize("body", ["[]", "7", "null", '"x"', "{", "\udcff"])
def test_a_body_that_is_no_object_is_refused_where_it_is_read(body: str) -> None:
    head = LINES[0][: LINES[0].index('"body":')] + f'"body":{body}'
    bare = head.encode(errors="surrogateescape")
    line = b'%b,"hash":"%b"}\n' % (bare, hashlib.sha256(bare + b"}").hexdigest().encode())
    with pytest.raises(ChainBroken, match="record 0"):
        list(read(line))


def test_a_chain_that_begins_elsewhere_is_checked_from_there() -> None:
    """As the annex of a sealed run, which follows from its seal."""
    chain = Chain(prev="ab" * 32)
    lines = [chain.append("note", {}, utc=NOON, bench=None).line for _ in range(3)]
    assert [link.n for link in links(content(lines), "ab" * 32)] == [0, 1, 2]
    assert verify_chain(content(lines), "ab" * 32) == chain
    with pytest.raises(ChainBroken, match="record 0 does not follow from the begin of the chain"):
        verify_chain(content(lines))


def test_a_link_tells_its_kind_without_being_parsed() -> None:
    assert [link.kind for link in links(content(LINES))] == [record.kind for record in RECORDS]


def test_a_last_line_without_its_end_is_no_record() -> None:
    with pytest.raises(ChainBroken, match="record 4 has no line end"):
        verify_chain(content(LINES)[:-1])


@pytest.mark.parametrize("n", range(len(LINES) - 1))
def test_a_lost_line_is_found(n: int) -> None:
    with pytest.raises(ChainBroken, match=f"record {n} "):
        parsed(LINES[:n] + LINES[n + 1 :])


def test_lost_last_lines_leave_a_valid_beginning() -> None:
    """The chain cannot know its end: the sealed head does; a run without `end` is incomplete."""
    assert parsed(LINES[:-1]) == RECORDS[:-1]


@pytest.mark.parametrize("one", range(len(LINES)))
@pytest.mark.parametrize("two", range(len(LINES)))
def test_swapped_and_repeated_lines_are_found(one: int, two: int) -> None:
    repeated = [*LINES[:two], LINES[one], *LINES[two:]]
    with pytest.raises(ChainBroken):
        parsed(repeated)
    if one != two:
        swapped = list(LINES)
        swapped[one], swapped[two] = swapped[two], swapped[one]
        with pytest.raises(ChainBroken):
            parsed(swapped)


def test_a_line_made_of_a_true_hash_and_another_number_is_found() -> None:
    """Whoever adds a line can hash it, but not fit it between its neighbours."""
    forged = Chain(prev=RECORDS[1].hash, n=2).append("note", {}, utc=NOON, bench=None)
    assert parsed([*LINES[:2], forged.line])[2] == forged
    with pytest.raises(ChainBroken, match="record 3 "):
        parsed([*LINES[:2], forged.line, *LINES[2:]])
    with pytest.raises(ChainBroken, match="record 3 "):
        parsed([*LINES[:2], forged.line, *LINES[3:]])


@pytest.mark.parametrize(
    "line",
    ["", " ", "null", "[]", "7", "{}", "{", '"x"', '{"n":NaN}', "[" * 100_000, LINES[0] + LINES[0],
     LINES[0].replace('"seed":7', '"seed":NaN'), LINES[0].replace('"seed":7', '"seed":"\\ud800"'),
     LINES[0].replace('"n":0,', ""), LINES[0].replace('"n":0,', '"m":1,"n":0,')],
)  # fmt: skip
def test_a_line_that_is_no_record_is_a_broken_chain(line: str) -> None:
    with pytest.raises(ChainBroken, match="record 0"):
        parsed([line, *LINES[1:]])


# --- what a record can carry ---------------------------------------------------------------------

json_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(
            ["", "x", "\u2028", "\x85", "\x00", "\ud800", "\udc80x", "\U0001f50b", '"\\']
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab\ud800"), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(derandomize=True, deadline=None, max_examples=100)
@given(st.dictionaries(st.sampled_from("abc"), json_values, max_size=3))
def test_whatever_was_said_is_written_and_verified(body: dict[str, Any]) -> None:
    """Also half a surrogate pair, as an instrument's reply may hold."""
    chain = Chain()
    lines = [chain.append("x", body, utc=NOON, bench=None).line for _ in range(2)]
    stored = [line.encode() for line in lines]
    assert [r.n for r in read(b"".join(line + b"\n" for line in stored))] == [0, 1]
    assert b"\n" not in b"".join(stored)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_nan_is_refused_wherever_it_stands(bad: float) -> None:
    chain = Chain()
    for body in ({"x": bad}, {"x": [1, {"y": (bad,)}]}):
        with pytest.raises(UsageError, match="has no place in a record; write it as text"):
            chain.append("x", body, utc=NOON, bench=None)
    with pytest.raises(UsageError):
        chain.append("x", {}, utc=NOON, bench=bad)


@pytest.mark.parametrize("bad", [object(), b"bytes", 1j, NOON, range(3)])
def test_what_has_no_form_is_refused(bad: object) -> None:
    with pytest.raises(UsageError, match="has no form in a record"):
        Chain().append("x", {"x": bad}, utc=NOON, bench=None)


def test_a_refused_record_leaves_the_chain_as_it_was() -> None:
    chain = Chain()
    first = chain.append("x", {}, utc=NOON, bench=None)
    for body, bench in (({"x": math.nan}, None), ({}, math.nan), ({"x": object()}, 0.0)):
        with pytest.raises(UsageError):
            chain.append("x", body, utc=NOON, bench=bench)
    second = chain.append("y", {}, utc=NOON, bench=None)
    assert parsed([first.line, second.line]) == [first, second]


def test_a_record_does_not_follow_a_later_change_of_its_body() -> None:
    body: dict[str, Any] = {"list": [1]}
    record = Chain().append("x", body, utc=NOON, bench=None)
    body["list"].append(2)
    assert record.body == {"list": [1]}


def test_time_is_utc() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        Chain().append("x", {}, utc=datetime(2026, 3, 1), bench=None)
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5)))
    assert Chain().append("x", {}, utc=elsewhere, bench=None).utc == "2026-03-01T12:00:00.000+00:00"


def test_forms_of_quantities_enums_and_sets() -> None:
    assert plain({"a": Decimal("4.00"), "b": Exact.parse("4.0 mA"), "c": Polarity.POSITIVE}) == {
        "a": "4.00",
        "b": "4.0 mA",
        "c": "positive",
    }
    assert plain({"b", "a", "c"}) == ["a", "b", "c"]
    assert plain({1: (1, 2)}) == {"1": [1, 2]}


# --- bodies --------------------------------------------------------------------------------------

REQUIREMENT = Requirement(
    "R-1", "limits", "title", "text", Limit(Kind.WITHIN, Exact.parse("0.1 mA"), Decimal("0.05")),
    Dimension.CURRENT, "201.12.4", "sheet", Knowledge.PROJECT,
)  # fmt: skip
PLAIN = {"divisor": 1.0, "shape": "normal", "source": ""}
MEASURED = Measurement(
    Decimal("0.0040"),
    Dimension.CURRENT,
    (Component("gain", 1e-6, -0.004, 9.0), Component("offset", 2e-6)),
    ("SIM-1",),
    captures=("abc",),
    raw=Decimal("0.0041"),
)


def test_a_judgement_is_written_with_all_that_repeats_it() -> None:
    judgement = Judgement(
        "R-1", Verdict.PASS, "inside", MEASURED, Exact.parse("4 mA"), Decimal("0.0038"),
        Decimal("0.0042"), rule="guarded", guard=Decimal("0.00001"),
        accept_lower=Decimal("0.00381"), accept_upper=Decimal("0.00419"), margin=Decimal("0.0002"),
        conformance=0.99, false_accept=0.01, worst_false_accept=0.023, tur=20.0, warning="w",
    )  # fmt: skip
    body = judgement_body("m:t", judgement, record="r1")
    assert body["measured"] is not None
    assert (body["test"], body["requirement"], body["verdict"]) == ("m:t", "R-1", "PASS")
    assert (body["at"], body["lower"], body["upper"]) == ("4 mA", "0.0038", "0.0042")
    assert (body["guard"], body["margin"], body["conformance"]) == ("0.00001", "0.0002", 0.99)
    assert (body["rule"], body["accept_lower"], body["accept_upper"]) == (
        "guarded", "0.00381", "0.00419",
    )  # fmt: skip
    assert (body["false_accept"], body["worst_false_accept"], body["tur"]) == (0.01, 0.023, 20.0)
    assert (body["share"], body["warning"]) == (None, "w")
    assert body["measured"]["value"] == "0.0040"
    assert body["measured"]["raw"] == "0.0041"
    assert body["measured"]["components"] == [
        {"id": "gain", "u": 1e-6, "sensitivity": -0.004, "dof": 9.0} | PLAIN,
        {"id": "offset", "u": 2e-6, "sensitivity": 1.0, "dof": None} | PLAIN,
    ]
    assert body["record"] == "r1"
    assert "record" not in judgement_body("m:t", judgement)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_judgement_on_an_overload_can_be_journaled(bad: float) -> None:
    """Its budget holds what is not finite: the sensitivity of a gain is the reading."""
    parts = (Component("gain", 1e-4, bad), Component("noise", bad, 1.0, bad))
    judgement = Judgement(
        "R-1", Verdict.ERROR, "overload", replace(MEASURED, value=Decimal(bad), components=parts)
    )
    record = Chain().append("judgement", judgement_body("t", judgement), utc=NOON, bench=1.0)
    assert parsed([record.line]) == [record]
    assert json.loads(record.line)["body"]["measured"]["components"][0]["sensitivity"] == str(bad)


def test_a_requirement_is_written_in_full() -> None:
    body = requirement_body(REQUIREMENT)
    assert body["limit"] == "within 0.1 mA or 5 % of the value commanded, the larger"
    assert body["limit_parts"] == {
        "kind": "within", "figure": "0.1 mA", "relative": "0.05",
        "lower": None, "upper": None, "mask": None, "undeclared": [],
    }  # fmt: skip
    assert (body["dimension"], body["rule"]) == ("A", "guarded")
    assert body["rule_text"] == "guarded acceptance, w = U"
    assert body["claim"] == "project figure"
    assert body["mandatory"] is True
    assert measured_body(MEASURED)["expanded"] == str(MEASURED.expanded)
