"""What only the extra `sign` brings: packages that a bench can do without."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from hil.errors import UsageError


def installed(module: str, asked: str) -> ModuleType:
    """Import a module that needs the extra.

    Args:
        module: its full name.
        asked: the option that needs it, for the message.

    Raises:
        UsageError: what it needs is not installed.
    """
    try:
        return import_module(module)
    except ImportError as err:
        raise UsageError(
            f"{asked} needs {err.name}, which is not installed: pip install 'stimproof[sign]'"
        ) from err
