r"""What may befall a reply on its way: faults of the link between instrument and computer.

The instrument is healthy and has answered; the reply comes late, cut short, twice, garbled, with
another terminator, not at all, or the connection drops. Or the cable is out, and the instrument
does not even hear. Pure: no clock, no thread, noise by seed.

    link = Link(seed=7)
    link.set([LinkFault(kind="late", first=3, every=0, extent=0.5)])
    link.carry(b"+1.0\n")   # the third reply comes 0.5 s of bench time later
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from hil.errors import UsageError


class LinkEffect(Enum):
    """What becomes of a reply."""

    LATE = "late"
    TRUNCATED = "truncated"
    DUPLICATED = "duplicated"
    GARBLED = "garbled"
    TERMINATOR = "wrong-terminator"
    DROPPED = "dropped"
    SILENT = "silent"
    UNPLUGGED = "unplugged"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFaultKind:
    """One kind of link fault, as the catalogue lists it."""

    id: str
    """As `L01`."""
    effect: LinkEffect
    """What becomes of the reply."""
    title: str
    """A few words."""
    observable: str
    """What a client sees, protocol by protocol where they differ."""
    extent: str
    """Meaning and unit of `LinkFault.extent`; empty where it has none."""
    usual: float
    """Its value where none is given."""
    bounds: tuple[float, float]
    """Allowed values, both ends included."""


_KINDS = (
    LinkFaultKind(
        id="L01",
        effect=LinkEffect.LATE,
        title="A reply comes late",
        observable="the query times out; a raw socket hands the late reply to the next query, "
        "HiSLIP discards it by its message id, VXI-11 keeps it until the next write (-410)",
        extent="delay in s of bench time",
        usual=5.0,
        bounds=(0.0, 3600.0),
    ),
    LinkFaultKind(
        id="L02",
        effect=LinkEffect.TRUNCATED,
        title="A reply is cut short",
        observable="a raw socket lacks the line feed, so the read times out; a message protocol "
        "ends the message early, and the text is a shorter number",
        extent="share of the bytes that come through",
        usual=0.5,
        bounds=(0.0, 1.0),
    ),
    LinkFaultKind(
        id="L03",
        effect=LinkEffect.DUPLICATED,
        title="A reply comes twice",
        observable="a raw socket answers the next query with the copy; HiSLIP discards the copy "
        "by its message id, VXI-11 keeps it until the next write (-410)",
        extent="",
        usual=0.0,
        bounds=(0.0, 0.0),
    ),
    LinkFaultKind(
        id="L04",
        effect=LinkEffect.GARBLED,
        title="A reply is garbled",
        observable="some bytes of the reply are others; its end is where it was",
        extent="share of the bytes that are changed, at least one",
        usual=0.2,
        bounds=(0.0, 1.0),
    ),
    LinkFaultKind(
        id="L05",
        effect=LinkEffect.TERMINATOR,
        title="A reply ends with a carriage return alone",
        observable="a raw socket lacks the line feed, so the read times out; a message protocol "
        "delivers the message with the other terminator",
        extent="",
        usual=0.0,
        bounds=(0.0, 0.0),
    ),
    LinkFaultKind(
        id="L06",
        effect=LinkEffect.DROPPED,
        title="The connection drops instead of a reply",
        observable="the peer closes; a new connection works",
        extent="share of the bytes that come through before",
        usual=0.0,
        bounds=(0.0, 1.0),
    ),
    LinkFaultKind(
        id="L07",
        effect=LinkEffect.SILENT,
        title="A reply never comes",
        observable="the query times out; the instrument believes that it has answered",
        extent="",
        usual=0.0,
        bounds=(0.0, 0.0),
    ),
    LinkFaultKind(
        id="L08",
        effect=LinkEffect.UNPLUGGED,
        title="The cable is out",
        observable="nothing that is sent is heard, a command neither: a query times out, a setting "
        "and a stop are not obeyed; connections stay, as those of TCP do",
        extent="",
        usual=0.0,
        bounds=(0.0, 0.0),
    ),
)
LINK_FAULTS: dict[str, LinkFaultKind] = {kind.effect.value: kind for kind in _KINDS}
"""Name of the effect to its description."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFault:
    """One fault of one link: which kind, how strong, and which replies it meets."""

    kind: str
    """One of LINK_FAULTS, as `late`."""
    first: int = 1
    """The first reply that it meets, counted from 1 since the fault was set.

    One that is `unplugged` meets messages to the instrument instead.
    """
    every: int = 1
    """From then on each so many-th reply; 0 for that one alone."""
    probability: float = 1.0
    """With which it meets such a reply, drawn from the link's seed; 0 to 1."""
    extent: float | None = None
    """How strong, as its kind says; None for the usual."""

    def __post_init__(self) -> None:
        kind = LINK_FAULTS.get(self.kind)
        if kind is None:
            known = ", ".join(LINK_FAULTS)
            raise UsageError(f"link fault {self.kind!r} is unknown; allowed: {known}")
        if self.first < 1 or self.every < 0:
            raise UsageError(
                f"link fault {self.kind}: first = {self.first}, every = {self.every}; allowed: "
                "first from 1, every from 0"
            )
        if not 0 <= self.probability <= 1:
            raise UsageError(
                f"link fault {self.kind}: probability = {self.probability}; allowed: 0 to 1"
            )
        low, high = kind.bounds
        if self.extent is not None and not low <= self.extent <= high:
            meaning = f" ({kind.extent})" if kind.extent else ""
            raise UsageError(
                f"link fault {self.kind}: extent = {self.extent}{meaning}; "
                f"allowed: {low:g} to {high:g}"
            )

    @property
    def strength(self) -> float:
        """The extent, or the usual one."""
        return LINK_FAULTS[self.kind].usual if self.extent is None else self.extent

    def meets(self, number: int) -> bool:
        """Whether it is the turn of the reply of that number, before any draw."""
        if number < self.first:
            return False
        return (number - self.first) % self.every == 0 if self.every else number == self.first


