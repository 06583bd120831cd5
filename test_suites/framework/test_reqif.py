"""ReqIF: requirements come back as they left; what a file does not say is refused."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from framework.made_runs import HOSTILE, Run, requirement
from hil.bodies import asked_sha256, requirement_body
from hil.conclusion import conclude
from hil.errors import UsageError
from hil.requirement import Requirement
from hil_fixtures.cli import app
from hil_fixtures.config import read_device, read_setup
from hil_fixtures.config.catalogue import read_catalogue
from hil_fixtures.reqif import DEEPEST, LARGEST, imported
from hil_reports.evidence import read_journal
from hil_reports.reqif import NAMESPACE, requirements_reqif
from hil_reports.text import clean

PROFILE = read_device(None)
IN = f"{{{NAMESPACE}}}"


def exported(folder: Path, requirements: list[Requirement], hazards: tuple[str, ...] = ()) -> bytes:
    run = Run(folder, requirements, hazards)
    run.collect({"m:test_a": [each.id for each in requirements]})
    return requirements_reqif(conclude(read_journal(run.end()).records))


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def back(path: Path, mapped=(), given=()) -> list[Requirement]:
    toml = imported(path, PROFILE, dict(mapped), dict(given)).toml
    return list(read_catalogue([("back.toml", toml)], PROFILE))


def test_each_shipped_requirement_comes_back_as_it_was(tmp_path):
    shipped = list(read_setup(None, None).requirements)
    content = exported(tmp_path / "run", shipped)
    returned = back(written(tmp_path / "r.reqif", content))
    assert len(returned) == len(shipped) > 50
    for before, after in zip(shipped, returned, strict=True):
        one, other = requirement_body(before), requirement_body(after)
        assert asked_sha256(one) == asked_sha256(other), before.id
        assert one | {"applicability": None} == other, before.id
    assert exported(tmp_path / "again", shipped) == content


SHAPE = """
[[requirement]]
id = "CL-SHAPE"
subject = "clinic"
title = "t"
text = "t"
dimension = "current"
clause = "project"
source = "s"
status = "project"
[requirement.limit]
kind = "envelope"
points = [{ time = "0 s", upper = "1 mA" }, { time = "2 s", upper = "0.5 mA" }]
"""


def test_an_envelope_comes_back_point_by_point(tmp_path):
    (shape,) = read_catalogue([("c.toml", SHAPE)], PROFILE)
    (after,) = back(written(tmp_path / "r.reqif", exported(tmp_path / "run", [shape])))
    assert after == shape


def test_relations_lead_from_hazard_to_control_to_requirement(tmp_path):
    made = [
        requirement("A-1", hazard="burn", control="trip"),
        requirement("A-2", hazard="burn", control="trip"),
        requirement("A-3", hazard="shock"),
    ]
    root = ET.fromstring(exported(tmp_path / "run", made, ("pain",)))
    names = {e.get("IDENTIFIER"): e.get("LONG-NAME") for e in root.iter()}
    found = sorted(
        tuple(names[link.find(f"{IN}{role}")[0].text] for role in ("SOURCE", "TYPE", "TARGET"))
        for link in root.iter(f"{IN}SPEC-RELATION")
    )
    assert found == [
        ("burn", "is controlled by", "trip"),
        ("shock", "is met by", "A-3"),
        ("trip", "is verified by", "A-1"),
        ("trip", "is verified by", "A-2"),
    ]
    assert "pain" in names.values()
    referred = {e.text for e in root.iter() if e.tag.endswith("-REF")}
    assert referred <= names.keys()


def test_hostile_text_is_text_on_both_ways(tmp_path):
    hostile = requirement("A-1", title=HOSTILE, text=f'"""\n{HOSTILE}\\', hazard=HOSTILE)
    content = exported(tmp_path / "run", [hostile])
    assert b"<script" not in content
    path = written(tmp_path / "r.reqif", content)
    toml = imported(path, PROFILE, {}, {}).toml
    (entry,) = tomllib.loads(toml)["requirement"]
    assert entry["title"] == clean(HOSTILE)
    assert entry["text"] == clean(f'"""\n{HOSTILE}\\')
    assert "\x1b" not in toml
    assert "\u202e" not in toml


def reqif(values: str, before: str = "") -> str:
    """One object of a foreign tool, its attributes of many kinds."""
    return f"""<?xml version="1.0"?>{before}<REQ-IF xmlns="{NAMESPACE}"><CORE-CONTENT>
    <REQ-IF-CONTENT>
    <SPEC-TYPES><SPEC-OBJECT-TYPE IDENTIFIER="t"><SPEC-ATTRIBUTES>
    <ATTRIBUTE-DEFINITION-STRING IDENTIFIER="d1" LONG-NAME="ReqIF.ForeignID"/>
    <ATTRIBUTE-DEFINITION-XHTML IDENTIFIER="d2" LONG-NAME="ReqIF.Text"/>
    <ATTRIBUTE-DEFINITION-ENUMERATION IDENTIFIER="d3" LONG-NAME="Kind"/>
    <ATTRIBUTE-DEFINITION-STRING IDENTIFIER="d4" LONG-NAME="limit figure"/>
    <ATTRIBUTE-DEFINITION-STRING IDENTIFIER="d5" LONG-NAME="Reviewer"/>
    <ENUM-VALUE IDENTIFIER="e1" LONG-NAME="at most"/>
    </SPEC-ATTRIBUTES></SPEC-OBJECT-TYPE></SPEC-TYPES><SPEC-OBJECTS>
    <SPEC-OBJECT IDENTIFIER="heading"><VALUES/></SPEC-OBJECT>
    <SPEC-OBJECT IDENTIFIER="o1"><VALUES>{values}</VALUES></SPEC-OBJECT>
    </SPEC-OBJECTS></REQ-IF-CONTENT></CORE-CONTENT></REQ-IF>"""


