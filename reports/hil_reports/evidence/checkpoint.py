"""A signed head: a record of kind `checkpoint` whose signer vouches for all records before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hil.bodies import CheckpointBody
from hil.errors import UsageError
from hil_reports.evidence.keys import PublicKey, Signer, decoded, encoded

KIND = "checkpoint"


def checkpoint_body(signer: Signer, head: str) -> CheckpointBody:
    """Sign the hash of the last record."""
    return {
        "public_key": encoded(signer.public.der),
        "signature": encoded(signer.sign(_message(head))),
    }


def signer_of(body: Mapping[str, Any], head: str) -> str:
    """Return the fingerprint of whoever signed a head.

    Args:
        body: of a checkpoint.
        head: hash of the record before it.

    Raises:
        UsageError: the signature is not good, or the body has another form.
    """
    public = PublicKey.read(decoded(body.get("public_key")))
    if not public.signed(_message(head), decoded(body.get("signature"))):
        raise UsageError(f"the signature of {public.fingerprint} is not good")
    return public.fingerprint


def _message(head: str) -> bytes:
    return f"stimproof checkpoint {head}\n".encode()
