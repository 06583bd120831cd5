"""The evidence of a run: the only writer and reader of a run folder, its seal, and its proofs."""

from hil_reports.evidence.folder import (
    CONFIG,
    DATA,
    JOURNAL,
    Evidence,
    Journal,
    capture_loader,
    cited_captures,
    load_capture,
    read_journal,
)
from hil_reports.evidence.transcript import BLOCKS, TRANSCRIPT
from hil_reports.evidence.verification import seal, verify

__all__ = [
    "BLOCKS",
    "CONFIG",
    "DATA",
    "JOURNAL",
    "TRANSCRIPT",
    "Evidence",
    "Journal",
    "capture_loader",
    "cited_captures",
    "load_capture",
    "read_journal",
    "seal",
    "verify",
]
