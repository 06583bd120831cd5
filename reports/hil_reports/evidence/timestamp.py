"""The time stamp of a seal (RFC 3161): an authority says when it existed.

    attestation.tsq     the request, as long as no authority has answered it
    attestation.tsr     the authority's answer, with its token

Both are about attestation.dsse.json, so that the signature is older than the token; where nobody
attests the bag, about the tag manifest. They lie beside the bag and are no part of it.

The request has no nonce: it follows from the hash alone, so that each of its bytes can be checked.
An old answer to the same request would only prove an earlier time.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import ModuleType
from urllib import request as http

from cryptography import x509

from hil.errors import UsageError
from hil_reports.evidence import bag, dsse, foreign
from hil_reports.extra import installed

REQUEST = "attestation.tsq"
ANSWER = "attestation.tsr"
PATIENCE = 20.0
"""Seconds that an authority has for its whole answer."""
LARGEST = 64 * 1024
"""Bytes that an answer may have; one with a chain of certificates has some 6000."""
_SHA256 = bytes.fromhex("300d06096086480165030402010500")
_HEAD, _TAIL = b"\x30\x39\x02\x01\x01\x30\x31" + _SHA256 + b"\x04\x20", b"\x01\x01\xff"
_INTEGER, _OCTETS, _OID, _TIME, _SEQUENCE, _TAGGED = 0x02, 0x04, 0x06, 0x18, 0x30, 0xA0
_SIGNED_DATA = bytes.fromhex("2a864886f70d010702")
_TOKEN_INFO = bytes.fromhex("2a864886f70d0109100104")
_GRANTED = b"\x00"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a token says."""

    utc: datetime
    """When the stamped file existed, by the authority's clock."""
    trusted: bool
    """Whether the token is signed by an authority that the reader trusts."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Who is trusted to tell the time: the certificates in a file."""

    path: Path
    certificates: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, path: Path) -> Authority:
        """Read certificates from a PEM file.

        Raises:
            UsageError: there are none, or what checks a token is not installed.
        """
        _client()
        try:
            found = x509.load_pem_x509_certificates(path.read_bytes())
        except OSError as err:
            raise UsageError(f"--tsa-ca {path}: cannot be read: {err.strerror}") from err
        except ValueError as err:
            raise UsageError(f"--tsa-ca {path}: holds no certificates in PEM: {err}") from err
        return cls(path, tuple(found))

    def check(self, answer: bytes, digest: bytes) -> None:
        """Check that one of these certificates stands behind a token; at the token's time.

        Args:
            answer: an authority's answer.
            digest: SHA-256 that it must be about.

        Raises:
            UsageError: none of them does, or the token is not one that it may make.
        """
        client = _client()
        verifier = client.VerifierBuilder(roots=list(self.certificates)).build()
        try:
            verifier.verify(client.decode_timestamp_response(answer), digest)
        except (client.VerificationError, ValueError) as err:
            raise UsageError(f"the token is not one of {self.path}: {err}") from err


def stamp(folder: Path, url: str) -> Stamp:
    """Have a sealed run folder stamped; one that has a token keeps it, as the older one.

    The request lies in the folder until it is answered.

    Args:
        folder: a sealed run folder.
        url: of the authority, http or https.

    Raises:
        UsageError: no good answer came; the request is kept.
    """
    path = folder / ANSWER
    digest = bytes.fromhex(bag.digest_of(stamped(folder)))
    if not os.path.lexists(path):
        query = request(digest)
        bag.write(folder / REQUEST, query)
        answer = ask(url, query)
        read(answer, digest)
        bag.write(path, answer)
        (folder / REQUEST).unlink()
        bag.sync(folder)
    return read(foreign.content_of(path, foreign.WORDS), digest)


def stamped(folder: Path) -> Path:
    """Return the file that a time stamp is about."""
    attestation = folder / dsse.ATTESTATION
    return attestation if attestation.exists() else folder / bag.TAG_MANIFEST


def request(digest: bytes) -> bytes:
    """Write the request for a token over a SHA-256; it asks for the authority's certificate."""
    return _HEAD + digest + _TAIL


def read(answer: bytes, digest: bytes, authority: Authority | None = None) -> Stamp:
    """Read an authority's answer.

    Args:
        answer: the answer, with its token.
        digest: SHA-256 that the token must be about.
        authority: who must have signed it; without one nobody's signature is looked at.

    Raises:
        UsageError: it was refused, is about something else, or is no such answer.
    """
    try:
        imprint, time = _told(answer)
    except ValueError as err:
        raise UsageError(f"it is no answer of a time-stamping authority: {err}") from err
    if imprint != _SHA256 + b"\x04\x20" + digest:
        raise UsageError("the token is about something else")
    if authority is not None:
        authority.check(answer, digest)
    return Stamp(time, authority is not None)


