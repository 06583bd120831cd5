"""How a value follows from its captures: a tree of JSON that the core alone can walk again.

A node is an object with one tag. `feature` names what was computed and holds what it was `given`;
`minus`, `magnitude`, `sum`, `product`, `quotient` and `average` are the arithmetic of measurements.
What a feature is given has a form of its own: `wave` (hash of its capture, commanded phases),
`exact` (a level, and the figures of the device that it is a product of), `instant` and others.
Text, numbers, true, false and null stand for themselves.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeAlias, TypeVar

import pint

from hil.errors import UsageError
from hil.exact import PRODUCT, Exact

if TYPE_CHECKING:
    from hil.capture import Capture
    from hil.measurement import Measurement

P = ParamSpec("P")
T = TypeVar("T")
Tree: TypeAlias = dict[str, Any]
"""A node; see above."""


class Underivable(UsageError):
    """A value cannot be computed again here, and nothing is wrong with it: the message says why."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What a derivation is walked with."""

    capture: Callable[[str], Capture]
    """SHA-256 of a capture to the capture; raises UsageError if there is none."""
    figure: Callable[[str], Exact] | None = None
    """Name of a figure to its value in a changed device; None leaves every level as it was."""


_FEATURES: dict[str, Callable[..., Measurement]] = {}
_PLACES: dict[str, str] = {}
_WRITERS: dict[type, Callable[[Any], Any]] = {}
_READERS: dict[str, Callable[[Tree, Sources], Any]] = {}
_FREE = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}


def derived(function: Callable[P, Measurement]) -> Callable[P, Measurement]:
    """Make a feature: what it measures remembers how, so that a replay can measure it again.

    A feature is a pure function of its arguments. Ours are known by their bare name, another one
    as `module:function`. An argument that has no form leaves the value without a derivation, with
    the reason.

    Raises:
        UsageError: the function takes arguments that have no names, or its name is taken.
    """
    name = _name(function)
    parameters = inspect.signature(function).parameters
    if any(each.kind in _FREE for each in parameters.values()):
        raise UsageError(f"the feature {name} takes * or **; each argument needs a name of its own")
    defaults = {
        key: each.default
        for key, each in parameters.items()
        if each.default is not inspect.Parameter.empty
    }

    @wraps(function)
    def measured(*args: P.args, **kwargs: P.kwargs) -> Measurement:
        found = function(*args, **kwargs)
        if not hasattr(found, "derivation"):
            return found  # no measurement: `judge` says so
        given = {**defaults, **dict(zip(parameters, args, strict=False)), **kwargs}
        return replace(found, derivation=_node(name, given))

    place = function.__code__.co_filename
    if _PLACES.setdefault(name, place) != place:
        raise UsageError(f"{place}: a feature {name} is in {_PLACES[name]} already; rename one")
    _FEATURES[name] = measured
    return measured


def argument(tag: str) -> Callable[[type[T]], type[T]]:
    """Let an enum, or a dataclass of things that have a form, be given to features.

    Args:
        tag: names its form in a derivation, once and for all.
    """

    def register(kind: type[T]) -> type[T]:
        if issubclass(kind, Enum):
            form(tag, kind, lambda value: {tag: value.value}, lambda node, _: kind(node[tag]))
        elif is_dataclass(kind):
            names = [field.name for field in fields(kind)]
            form(
                tag,
                kind,
                lambda value: {tag: {name: written(getattr(value, name)) for name in names}},
                lambda node, sources: kind(
                    **{name: walked(node[tag][name], sources) for name in names}
                ),
            )
        else:
            raise UsageError(f"{kind.__name__} is no enum and no dataclass; use `form` for it")
        return kind

    return register


def form(
    tag: str, kind: type[T], write: Callable[[T], Tree], read: Callable[[Tree, Sources], T]
) -> None:
    """Let things of another kind be given to features.

    Args:
        tag: key that names the form; one of the keys that `write` makes.
        kind: the kind, not a subclass of it.
        write: makes a node of it.
        read: makes it of a node.

    Raises:
        UsageError: the tag is taken.
    """
    if tag in _READERS:
        raise UsageError(f"the form {tag!r} is taken; name yours otherwise")
    _READERS[tag] = read
    _WRITERS[kind] = write


def written(value: object) -> Any:  # noqa: ANN401  # a tree of JSON values
    """Write what a feature is given; raises Underivable for what has no form."""
    write = _WRITERS.get(type(value))
    if write is not None:
        return write(value)
    if isinstance(value, pint.Quantity):
        return _exact_node(Exact.of(value))
    if isinstance(value, (str, int)) or value is None:
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"number": str(value)}
    if isinstance(value, (list, tuple)):
        return [written(each) for each in value]
    if isinstance(tree := getattr(value, "derivation", None), dict):
        return tree  # a measurement, by which another one is judged
    raise Underivable(f"a {type(value).__name__} has no form in a derivation; see hil.derivation")


