"""The one verdict table: what each verdict is, their order, and what a run's exit code says."""

from collections.abc import Iterable, Mapping
from enum import Enum, IntEnum


class Verdict(Enum):
    """A judgement on one requirement; the value is its name in every record and report."""

    FAIL = "FAIL"
    """The limit is broken: y > T, or a boolean requirement is violated."""
    ERROR = "ERROR"
    """The bench failed: instrument, link, configuration, safe state unconfirmed, our own code."""
    NO_VERDICT = "NO_VERDICT"
    """Planned and not finished: interrupted, deselected, skipped, never collected, never judged."""
    INCONCLUSIVE = "INCONCLUSIVE"
    """Inside the guard band, or a PASS whose instrument cannot be relied on."""
    NOT_EVALUATED = "NOT_EVALUATED"
    """This bench cannot decide it; the reason names what is missing."""
    NOT_APPLICABLE = "NOT_APPLICABLE"
    """The applicability rule excludes it; the reason is printed."""
    PASS = "PASS"
    """Within the acceptance limit; finite, fresh, of the right dimension, calibrated, ended."""

    @property
    def clause_mark(self) -> str:
        """Mark in the fourth column of the clause table (IECEE form)."""
        return _MARKS.get(self, "-")


_MARKS = {
    Verdict.FAIL: "F",
    Verdict.NOT_EVALUATED: "N/E",
    Verdict.NOT_APPLICABLE: "N/A",
    Verdict.PASS: "P",
}
_ORDER = {verdict: place for place, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst verdict; of none at all it is NO_VERDICT."""
    return min(verdicts, key=_ORDER.__getitem__, default=Verdict.NO_VERDICT)


class ExitCode(IntEnum):
    """Exit codes of `hil run`, as the supervisor reads them from summary.json."""

    COMPLIES = 0
    OTHER_VERDICT = 10
    USAGE = 11
    BENCH_BEFORE_OUTPUT = 12
    ABORTED_OFF = 13
    UNSAFE = 20


def exit_code(verdicts: Mapping[str, Verdict], mandatory: Mapping[str, str]) -> ExitCode:
    """Derive the exit code from what had to be shown.

    Args:
        verdicts: requirement id to its verdict; every requirement of the scope is in it.
        mandatory: mandatory requirement id to its subject.

    Returns:
        COMPLIES only if every mandatory requirement is PASS or NOT_APPLICABLE, nothing at all is
        worse than NOT_EVALUATED, and each mandatory subject holds a PASS.
    """
    worst_allowed = _ORDER[Verdict.NOT_EVALUATED]
    if not verdicts or any(_ORDER[v] < worst_allowed for v in verdicts.values()):
        return ExitCode.OTHER_VERDICT
    good = {Verdict.PASS, Verdict.NOT_APPLICABLE}
    if any(verdicts.get(name) not in good for name in mandatory):
        return ExitCode.OTHER_VERDICT
    shown = {mandatory[name] for name in mandatory if verdicts[name] is Verdict.PASS}
    if not shown or shown != set(mandatory.values()):
        return ExitCode.OTHER_VERDICT
    return ExitCode.COMPLIES
