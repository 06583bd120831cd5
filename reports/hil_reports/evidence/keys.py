"""Keys that sign evidence: ed25519, one PEM file for each person or bench.

A key is named by its fingerprint: the SHA-256 of the public key as DER SubjectPublicKeyInfo, which
`openssl pkey -pubout -outform DER | sha256sum` prints, too.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization as form
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from hil.errors import UsageError

KEY = "STIMPROOF_KEY"
"""Environment variable: path of the key; set to nothing, there is no key."""
PASSPHRASE = "STIMPROOF_KEY_PASSPHRASE"
"""Environment variable: passphrase of the key."""


@dataclass(frozen=True)
class PublicKey:
    """What checks signatures."""

    key: Ed25519PublicKey

    @classmethod
    def read(cls, content: bytes) -> PublicKey:
        """Read a key from PEM, or from DER SubjectPublicKeyInfo.

        Raises:
            UsageError: it is no ed25519 key, or not in the one form in which we write it.
        """
        load = form.load_pem_public_key if content[:1] == b"-" else form.load_der_public_key
        try:
            key = load(content)
        except (ValueError, UnsupportedAlgorithm) as err:
            raise UsageError(f"this is no public key: {err}") from err
        if not isinstance(key, Ed25519PublicKey):
            raise UsageError(f"this is a {type(key).__name__}; allowed: ed25519")
        public = cls(key)
        if content not in {public.pem, public.der}:
            raise UsageError("this is a public key with something beside it")
        return public

    @cached_property
    def der(self) -> bytes:
        """DER SubjectPublicKeyInfo."""
        return self.key.public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def pem(self) -> bytes:
        """The same as PEM."""
        return self.key.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the DER form, in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether the owner of this key signed a message."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class Signer:
    """What makes signatures."""

    key: Ed25519PrivateKey

    @cached_property
    def public(self) -> PublicKey:
        """The key that checks what this one signs."""
        return PublicKey(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message: 64 bytes, the same each time."""
        return self.key.sign(message)


def default_path(environment: Mapping[str, str] = os.environ) -> Path:
    """Return where a key lies if STIMPROOF_KEY names no other place."""
    base = environment.get("APPDATA") if os.name == "nt" else environment.get("XDG_CONFIG_HOME")
    try:
        home = Path(base) if base else Path.home() / ".config"
    except RuntimeError as err:  # a user whom the system does not know
        raise UsageError(f"nobody says where your home is: set HOME or {KEY}") from err
    return home / "stimproof" / "key.pem"


def find(environment: Mapping[str, str] = os.environ) -> Signer | None:
    """Read the key that this user signs with; None if there is none.

    Raises:
        UsageError: STIMPROOF_KEY names a file that is not there, or the key cannot be used.
    """
    if KEY not in environment:
        path = default_path(environment)
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as err:
            raise UsageError(
                f"{path.parent} cannot be looked into for a key: {err.strerror}. Set {KEY} to your "
                "key, or to nothing for none"
            ) from err
        return load(path, environment.get(PASSPHRASE, ""))
    named = environment[KEY]
    return load(Path(named), environment.get(PASSPHRASE, "")) if named else None


def load(path: Path, passphrase: str = "") -> Signer:
    """Read a private key.

    Raises:
        UsageError: it is missing, readable by others, of another kind, or locked.
    """
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise UsageError(f"{path} can be read by others; protect it: chmod 600 {path}")
        content = path.read_bytes()
    except OSError as err:
        raise UsageError(
            f"the key {path} cannot be read: {err.strerror}; make one: hil key new"
        ) from err
    try:
        key = form.load_pem_private_key(content, passphrase.encode() or None)
    except TypeError as err:  # a passphrase where none is needed, or the reverse
        hint = "has no passphrase; unset" if passphrase else "is locked; set"
        raise UsageError(f"the key {path} {hint} {PASSPHRASE}") from err
    except (ValueError, UnsupportedAlgorithm) as err:
        hint = f", or {PASSPHRASE} is wrong" if passphrase else ""
        raise UsageError(f"{path} holds no private key that can be used{hint}") from err
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{path} holds a {type(key).__name__}; allowed: ed25519 (hil key new)")
    return Signer(key)


def create(path: Path, passphrase: str = "") -> Signer:
    """Make a key and write it as PKCS8 PEM that its owner alone can read.

    Args:
        path: the file; its folder is made, it itself must not exist.
        passphrase: locks the file; empty leaves it unlocked.

    Raises:
        UsageError: the file exists, or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    lock = form.BestAvailableEncryption(passphrase.encode()) if passphrase else form.NoEncryption()
    content = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, lock)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(
            f"{path} exists; a key is not overwritten: what it signed could not be signed again. "
            "Name another file"
        ) from None
    except OSError as err:
        raise UsageError(f"{path} cannot be written: {err.strerror}") from err
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return Signer(key)


def decoded(text: object) -> bytes:
    """Decode base64 in its one canonical form; raises UsageError for any other text."""
    try:
        content = base64.b64decode(text, validate=True)  # type: ignore[arg-type]  # caught below
    except (ValueError, TypeError) as err:
        raise UsageError(f"this is no base64: {err}") from err
    if encoded(content) != text:  # unused bits in the last character can be set at will
        raise UsageError("this base64 is not in canonical form")
    return content


def encoded(content: bytes) -> str:
    """Write bytes as base64."""
    return base64.b64encode(content).decode()
