"""A signature within a PDF (PAdES): on a copy of the report, for those who look at it in a viewer.

The report's own bytes stay as they are. Behind them come a page that shows who signed, when and
with what meaning, and the signature, which covers the whole file. The page is typeset like the
report, its fonts within the file, as PDF/A asks.

It needs the extra `sign`: import it by `hil_reports.extra`.
"""

from __future__ import annotations

import hashlib
import io
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from asn1crypto.x509 import Certificate
from cryptography.hazmat.primitives.serialization import pkcs12
from pyhanko.pdf_utils.generic import StreamObject
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.pdf_utils.writer import PageObject
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.general import SigningError
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.status import SignatureCoverageLevel
from pyhanko.stamp import StaticStampStyle
from pyhanko_certvalidator import ValidationContext

from hil.errors import UsageError
from hil_reports.pdf import signature_pdf
from hil_reports.text import clean

PASSPHRASE = "STIMPROOF_P12_PASSPHRASE"
"""Environment variable: passphrase of the PKCS #12 file."""
_A4 = (0, 0, 595.28, 841.89)
_BOX = (54, 590, 541, 788)
"""Where the signature stands on its page: left, bottom, right and top, in points."""
_LONGEST = 240
"""Characters of one text that this place has room for."""
_FIELD = "Signature"
logging.getLogger("pyhanko").setLevel(logging.CRITICAL)  # what it would print, we raise


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signs: a key and its certificate."""

    signer: Any
    subject: str
    """The certificate's subject, for reading."""

    @classmethod
    def read(cls, path: Path, passphrase: str, utc: datetime) -> Identity:
        """Open a PKCS #12 file.

        Args:
            path: the file.
            passphrase: opens it; empty for none.
            utc: when it is to sign; its certificate must hold then.

        Raises:
            UsageError: it cannot be opened, or its certificate does not hold.
        """
        secret = passphrase.encode() or None
        try:
            content = path.read_bytes()
            key, certificate, _ = pkcs12.load_key_and_certificates(content, secret)
        except OSError as err:
            raise UsageError(f"--p12 {path}: cannot be read: {err.strerror}") from err
        except ValueError as err:
            raise UsageError(
                f"--p12 {path}: is no PKCS #12 file, or {PASSPHRASE} does not hold its passphrase"
            ) from err
        if key is None or certificate is None:
            raise UsageError(f"--p12 {path}: holds no private key with its certificate")
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if not begin <= utc <= end:
            raise UsageError(
                f"--p12 {path}: its certificate holds from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"
            )
        signer = SimpleSigner.load_pkcs12_data(content, (), secret)
        return cls(signer, _subject(signer.signing_cert))


@dataclass(frozen=True, slots=True)
class Statement:
    """What a signature says, in print."""

    run: str
    """Run id."""
    simulated: bool
    """Whether the page must say SIMULATED."""
    name: str
    meaning: str
    utc: datetime
    """When it was signed."""


def sign_pdf(report: bytes, identity: Identity, said: Statement) -> bytes:
    """Return a copy of a report that ends with a signature, on a page of its own.

    Args:
        report: the PDF; the copy begins with its bytes.
        identity: who signs.
        said: what the page shows.

    Raises:
        UsageError: the report is no PDF that can be signed, or the key cannot sign it.
    """
    left, bottom, right, top = _BOX
    shown = {
        "run": clean(said.run, _LONGEST),
        "simulated": said.simulated,
        "name": clean(said.name, _LONGEST),
        "time": f"{said.utc.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC",
        "meaning": clean(said.meaning, _LONGEST),
        "certificate": identity.subject,
        "sha256": hashlib.sha256(report).hexdigest(),
        "date": f"{said.utc.astimezone(UTC):%Y-%m-%d}",
        "width": right - left,
        "height": top - bottom,
    }
    with TemporaryDirectory() as folder:  # pyHanko takes a page by its path
        page = Path(folder) / "signature.pdf"
        page.write_bytes(signature_pdf(shown))
        try:
            return _signed(report, identity, said, page)
        except (PdfError, SigningError, ValueError) as err:
            raise UsageError(f"the report could not be signed: {err}") from err


def signer_of(content: bytes) -> str:
    """Check the one signature of a PDF; who stands behind its certificate is not looked at.

    Returns:
        Subject of the certificate that signed it, for reading.

    Raises:
        UsageError: it is no PDF with one good signature over all of it.
    """
    try:
        (found,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
        status = validate_pdf_signature(found, ValidationContext(trust_roots=[]))
        good = status.intact and status.valid
        whole = status.coverage is SignatureCoverageLevel.ENTIRE_FILE
    except Exception as err:  # whatever a parser of foreign files stumbles over, it is not good
        raise UsageError(f"is no PDF with one signature that can be read: {err!r}") from err
    if not (good and whole):
        raise UsageError("has a signature that is not good, or does not cover all of it")
    return _subject(status.signing_cert)


def _signed(report: bytes, identity: Identity, said: Statement, page: Path) -> bytes:
    writer = IncrementalPdfFileWriter(io.BytesIO(report))
    empty = writer.add_object(StreamObject(stream_data=b""))
    writer.insert_page(PageObject(empty, _A4))
    signer = PdfSigner(
        PdfSignatureMetadata(
            field_name=_FIELD,
            md_algorithm="sha256",
            name=said.name,
            reason=said.meaning,
            subfilter=SigSeedSubFilter.PADES,
        ),
        signer=identity.signer,
        stamp_style=StaticStampStyle.from_pdf_file(str(page), border_width=0, background_opacity=1),
        new_field_spec=SigFieldSpec(_FIELD, on_page=-1, box=_BOX),
    )
    content: bytes = signer.sign_pdf(writer).getvalue()
    return content


def _subject(certificate: Certificate) -> str:
    return clean(certificate.subject.human_friendly, _LONGEST)
