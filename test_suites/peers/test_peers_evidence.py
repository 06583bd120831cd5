"""A sealed run through other people's eyes: securesystemslib, in-toto-attestation, bagit."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime, timedelta
from itertools import count

import bagit
import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.test_result.v0 import test_result_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

from hil_reports.evidence import Evidence, attestation, dsse, keys, seal, verify

TEST = "m:test_a[1]"


def clock():
    begin, steps = datetime(2026, 3, 1, tzinfo=UTC), count()
    return lambda: begin + timedelta(seconds=next(steps))


@pytest.fixture
def signer(tmp_path):
    return keys.create(tmp_path / "key.pem")


@pytest.fixture
def sealed(tmp_path, signer):
    """A run with one test."""
    folder = tmp_path / "run"
    with Evidence.create(folder, clock()) as evidence:
        device = evidence.document("device.toml", "a = 1\n")
        bench = evidence.document("bench.toml", "b = 1\n")
        names = ("run_id", "version", "operator", "partial", "expected", "expected_reason")
        run = dict.fromkeys(names, "x") | {"partial": "", "required": "", "seed": 1, "real": False}
        run |= {"firmware": None, "software": {"packages": {}, "sha256": "0" * 64}}
        evidence.append("run", run)
        names = ("manufacturer", "model", "device_class", "bench_name")
        plan = dict.fromkeys(names, "x") | {"requirements": [], "figures": [], "wiring": {}}
        evidence.append("plan", plan | {"device": device, "bench": bench, "catalogues": []})
        items = [{"test": TEST, "requirements": [], "doc": ""}]
        evidence.append("collected", {"items": items, "plugins": [], "errors": []})
        evidence.append("test_begin", {"test": TEST})
        end = {"test": TEST, "outcome": "passed", "detail": "", "seconds": 0.1, "judgements": 0}
        evidence.append("test_end", end)
        evidence.append("end", {"pytest_exit": 0, "seconds": 1.0})
    seal(folder, signer)
    assert verify(folder, {signer.public.fingerprint}).problems == ()
    return folder


def envelope(folder) -> Envelope:
    return Envelope.from_dict(json.loads((folder / dsse.ATTESTATION).read_text()))


def test_securesystemslib_takes_the_signature(sealed, signer):
    key = SSlibKey.from_crypto(signer.public.key, signer.public.fingerprint)
    made = envelope(sealed)
    assert made.payload_type == attestation.KIND
    assert key.keyid in made.verify([key], 1)
    assert made.pae() == dsse.pae(made.payload, made.payload_type)


def test_securesystemslib_refuses_another_key_and_another_payload(sealed, signer, tmp_path):
    other = keys.create(tmp_path / "other.pem")
    stranger = SSlibKey.from_crypto(other.public.key, signer.public.fingerprint)
    with pytest.raises(VerificationError):
        envelope(sealed).verify([stranger], 1)
    made = envelope(sealed)
    made.payload = made.payload.replace(b"FAILED", b"PASSED")
    with pytest.raises(VerificationError):
        made.verify([SSlibKey.from_crypto(signer.public.key, signer.public.fingerprint)], 1)


def test_in_toto_takes_the_statement(sealed):
    read = json_format.Parse(envelope(sealed).payload, statement_pb2.Statement())
    made = Statement.copy_from_pb(read)
    made.validate()
    digests = {entry.name: entry.digest["sha256"] for entry in made.pb.subject}
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        assert digests[name] == hashlib.sha256((sealed / name).read_bytes()).hexdigest()


def test_in_toto_takes_the_predicate(sealed):
    said = json.loads(envelope(sealed).payload)["predicate"]
    made = json_format.ParseDict(said, test_result_pb2.TestResult())  # refuses unknown fields
    for resource in made.configuration:
        ResourceDescriptor.copy_from_pb(resource).validate()
        assert len(resource.digest["sha256"]) == 64
    assert made.result == "FAILED"  # no requirement was shown
    assert said["configuration"][0]["annotations"]["provenance"] == "SIMULATED"
    named = [*made.passed_tests, *made.warned_tests, *made.failed_tests]
    assert named == [TEST]


def test_bagit_takes_the_bag_and_sees_each_change(sealed):
    bagit.Bag(str(sealed)).validate()
    path = sealed / "data" / "config" / "bench.toml"
    path.write_text("b = 2\n")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(sealed)).validate()


def test_an_envelope_of_securesystemslib_has_the_same_signature(sealed, signer):
    """Ed25519 signs the same bytes the same way: ours and theirs agree to the last bit."""
    from securesystemslib.signer import CryptoSigner

    theirs = CryptoSigner(signer.key).sign(envelope(sealed).pae())
    (ours,) = json.loads((sealed / dsse.ATTESTATION).read_text())["signatures"]
    assert base64.b64decode(ours["sig"]) == bytes.fromhex(theirs.signature)
