"""Drivers of other packages: found by entry point, loaded only if the bench file names them.

    [project.entry-points."stimproof.drivers"]
    acme-one = "acme_stimproof:AcmeOne"

What the entry point names is called as `ScpiStimulator` is, and returns a `Stimulator`; it may have
`manner(profile)`, which returns the `Manner` in which its device is spoken to.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from hil.errors import ConfigurationError, HilError
from hil.roles import Stimulator

GROUP = "stimproof.drivers"
"""Group of entry points in which a package registers its drivers."""
_ROLE = tuple(name for name in dir(Stimulator) if not name.startswith("_"))


def names() -> tuple[str, ...]:
    """Names of all drivers that installed packages register; nothing is loaded."""
    return tuple(sorted({point.name for point in entry_points(group=GROUP)}))


def origin(name: str) -> str:
    """Distribution and version of a driver, as `acme-stimproof 1.2`; empty if none brings it."""
    points = tuple(entry_points(group=GROUP, name=name))
    return _owner(points[0]) if points else ""


def load(name: str) -> Any:  # noqa: ANN401  # what a foreign package makes of it
    """Import the driver of that name.

    Raises:
        ConfigurationError: no package registers it, two do, or it cannot be imported; names the
            distribution.
    """
    points = tuple(entry_points(group=GROUP, name=name))
    if len(points) != 1:
        owners = " and ".join(sorted(map(_owner, points))) or "no installed package"
        raise ConfigurationError(
            f"driver {name!r} is registered by {owners} in the entry points {GROUP}; exactly one "
            "package must register it"
        )
    (point,) = points
    try:
        made = point.load()
    except Exception as err:  # whatever a foreign module raises while it is imported
        raise ConfigurationError(
            f"driver {name!r} of {_owner(point)}: {point.value} cannot be loaded: "
            f"{type(err).__name__}: {err}; repair or uninstall that package"
        ) from err
    if not callable(made):
        raise ConfigurationError(
            f"driver {name!r} of {_owner(point)}: {point.value} is a {type(made).__name__}; a "
            "class or function that makes a Stimulator belongs there"
        )
    return made


def called(name: str, what: Callable[..., Any], *parts: object) -> Any:  # noqa: ANN401  # as above
    """Call what a driver of another package offers before it is a driver of the role.

    Raises:
        ConfigurationError: it raises what is no error of a bench; names the distribution.
    """
    try:
        return what(*parts)
    except HilError:
        raise
    except Exception as err:  # whatever a foreign module raises
        raise ConfigurationError(
            f"driver {name!r} of {origin(name)}: {getattr(what, '__qualname__', what)} raises "
            f"{type(err).__name__}: {err}; repair or uninstall that package"
        ) from err


def check(name: str, made: object) -> None:
    """Hold what a driver's factory returned against the role.

    Raises:
        ConfigurationError: it lacks a part of the role; names the distribution.
    """
    lacking = [part for part in _ROLE if not hasattr(type(made), part)]
    if lacking:
        raise ConfigurationError(
            f"driver {name!r} of {origin(name)} makes a {type(made).__name__}, which lacks "
            f"{', '.join(lacking)}; a Stimulator has {', '.join(_ROLE)}"
        )


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"