def walked(node: Any, sources: Sources) -> Any:  # noqa: ANN401  # whatever was written
    """Make again what was written: of a feature's node, its measurement.

    Raises:
        Underivable: it holds a feature that is not known here, or what had no form.
        UsageError: it is no derivation, a capture cannot be had, or a figure is unknown.
    """
    if isinstance(node, list):
        return tuple(walked(each, sources) for each in node)
    if not isinstance(node, Mapping):
        return node
    tags = [key for key in node if key in _READERS]
    if len(tags) != 1:
        known, came = ", ".join(sorted(_READERS)), ", ".join(map(str, node)) or "none"
        raise UsageError(f"a node of a derivation has one tag of {known}; it has the keys {came}")
    try:
        return _READERS[tags[0]](dict(node), sources)
    except UsageError:
        raise
    except Exception as err:  # of a changed record, or of a feature that is not ours: anything
        raise UsageError(f"the node {tags[0]!r} of a derivation cannot be read: {err!r}") from err


def broken(tree: Tree | None) -> str:
    """Say why nobody can ever compute a value again; empty where the core or a feature can."""
    if tree is None:
        return "it says nothing of how it follows from a capture"
    nodes: list[Any] = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, Mapping):
            name = node.get("feature")
            if "lost" in node:
                return f"{name}: {node['lost']}"
            if isinstance(name, str) and ":" not in name and name not in _FEATURES:
                return f"{name} is no feature of this version"
            nodes += node.values()
        elif isinstance(node, list):
            nodes += node
    return ""


def opposite(tree: Tree | None) -> Tree | None:
    """Derivation of the negative of a value."""
    return None if tree is None else {"minus": tree}


def magnitude(tree: Tree | None) -> Tree | None:
    """Derivation of the magnitude of a value."""
    return None if tree is None else {"magnitude": tree}


def total(first: Tree | None, second: Tree | Exact | None) -> Tree | None:
    """Derivation of a sum; none if one of both has none."""
    return _pair("sum", first, second)


def product(first: Tree | None, second: Tree | Exact | None) -> Tree | None:
    """Derivation of a product; none if one of both has none."""
    return _pair("product", first, second)


def quotient(first: Tree | None, second: Tree | Exact | None) -> Tree | None:
    """Derivation of a quotient; none if one of both has none."""
    return _pair("quotient", first, second)


def _pair(tag: str, first: Tree | None, second: Tree | Exact | None) -> Tree | None:
    if first is None or second is None:
        return None
    return {tag: [first, _exact_node(second) if isinstance(second, Exact) else second]}


def _name(function: Callable[..., object]) -> str:
    module = function.__module__
    own = module.partition(".")[0] == "hil"
    return function.__name__ if own else f"{module}:{function.__qualname__}"


def _node(name: str, given: Mapping[str, object]) -> Tree:
    try:
        return {"feature": name, "given": {key: written(each) for key, each in given.items()}}
    except Underivable as err:
        return {"feature": name, "lost": str(err)}


def _feature(node: Tree, sources: Sources) -> Measurement:
    name = node["feature"]
    if "lost" in node:
        raise Underivable(f"{name}: {node['lost']}")
    if name not in _FEATURES:
        raise Underivable(f"the feature {name} is not known here")
    return _FEATURES[name](**{key: walked(each, sources) for key, each in node["given"].items()})


def _sum(node: Tree, sources: Sources) -> Measurement:
    first, second = (walked(each, sources) for each in node["sum"])
    found: Measurement = first + second
    return found


def _product_of(node: Tree, sources: Sources) -> Measurement:
    first, second = (walked(each, sources) for each in node["product"])
    found: Measurement = first * second
    return found


def _quotient_of(node: Tree, sources: Sources) -> Measurement:
    first, second = (walked(each, sources) for each in node["quotient"])
    found: Measurement = first / second
    return found


def _average(node: Tree, sources: Sources) -> Measurement:
    from hil.measurement import average  # which is made of this module

    return average(*(walked(each, sources) for each in node["average"]))


def _exact_node(value: Exact) -> Tree:
    node = {"exact": str(value)}
    return node | {"origin": value.origin} if value.origin else node


def _exact(node: Tree, sources: Sources) -> Exact:
    return exact(node["exact"], node.get("origin", ""), sources)


def exact(text: str, origin: str, sources: Sources) -> Exact:
    """Read what `str` made of an Exact, or work it out anew from the figures of a changed device.

    Args:
        text: magnitude and unit; NaN and infinities are read too.
        origin: the product of figures that it is, or empty.
        sources: names the changed figures, if any.

    Raises:
        UsageError: it is no quantity, or a figure is unknown.
    """
    if origin and sources.figure is not None:
        return replace(_product(origin, sources.figure), origin=origin)
    number, _, unit = text.partition(" ")
    try:
        return Exact(Decimal(number), unit, origin)
    except InvalidOperation as err:
        raise UsageError(f"{text!r} is no quantity") from err


def _product(origin: str, figure: Callable[[str], Exact]) -> Exact:
    first, *others = (
        Exact.parse(factor) if " " in factor else figure(factor) for factor in origin.split(PRODUCT)
    )
    for share in others:
        first *= share
    return first


_READERS |= {
    "feature": _feature,
    "minus": lambda node, sources: -walked(node["minus"], sources),
    "magnitude": lambda node, sources: abs(walked(node["magnitude"], sources)),
    "sum": _sum,
    "product": _product_of,
    "average": _average,
    "quotient": _quotient_of,
    "number": lambda node, _: float(node["number"]),
}
form("exact", Exact, _exact_node, _exact)
