"""What may be wrong with the contacts of a relay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactFault:
    """A fault of both poles; the defaults are healthy contacts."""

    welded: bool = False
    """Once closed they never open."""
    dead: bool = False
    """They never close: broken coil, or wire off."""
    lies: bool = False
    """What is read back is the command, not the contacts; positively driven ones cannot do so."""
    crossed: bool = False
    """The poles are swapped between them and the load: wires crossed."""

    def reached(self, closed: bool, before: bool) -> bool:
        """Where the contacts are after a movement that was to end `closed`."""
        if closed:
            return not self.dead
        return self.welded and before
