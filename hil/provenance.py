"""Provenance is earned: HARDWARE where every role and an operator show it, else SIMULATED.

Pure: it looks at what the journal holds of the instruments that answered. What was planned can only
lower it, and one role that does not earn it marks the whole run.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hil.bench import ROLES
from hil.journal import Record

SIMULATED = "SIMULATED"
HARDWARE = "HARDWARE"
PREFIX = "SIM-"
"""Every serial number of a simulated instrument begins with this, and its host in this process."""
OPERATOR = "operator"
"""Stands for a role where it is an operator who did not earn it."""
RUN = "run"
"""Stands for a role where what was planned of the run speaks against it."""
SERIAL_LINE = "ASRL"
NETWORK = "TCPIP"
_BUSES = ("USB", "GPIB", "VXI", "PXI")
"""Interfaces that end at hardware of this machine, whatever stands behind it."""
_NO_NUMBER = {"", "0"}
"""Serial numbers that are none: 0 stands for "not known" (IEEE 488.2, 10.14; from memory)."""
_PSEUDO = re.compile(r"://|^/dev/(pts/|pty|ttys\d+$)")
"""Ends of a serial line that a program holds: URLs of pyserial, pseudo-terminals."""
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_NOBODY = "nobody was identified"
_UNATTESTED = "nobody stated, before anything was energised, that nobody is connected"
_ENERGISES = {"stimulus", "armed"}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the evidence of a run comes from."""

    word: str
    """SIMULATED or HARDWARE."""
    reason: str
    """Why, in one sentence without a full stop."""
    unearned: Mapping[str, str]
    """Role, `operator` or `run` to why it did not earn HARDWARE; empty if everything did."""

    @property
    def hardware(self) -> bool:
        """Whether it is evidence of a device's conformity."""
        return self.word == HARDWARE


def earned(run: Mapping[str, Any], records: Iterable[Record]) -> Provenance:
    """Say where the evidence of a run comes from.

    Args:
        run: body of its `run` record, which holds what the plan expects.
        records: its journal, in order.
    """
    known = list(records)
    bodies = [record.body for record in known if record.kind == "instrument"]
    unearned = {**_run_lacks(run), **lacking(bodies), **_unattested(known)}
    if not unearned:
        who = " and ".join(_attested(known))
        return Provenance(HARDWARE, f"every role has earned it, and {who} attested", {})
    planned = str(run.get("expected_reason", ""))
    if run.get("real") or not planned:
        reason = in_words(unearned)
    else:
        reason = planned if bodies else f"{planned}; {_NOBODY}"
    return Provenance(SIMULATED, reason, unearned)