def ask(url: str, query: bytes) -> bytes:
    """Send a request to an authority and return what it answers, in bounded time and size.

    Raises:
        UsageError: no answer came.
    """
    if not re.match(r"https?://[^/]", url):
        raise UsageError(f"--tsa {url}: no address; allowed: http://.. and https://..")
    came: SimpleQueue[bytes | UsageError] = SimpleQueue()
    # A server that sends a byte now and then outlives every time-out of a socket.
    Thread(target=lambda: came.put(_posted(url, query)), daemon=True).start()
    try:
        answer = came.get(timeout=PATIENCE)
    except Empty:
        raise UsageError(f"{url} gave no whole answer within {PATIENCE:g} s") from None
    if isinstance(answer, UsageError):
        raise answer
    return answer


class _Here(http.HTTPRedirectHandler):
    """Follows nobody: a redirected POST would arrive as a GET."""

    def redirect_request(self, *_: object) -> None:
        return None


def _posted(url: str, query: bytes) -> bytes | UsageError:
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        posted = http.Request(url, query, headers)
        with http.build_opener(_Here).open(posted, timeout=PATIENCE) as answer:
            content: bytes = answer.read(LARGEST + 1)
            kind = answer.headers.get_content_type()
    except (OSError, HTTPException, ValueError) as err:
        return UsageError(f"{url} gave no answer: {str(err) or type(err).__name__}")
    if len(content) > LARGEST:
        return UsageError(f"{url} answered with more than {LARGEST} bytes")
    if kind != "application/timestamp-reply":
        return UsageError(f"{url} answered with {kind!r}; expected application/timestamp-reply")
    return content


# ---- DER, as far as it lies before the token's own words


def _told(answer: bytes) -> tuple[bytes, datetime]:
    """Return the imprint (algorithm and hash) of an answer's token, and its time."""
    (response,) = _parts(answer)
    status, *token = _within(response, _SEQUENCE)
    state, *reasons = _within(status, _SEQUENCE)
    if state != (_INTEGER, _GRANTED):
        said = b" ".join(content for _, content in reasons).decode(errors="replace")
        raise ValueError(f"it refuses: status {state[1].hex()} {said[:200]!r}")
    (content_info,) = token
    signed = _content(_within(content_info, _SEQUENCE), _SIGNED_DATA)
    _version, _algorithms, wrapped, *_ = _within(signed, _SEQUENCE)
    octets = _content(_within(wrapped, _SEQUENCE), _TOKEN_INFO)
    (info,) = _parts(_bytes(octets, _OCTETS))
    _version, _policy, imprint, _serial, time, *_ = _within(info, _SEQUENCE)
    return _bytes(imprint, _SEQUENCE), _moment(_bytes(time, _TIME))


_Element = tuple[int, bytes]


def _content(parts: list[_Element], kind: bytes) -> _Element:
    """The one thing in a ContentInfo of a kind."""
    name, tagged = parts
    if name != (_OID, kind):
        raise ValueError(f"it holds a thing of kind {name[1][:20].hex()}")
    (only,) = _within(tagged, _TAGGED)
    return only


def _within(element: _Element, tag: int) -> list[_Element]:
    return list(_parts(_bytes(element, tag)))


def _bytes(element: _Element, tag: int) -> bytes:
    found, content = element
    if found != tag:
        raise ValueError(f"tag {found:#04x} where {tag:#04x} was expected")
    return content


def _parts(der: bytes) -> Iterator[_Element]:
    """Take elements apart, each with its tag; raises ValueError where one does not end."""
    at = 0
    while at < len(der):
        begin, size = at + 2, der[at + 1] if at + 1 < len(der) else 0x80
        if size & 0x80:
            begin += size & 0x7F
            size = int.from_bytes(der[at + 2 : begin]) if size != 0x80 else len(der)
        if begin + size > len(der):
            raise ValueError(f"an element at byte {at} does not end")
        yield der[at], der[begin : begin + size]
        at = begin + size


def _moment(text: bytes) -> datetime:
    """Read a GeneralizedTime of RFC 3161: UTC, with a fraction or without."""
    found = re.fullmatch(rb"(\d{14})(?:\.(\d+))?Z", text)
    if not found:
        raise ValueError(f"{text[:40]!r} is no time in UTC")
    whole, fraction = found[1].decode(), (found[2] or b"").decode()
    moment = datetime.strptime(whole, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return moment.replace(microsecond=int(f"{fraction:0<6.6}"))


def _client() -> ModuleType:
    """What checks tokens, of the extra `sign`."""
    return installed("rfc3161_client", "--tsa-ca")
