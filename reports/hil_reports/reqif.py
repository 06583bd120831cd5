"""requirements.reqif: what was judged, and what came of it, for a requirements tool.

Hazards, risk controls and requirements are objects; relations lead from hazard to control and from
control to requirement, as in the matrix. Attributes have the names of the keys of a catalogue, so
that `hil import` reads them back. The form is ReqIF 1.2, of plain strings alone.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from decimal import Decimal
from xml.etree import ElementTree as ET

from hil.bodies import LimitBody, RequirementBody
from hil.conclusion import Conclusion, RequirementRow
from hil.exact import Dimension
from hil_reports.text import clean
from hil_reports.view import WORDS, banner, result_line

NAMESPACE = "http://www.omg.org/spec/ReqIF/20110401/reqif.xsd"
RESULTS = ("verdict", "result", "result remark", "run", "provenance", "evidence head")
"""Attributes that say what a run found; no key of a catalogue."""
LIMITS = (
    "limit kind",
    "limit figure",
    "limit relative",
    "limit lower",
    "limit upper",
    "limit points",
)
"""Attributes that hold the parts of a limit; `limit points` is the JSON of an envelope."""
TOLD = ("limit", "applicability")
"""Attributes for a reader: their parts stand elsewhere, or in no attribute at all."""
KEYS = (
    "id",
    "subject",
    "title",
    "text",
    "dimension",
    "clause",
    "source",
    "status",
    "rule",
    "mandatory",
    "hazard",
    "control",
    "roles",
    "measures",
    "method",
    "unprovoked",
    "severity",
    "depth",
)
"""Attributes that are keys of a catalogue."""
_TYPES = {
    "hazard": ("name",),
    "risk control": ("name",),
    "requirement": (*KEYS, *LIMITS, *TOLD, *RESULTS),
}
_RELATIONS = ("is controlled by", "is verified by", "is met by")
_OURS = uuid.UUID("0f2f7f5e-2c34-5b7a-8d0e-6f1f0a7b8c21")
_LONGEST = 32000
_DATATYPE = "text"


def requirements_reqif(conclusion: Conclusion) -> bytes:
    """Write the requirements of a run; the same journal makes the same bytes."""
    return _Writer(conclusion).written()


class _Writer:
    def __init__(self, conclusion: Conclusion) -> None:
        self._conclusion = conclusion
        self._changed = conclusion.ended

    def written(self) -> bytes:
        run = self._conclusion.run["run_id"]
        root = ET.Element("REQ-IF", {"xmlns": NAMESPACE})
        header = ET.SubElement(
            ET.SubElement(root, "THE-HEADER"), "REQ-IF-HEADER", {"IDENTIFIER": _id("header", run)}
        )
        told = {
            "COMMENT": "" if self._conclusion.provenance.hardware else banner(self._conclusion),
            "CREATION-TIME": self._changed,
            "REQ-IF-TOOL-ID": f"stimproof {self._conclusion.run['version']}",
            "REQ-IF-VERSION": "1.0",
            "SOURCE-TOOL-ID": "stimproof",
            "TITLE": f"Requirements of run {run}",
        }
        for name, text in told.items():
            ET.SubElement(header, name).text = clean(text)
        content = ET.SubElement(ET.SubElement(root, "CORE-CONTENT"), "REQ-IF-CONTENT")
        datatypes = ET.SubElement(content, "DATATYPES")
        self._named(
            datatypes, "DATATYPE-DEFINITION-STRING", _DATATYPE, **{"MAX-LENGTH": str(_LONGEST)}
        )
        self._types(ET.SubElement(content, "SPEC-TYPES"))
        objects = list(self._objects(ET.SubElement(content, "SPEC-OBJECTS")))
        self._relations(ET.SubElement(content, "SPEC-RELATIONS"))
        self._specification(ET.SubElement(content, "SPECIFICATIONS"), objects)
        ET.indent(root)
        written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        return written + b"\n"

    def _named(
        self, parent: ET.Element, tag: str, name: str, key: str = "", **more: str
    ) -> ET.Element:
        about = {
            "IDENTIFIER": _id(tag, key or name),
            "LAST-CHANGE": self._changed,
            "LONG-NAME": clean(name, _LONGEST),
        }
        return ET.SubElement(parent, tag, about | more)

    def _types(self, parent: ET.Element) -> None:
        for kind, attributes in _TYPES.items():
            made = self._named(parent, "SPEC-OBJECT-TYPE", kind)
            holder = ET.SubElement(made, "SPEC-ATTRIBUTES")
            for attribute in attributes:
                key = f"{kind} {attribute}"
                one = self._named(holder, "ATTRIBUTE-DEFINITION-STRING", attribute, key)
                _refer(one, "TYPE", "DATATYPE-DEFINITION-STRING", _DATATYPE)
        for relation in _RELATIONS:
            self._named(parent, "SPEC-RELATION-TYPE", relation)
        self._named(parent, "SPECIFICATION-TYPE", "catalogue")

    def _objects(self, parent: ET.Element) -> Iterable[tuple[str, str]]:
        """Write all objects; returns kind and key of each, in their order."""
        bodies = [row.requirement for row in self._conclusion.requirements]
        hazards = [body["hazard"] for body in bodies] + [*self._conclusion.plan.get("hazards", ())]
        for hazard in dict.fromkeys(filter(None, hazards)):
            yield self._object(parent, "hazard", hazard, {"name": hazard})
        for control in dict.fromkeys(body["control"] for body in bodies if body["control"]):
            yield self._object(parent, "risk control", control, {"name": control})
        for row in self._conclusion.requirements:
            values = _values(row) | self._of_run()
            yield self._object(parent, "requirement", row.requirement["id"], values)

    def _of_run(self) -> dict[str, str]:
        found = self._conclusion
        return {
            "run": found.run["run_id"],
            "provenance": found.provenance.word,
            "evidence head": found.head,
        }

    def _object(
        self, parent: ET.Element, kind: str, key: str, values: Mapping[str, str]
    ) -> tuple[str, str]:
        made = self._named(parent, "SPEC-OBJECT", key, f"{kind} {key}")
        _refer(made, "TYPE", "SPEC-OBJECT-TYPE", kind)
        holder = ET.SubElement(made, "VALUES")
        for name, text in values.items():
            if text:
                told = {"THE-VALUE": clean(text, _LONGEST)}
                value = ET.SubElement(holder, "ATTRIBUTE-VALUE-STRING", told)
                _refer(value, "DEFINITION", "ATTRIBUTE-DEFINITION-STRING", f"{kind} {name}")
        return kind, key

    def _relations(self, parent: ET.Element) -> None:
        links: dict[tuple[str, str, str], None] = {}
        for row in self._conclusion.requirements:
            body = row.requirement
            hazard, control = body["hazard"], body["control"]
            mine = f"requirement {body['id']}"
            if hazard and control:
                links["is controlled by", f"hazard {hazard}", f"risk control {control}"] = None
            if control:
                links["is verified by", f"risk control {control}", mine] = None
            elif hazard:
                links["is met by", f"hazard {hazard}", mine] = None
        for relation, source, target in links:
            key = f"{source} {relation} {target}"
            made = self._named(parent, "SPEC-RELATION", relation, key)
            _refer(made, "TYPE", "SPEC-RELATION-TYPE", relation)
            _refer(made, "SOURCE", "SPEC-OBJECT", source)
            _refer(made, "TARGET", "SPEC-OBJECT", target)

    def _specification(self, parent: ET.Element, objects: Iterable[tuple[str, str]]) -> None:
        made = self._named(parent, "SPECIFICATION", "Hazards, risk controls and requirements")
        _refer(made, "TYPE", "SPECIFICATION-TYPE", "catalogue")
        children = ET.SubElement(made, "CHILDREN")
        for kind, key in objects:
            place = self._named(children, "SPEC-HIERARCHY", key, f"{kind} {key}")
            _refer(place, "OBJECT", "SPEC-OBJECT", f"{kind} {key}")


def _values(row: RequirementRow) -> dict[str, str]:
    body = row.requirement
    told = {
        **{key: str(body.get(key, "")) for key in KEYS},
        "dimension": Dimension(body["dimension"]).name.lower().replace("_", " "),
        "mandatory": "true" if body["mandatory"] else "false",
        "roles": ", ".join(body["roles"]),
        **_limit(body["limit_parts"]),
        "limit": body["limit"],
        "applicability": _applies(body),
        "verdict": WORDS[row.verdict],
        "result": result_line(row),
        "result remark": row.remark,
    }
    return {name: text for name, text in told.items() if text}


def _limit(parts: LimitBody) -> dict[str, str]:
    relative = parts["relative"]
    return {
        "limit kind": parts["kind"],
        "limit figure": parts["figure"] or "",
        "limit relative": f"{(Decimal(relative) * 100).normalize():f} %" if relative else "",
        "limit lower": parts["lower"] or "",
        "limit upper": parts["upper"] or "",
        "limit points": json.dumps(parts["mask"]) if parts["mask"] else "",
    }


def _applies(body: RequirementBody) -> str:
    found = body["applicability"]
    return found["reason"] if found else ""


def _refer(parent: ET.Element, role: str, tag: str, key: str) -> None:
    ET.SubElement(ET.SubElement(parent, role), f"{tag}-REF").text = _id(tag, key)


def _id(tag: str, key: str) -> str:
    """Identifier of what has that tag and key: the same in each run, so that a tool updates it."""
    return f"_{uuid.uuid5(_OURS, f'{tag} {clean(key, _LONGEST)}')}"
