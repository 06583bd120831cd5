"""A signed envelope: DSSE, the Dead Simple Signing Envelope of in-toto, with one signature.

What is signed is the payload with its type before it (PAE), so that bytes signed as one thing are
never taken for another.
"""

from __future__ import annotations

import json

from hil.errors import UsageError
from hil_reports.evidence.keys import PublicKey, Signer, decoded, encoded

ATTESTATION = "attestation.dsse.json"
"""Name of an envelope in a folder."""
SIGNER = "signer.pem"
"""Name of the public key beside it."""


def sealed(payload: bytes, kind: str, signer: Signer) -> bytes:
    """Put a payload of a media type into an envelope; one line of JSON."""
    signature = encoded(signer.sign(pae(payload, kind)))
    return _written(payload, kind, {"keyid": signer.public.fingerprint, "sig": signature})


def opened(content: bytes, kind: str, public: PublicKey) -> bytes:
    """Return the payload of an envelope whose signature is good.

    Args:
        content: the envelope.
        kind: media type that the payload must have.
        public: the key that must have signed it.

    Raises:
        UsageError: it is no envelope in the form of `sealed`, or the signature is not good.
    """
    try:
        envelope = json.loads(content)
        found, payload = envelope["payloadType"], decoded(envelope["payload"])
        (signature,) = envelope["signatures"]
        sig = decoded(signature["sig"])
        same = _written(payload, found, signature) == content
    except (ValueError, KeyError, TypeError, RecursionError) as err:
        raise UsageError(f"it is no envelope with one signature: {err}") from err
    if not same or signature.keys() != {"keyid", "sig"}:
        raise UsageError("the envelope is not in canonical form: it was changed")
    if found != kind:
        raise UsageError(f"the envelope holds {found!r}; expected {kind}")
    if signature["keyid"] != public.fingerprint:
        named = signature["keyid"]
        raise UsageError(f"the envelope names the key {named}, not {public.fingerprint}")
    if not public.signed(pae(payload, kind), sig):
        raise UsageError(f"the signature of {public.fingerprint} is not good")
    return payload


def pae(payload: bytes, kind: str) -> bytes:
    """Return the pre-authentication encoding: what is signed."""
    name = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def _written(payload: bytes, kind: str, signature: dict[str, str]) -> bytes:
    envelope = {"payload": encoded(payload), "payloadType": kind, "signatures": [signature]}
    return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"