def string(definition: str, text: str) -> str:
    return (
        f'<ATTRIBUTE-VALUE-STRING THE-VALUE="{text}"><DEFINITION><R>{definition}</R></DEFINITION>'
        "</ATTRIBUTE-VALUE-STRING>"
    )


FIGURE = string("d4", "4.4 mA")
REST = (
    string("d1", "REQ-7")
    + '<ATTRIBUTE-VALUE-XHTML><THE-VALUE><x:div xmlns:x="h">The <x:b>current</x:b> stays\n low.'
    "</x:div></THE-VALUE><DEFINITION><R>d2</R></DEFINITION></ATTRIBUTE-VALUE-XHTML>"
    "<ATTRIBUTE-VALUE-ENUMERATION><VALUES><ENUM-VALUE-REF>e1</ENUM-VALUE-REF></VALUES><DEFINITION>"
    "<R>d3</R></DEFINITION></ATTRIBUTE-VALUE-ENUMERATION>" + string("d5", "A. Person")
)
MAP = {"ReqIF.ForeignID": "id", "ReqIF.Text": "text", "Kind": "limit kind"}
SET = {
    "subject": "clinic",
    "title": "Low current",
    "dimension": "current",
    "clause": "project",
    "source": "risk file 3",
    "status": "project",
}


def test_attributes_of_another_tool_are_mapped_and_the_others_named(tmp_path):
    path = written(tmp_path / "r.reqif", reqif(REST + FIGURE))
    found = imported(path, PROFILE, MAP, SET)
    assert found.requirements == ("REQ-7",)
    assert found.unmapped == {"Reviewer": 1}
    assert found.left_out == ("heading",)
    (made,) = back(path, MAP, SET)
    assert (made.text, str(made.limit)) == ("The current stays low.", "at most 4.4 mA")


@pytest.mark.parametrize(
    ("values", "given", "said"),
    [
        (REST + string("d4", "4.4"), SET, "REQ-7: limit figure: '4.4' has no unit"),
        (REST + string("d4", "low"), SET, "REQ-7: limit figure: 'low' is not a quantity"),
        (REST, SET, "needs a figure"),
        (REST + FIGURE, {**SET, "source": ""}, "REQ-7: no source"),
        (REST + FIGURE, {**SET, "status": ""}, "REQ-7: no status"),
        (REST + FIGURE, {**SET, "subject": ""}, "REQ-7: no subject"),
        (REST + FIGURE, {**SET, "dimension": "voltage"}, "4.4 mA"),
        (REST + FIGURE, {**SET, "status": "confirmed"}, "REQ-7"),
        (REST + FIGURE, {**SET, "mandatory": "perhaps"}, "REQ-7: mandatory: 'perhaps'"),
        (REST + FIGURE, {**SET, "limit points": "[1]"}, "REQ-7: limit points"),
        (string("d5", "x"), SET, "no object has an id and a text"),
    ],
)
def test_what_a_requirement_does_not_say_is_refused_and_never_made_up(
    tmp_path, values, given, said
):
    path = written(tmp_path / "r.reqif", reqif(values))
    mapped = MAP if "REQ-7" in values else {}
    with pytest.raises(UsageError, match=re.escape(said)):
        imported(path, PROFILE, mapped, {key: text for key, text in given.items() if text})


BOMB = (
    '<!DOCTYPE x [<!ENTITY a "ha">'
    + "".join(f'<!ENTITY {chr(97 + n)} "{f"&{chr(96 + n)};" * 10}">' for n in range(1, 12))
    + "]>"
)
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (reqif(string("d1", "&l;"), before=BOMB), "document type"),
        (reqif("<x>&a;</x>", before=FILE), "document type"),
        ("<a>" * (DEEPEST + 1) + "</a>" * (DEEPEST + 1), "lie within each other"),
        ("x" * (LARGEST + 1), "larger than 32 MiB"),
        (b"PK\x03\x04", "unpack it"),
        ("<REQ-IF", "no XML"),
        ("<a/>", "its root is a"),
        (f'<REQ-IF xmlns="{NAMESPACE}"/>', "its attributes are: none"),
    ],
)
def test_a_file_that_is_no_harmless_reqif_is_refused(tmp_path, content, said):
    with pytest.raises(UsageError, match=said):
        imported(written(tmp_path / "r.reqif", content), PROFILE, {}, {})


def test_the_command_writes_a_catalogue_once_and_tells_what_it_left_out(tmp_path):
    path, target = written(tmp_path / "r.reqif", reqif(REST + FIGURE)), tmp_path / "c.toml"
    words = [f"--map={name}={key}" for name, key in MAP.items()]
    words += [f"--set={key}={text}" for key, text in SET.items()]
    command = ["import", str(path), str(target), *words]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "1 requirements" in done.output
    assert "attribute 'Reviewer' of 1 requirements" in done.output
    assert "1 objects without id or text: 'heading'" in done.output
    assert [r.id for r in read_catalogue([("c.toml", target.read_text("utf-8"))], PROFILE)] == [
        "REQ-7"
    ]
    again = CliRunner().invoke(app, command)
    assert isinstance(again.exception, UsageError)
    for bad in (["--map=Nobody=text"], ["--map=ReqIF.Text=words"], ["--set=text"]):
        refused = CliRunner().invoke(app, ["import", str(path), str(tmp_path / "n.toml"), *bad])
        assert isinstance(refused.exception, UsageError)
    assert not (tmp_path / "n.toml").exists()