def lacking(bodies: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return role to why it did not earn HARDWARE; each of ROLES must, and whatever else answered.

    Args:
        bodies: of the `instrument` records, or what a bench file promises in their form.
    """
    found = dict.fromkeys(ROLES, _NOBODY)
    found |= {str(body.get("role", "")): "" for body in bodies}
    for body in bodies:  # a role that answered twice must have earned it twice
        role = str(body.get("role", ""))
        found[role] = found[role] or "; ".join(filter(None, (_doubt(body), *_lacks(body))))
    return {role: why for role, why in found.items() if why}


def in_words(unearned: Mapping[str, str]) -> str:
    """Say what is missing, roles with the same reason together."""
    alike: dict[str, list[str]] = {}
    for role, why in unearned.items():
        alike.setdefault(why, []).append(role)
    return "; ".join(f"{', '.join(roles)}: {why}" for why, roles in alike.items())


def astray(interface: str, ends: Sequence[str]) -> str:
    """Say why a resource is not shown to lead off this machine; empty if it is.

    Args:
        interface: of the resource name, as TCPIP.
        ends: what it leads to: addresses of its host, or the device of its serial line.
    """
    if interface in _BUSES:
        return ""
    if interface not in {NETWORK, SERIAL_LINE}:
        return f"what interface {interface or 'it is reached over'} leads to is not known"
    if not ends:
        return "what it leads to is not known"
    judge = _near if interface == NETWORK else _held_by_a_program
    return next(filter(None, map(judge, ends)), "")


def is_loopback(address: str) -> bool:
    """Whether a network address is one of the loopback interface."""
    ip = _address(address)
    return ip is not None and ip.is_loopback


def _near(address: str) -> str:
    """Say why an address is not that of another machine; empty if it is."""
    ip = _address(address)
    if ip is None:
        return f"{address!r} is no address"
    if ip.is_loopback:
        return f"{address} is the loopback interface"
    if ip.is_unspecified or ip.is_multicast or ip == _BROADCAST:
        return f"{address} is the address of no one machine"
    return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    return ip if mapped is None else mapped


def _held_by_a_program(device: str) -> str:
    """Say why a serial line does not end at hardware; empty if it does."""
    return f"{device} is held by a program" if _PSEUDO.search(device) else ""


def _doubt(body: Mapping[str, Any]) -> str:
    """Why an instrument is not shown to stand by itself; empty if it is.

    A journal may say of a resource what is not so: words that give it away count against it.
    """
    resource = str(body.get("resource", ""))
    interface = str(body.get("interface", ""))
    words = resource.upper().split("::")
    if any(word.startswith(PREFIX) for word in words):
        return f"{resource} names a simulated instrument"
    if any(word == "LOCALHOST" or word.endswith(".LOCALHOST") for word in words):
        return f"{resource} is this machine"
    if not words[0].startswith(interface):
        return f"{resource} is not reached over {interface}"
    if doubt := body.get("doubt"):
        return str(doubt)
    ends = [end for end in str(body.get("ends", "")).split(", ") if end]
    return astray(interface, ends) or _literal(interface, words)


def _literal(interface: str, words: list[str]) -> str:
    """What an address that stands in the resource name itself says, whatever it was said to be."""
    if interface != NETWORK or len(words) < 2:
        return ""
    address = words[1].partition(",")[0]
    return _near(address) if _address(address) is not None else ""


def _lacks(body: Mapping[str, Any]) -> list[str]:
    """What identity and calibration lack."""
    serial = str(body.get("serial", "")).strip()
    found = []
    if serial.upper().startswith(PREFIX):
        found.append(f"its serial number {serial} is that of a simulated instrument")
    elif serial in _NO_NUMBER:
        found.append("it has no serial number")
    if not (str(body.get("certificate", "")).strip() and body.get("due")):
        found.append("it has no calibration record, a certificate with its due date")
    elif str(body.get("named", "")).strip() != serial or serial in _NO_NUMBER:
        found.append("its calibration record belongs to no unit: the bench file gives no serial")
    return found


def _run_lacks(run: Mapping[str, Any]) -> dict[str, str]:
    """What was planned that no hardware knows."""
    found = []
    if replayed := run.get("replayed"):
        found.append(
            f"the instruments' answers are those that run {replayed.get('run_id')} recorded "
            f"(journal head {replayed.get('head')}); nothing was energised"
        )
    if run.get("expected") != HARDWARE:
        found.append("it was planned as SIMULATED")
    if run.get("faults"):
        found.append("faults were seeded")
    if run.get("firmware"):
        found.append("a build of firmware was run in a simulated device")
    return {RUN: "; ".join(found)} if found else {}


def _unattested(records: Sequence[Record]) -> dict[str, str]:
    return {} if _attested(records) else {OPERATOR: _UNATTESTED}


def _attested(records: Sequence[Record]) -> list[str]:
    """Who stated that nobody is connected, before anything was energised, and when."""
    found = []
    for record in records:
        if record.kind in _ENERGISES:
            break
        if record.kind == "attestation":
            name, said = (str(record.body.get(key, "")).strip() for key in ("name", "statement"))
            found += [f"{name} ({record.utc})"] if name and said else []
    return found
