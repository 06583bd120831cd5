"""What a person at the bench is asked to do or to tell, and what may be answered."""

from __future__ import annotations

from dataclasses import dataclass

DONE = "done"
"""Answer to a request that was carried out."""
REFUSED = "refused"
"""Answer to a request that the device did not take."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One line for an operator; it never stops the bench."""

    to: str
    """What it is about, in words that a script of answers names, as `start`."""
    text: str
    """The whole sentence."""
    value: str = ""
    """What is to be set, or what was told last; empty if the words say all."""
    answers: tuple[str, ...] = (DONE, REFUSED)
    """What may be answered; empty takes any text that is not empty."""

    def takes(self, answer: str) -> str:
        """The answer that was meant, whatever its case; empty if there is none such."""
        told = answer.strip()
        if not self.answers:
            return told
        return next((each for each in self.answers if each.lower() == told.lower()), "")