@dataclass(frozen=True, slots=True)
class Delivery:
    """How one reply arrives."""

    messages: tuple[bytes, ...]
    """What arrives: nothing, one message, or the same twice."""
    delay: float = 0.0
    """Bench time in s that it takes longer."""
    drop: bool = False
    """Whether the connection is gone afterwards."""


class Link:
    """The link of one role: what is wrong with it, and how many replies it has carried."""

    def __init__(self, seed: int = 0) -> None:
        self.faults: tuple[LinkFault, ...] = ()
        """What is wrong with it; a healthy link has none."""
        self.replies = 0
        """Replies carried since the faults were set."""
        self.messages = 0
        """Messages that were sent to the instrument since the faults were set."""
        self._seed = seed
        self._draws = random.Random(seed)

    def set(self, faults: Iterable[LinkFault]) -> None:
        """Replace its faults, and count replies and draws anew."""
        self.faults = tuple(faults)
        self.replies = self.messages = 0
        self._draws = random.Random(self._seed)

    def hears(self) -> bool:
        """Say whether the next message to the instrument arrives."""
        self.messages += 1
        cut = (fault for fault in self.faults if fault.kind == LinkEffect.UNPLUGGED.value)
        return not any(fault.meets(self.messages) and self._strikes(fault) for fault in cut)

    def carry(self, reply: bytes) -> Delivery:
        """Say how a reply arrives."""
        self.replies += 1
        delivery = Delivery((reply,))
        for fault in self.faults:
            if fault.kind == LinkEffect.UNPLUGGED.value:
                continue  # it was heard before the cable was out
            if fault.meets(self.replies) and self._strikes(fault):
                delivery = self._changed(delivery, fault)
        return delivery

    def _strikes(self, fault: LinkFault) -> bool:
        return fault.probability >= 1 or self._draws.random() < fault.probability

    def _changed(self, delivery: Delivery, fault: LinkFault) -> Delivery:
        effect, strength = LinkEffect(fault.kind), fault.strength
        messages, delay, drop = delivery.messages, delivery.delay, delivery.drop
        if effect is LinkEffect.LATE:
            delay += strength
        elif effect is LinkEffect.DUPLICATED:
            messages += messages
        elif effect is LinkEffect.SILENT:
            messages = ()
        elif effect is LinkEffect.DROPPED:
            messages, drop = tuple(_cut(each, strength) for each in messages if strength), True
        elif effect is LinkEffect.TRUNCATED:
            messages = tuple(_cut(each, strength) for each in messages)
        elif effect is LinkEffect.GARBLED:
            messages = tuple(self._garbled(each, strength) for each in messages)
        else:
            messages = tuple(each.rstrip(b"\r\n") + b"\r" for each in messages)
        return Delivery(messages, delay, drop)

    def _garbled(self, message: bytes, share: float) -> bytes:
        body = bytearray(message.rstrip(b"\r\n"))
        if not body:
            return message
        for place in self._draws.sample(range(len(body)), max(1, round(share * len(body)))):
            body[place] ^= 1 + self._draws.randrange(127)
        return bytes(body) + message[len(body) :]


def _cut(message: bytes, share: float) -> bytes:
    """The first part of it, never the whole."""
    return message[: min(len(message) - 1, int(share * len(message)))] if message else message
