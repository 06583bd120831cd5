"""The seal: what it holds, who signs it, what is stated after it, and what its recipes show."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hil.capture import Accuracy, Capture, Source
from hil.errors import BenchError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil_fixtures import cli
from hil_reports.evidence import (
    Evidence,
    annex,
    bag,
    checkpoint,
    dsse,
    keys,
    read_journal,
    seal,
    verify,
)
from hil_reports.evidence.verification import Standing
from hil_reports.report import remake_report, write_report
from tamper import bundle

ROOT = Path(__file__).parents[2]


def clock():
    begin, steps = datetime(2026, 3, 1, tzinfo=UTC), count()
    return lambda: begin + timedelta(seconds=next(steps))


def capture(samples, **changes) -> Capture:
    accuracy = Accuracy("SIM-2[10 mA]", 5e-4, 2e-6, "data sheet")
    source = Source("ammeter", "SIM-2", accuracy, Calibration.EXPIRED)
    fields = {
        "samples": np.array(samples, dtype=np.float64),
        "start": 1.25,
        "interval": 0.001,
        "start_u": 1e-5,
        "dimension": Dimension.CURRENT,
        "source": source,
        "gaps": (),
    }
    return Capture(**(fields | changes))


@pytest.fixture
def written(tmp_path) -> Path:
    """A run with a capture, a document and a transcript."""
    folder = tmp_path / "written"
    with Evidence.create(folder, clock()) as evidence:
        evidence.append("run", {"run_id": "r1", "version": "0"})
        evidence.append("document", evidence.document("bench.toml", "a = 1\n"))
        stored = evidence.capture(capture([0.0, np.nan], gaps=((1, 1),)), "current")
        evidence.append("record", {"captures": [stored]})
        evidence.transcript(0.0, "load", "write", "*IDN?")
    return folder


@pytest.fixture
def signer(tmp_path):
    return keys.create(tmp_path / "keys" / "key.pem")


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """A real run, signed, in a folder of its own; its key lies beside it."""
    room = tmp_path_factory.mktemp("real")
    keys.create(room / "key.pem")
    run = bundle.make(room / "runs", str(room / "key.pem"))
    return run.rename(room / "run")


@pytest.fixture
def run(real, tmp_path, monkeypatch) -> Path:
    """A copy of it, and its key at hand."""
    monkeypatch.setenv(keys.KEY, str(real.parent / "key.pem"))
    return bundle.copy(real, tmp_path / "run")


@pytest.fixture
def hil(tmp_path, monkeypatch, capsys):
    """Call `hil` in this process; exit code, output lines, error lines."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hil", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out.splitlines(), said.err.splitlines()

    return call


# ---- the bag


def test_a_seal_is_made_once_and_names_head_and_manifest(written):
    first = seal(written)
    assert first.head == read_journal(written).records[-1].hash
    manifest = (written / "manifest-sha256.txt").read_bytes()
    assert first.manifest == hashlib.sha256(manifest).hexdigest()
    before = {path: path.stat().st_mtime_ns for path in written.iterdir()}
    assert seal(written) == first
    assert before == {path: path.stat().st_mtime_ns for path in written.iterdir()}
    assert verify(written).problems == ()


def test_a_stranger_can_verify_the_seal_with_sha256sum(written):
    seal(written)
    for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt"):
        command = ["sha256sum", "--check", "--strict", "--quiet", name]
        subprocess.run(command, cwd=written, check=True, timeout=10)


def _edit_bench(folder):
    (folder / "data/config/bench.toml").write_text("a = 2\n")


def _remove_capture(folder):
    next((folder / "data/captures").iterdir()).unlink()


def _add_file(folder):
    (folder / "data/extra.txt").write_text("x")


def _link(folder):
    (folder / "data/link").symlink_to("/etc/hostname")


def _cut_journal(folder):
    path = folder / "data/journal.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def _edit_transcript(folder):
    (folder / "data/transcript.txt").write_text("> *RST\n")


def _edit_info(folder):
    path = folder / "bag-info.txt"
    path.write_text(path.read_text().replace("r1", "r2"))


def _drop_from_manifest(folder):
    path = folder / "manifest-sha256.txt"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


CHANGES = {
    _edit_bench: "bench.toml",
    _remove_capture: "captures",
    _add_file: "extra.txt",
    _link: "is a link",
    _cut_journal: "journal.jsonl",
    _edit_transcript: "transcript.txt",
    _edit_info: "bag-info.txt",
    _drop_from_manifest: "manifest-sha256.txt",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_after_the_seal_is_found_and_is_not_sealed_again(written, change):
    seal(written)
    change(written)
    assert any(CHANGES[change] in str(problem) for problem in verify(written).problems)
    with pytest.raises(UsageError, match="changed since"):
        seal(written)


@pytest.mark.parametrize("change", [_edit_bench, _remove_capture, _edit_transcript, _cut_journal])
def test_a_change_with_a_new_seal_is_found_where_a_record_speaks_of_it(written, change):
    first = seal(written)
    change(written)
    for name in ("bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"):
        (written / name).unlink()
    again = seal(written)
    if change is _cut_journal:  # a chain says nothing of its lost end: only the head does
        assert again.head != first.head
    else:
        assert verify(written).problems != ()


def test_nothing_can_be_added_to_a_sealed_run(written):
    seal(written)
    with pytest.raises(UsageError, match="sealed"):
        Evidence.resume(written, clock())


def test_a_run_that_was_not_sealed_is_not_called_intact(written):
    assert [str(problem) for problem in verify(written).problems] == [
        "tagmanifest-sha256.txt: not sealed"
    ]


@pytest.mark.parametrize("hole", ["link", "pipe", "folder"])
def test_a_journal_that_is_no_file_is_never_opened(written, hole):
    seal(written)
    path = written / bundle.JOURNAL
    path.rename(written.with_name("aside"))
    make = {
        "link": lambda: path.symlink_to(written.with_name("aside")),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
    }
    make[hole]()
    said = [str(problem) for problem in verify(written).problems]
    assert "data/journal.jsonl: is missing" in said


LISTED = f"{'a' * 64}  data/x\n{'b' * 64}  data/a%0Ab%25\n"


def test_a_manifest_is_read_as_it_was_written():
    hashes = bag.read_listing(LISTED.encode())
    assert hashes == {"data/x": "a" * 64, "data/a\nb%": "b" * 64}
    assert bag.listing(hashes) == LISTED


@pytest.mark.parametrize(
    "changed",
    [
        LISTED.replace("\n", "\r\n"),
        LISTED[:-1],
        LISTED[:-70],
        LISTED + LISTED,
        LISTED + "\n",
        LISTED.upper(),
        LISTED.replace("data/x", "data/../x"),
        LISTED.replace("data/x", "/data/x"),
        LISTED.replace("  data/x", " *data/x"),
        LISTED.replace("%25", "%"),
        LISTED.replace("a" * 64, "a" * 63),
        LISTED.replace("x", "\udcff"),
    ],
)
def test_a_manifest_in_another_form_is_refused(changed):
    with pytest.raises(UsageError):
        bag.read_listing(changed.encode(errors="surrogateescape"))


def test_a_problem_names_file_and_record(written):
    seal(written)
    (stored,) = (written / "data/captures").iterdir()
    stored.write_bytes(b"another")
    said = [str(problem) for problem in verify(written).problems]
    name = f"data/captures/{stored.name}"
    assert f"{name}: is not the file that was recorded (record 2)" in said
    assert f"{name}: was changed after the seal" in said


def test_an_interrupted_run_is_sealed_as_incomplete(written, signer):
    sealed = seal(written, signer)
    assert sealed.status == "INCOMPLETE"
    assert "Run-Status: INCOMPLETE\n" in (written / bag.INFO).read_text()
    predicate = statement(written)["predicate"]
    assert predicate["result"] == "FAILED"
    assert predicate["configuration"][0]["annotations"]["status"] == "INCOMPLETE"
    found = verify(written, {signer.public.fingerprint})
    assert (found.standing, found.problems) == (Standing.AUTHENTIC, ())


def test_a_killed_seal_is_made_anew(written, signer, monkeypatch):
    write = bag.write

    def killed(path, content):
        if path.name == bag.TAG_MANIFEST:
            raise KeyboardInterrupt
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(bag, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            seal(written, signer)
    assert (written / dsse.ATTESTATION).exists()
    seal(written)  # now without a key
    assert not (written / dsse.ATTESTATION).exists()
    assert verify(written).standing is Standing.UNSIGNED


# ---- keys


def test_a_key_is_for_its_owner_alone_and_never_overwritten(hil, tmp_path):
    path = tmp_path / "deep" / "key.pem"
    code, out, lines = hil("key", "new", path)
    assert (code, lines) == (0, [])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    content = path.read_bytes()
    code, _, lines = hil("key", "new", path)
    assert code == 11
    assert "not overwritten" in lines[0]
    assert path.read_bytes() == content
    code, shown, _ = hil("key", "show", path)
    assert shown[0] == out[-1]
    assert shown[1] == "-----BEGIN PUBLIC KEY-----"


@pytest.mark.needs_tool("openssl")
def test_the_fingerprint_is_what_openssl_prints(signer, tmp_path):
    path = tmp_path / "keys" / "key.pem"
    line = f"openssl pkey -in {path} -pubout -outform DER | sha256sum"
    printed = subprocess.run(line, shell=True, capture_output=True, text=True, check=True)
    assert printed.stdout.split()[0] == signer.public.fingerprint


def test_where_the_key_lies(tmp_path):
    signer = keys.create(tmp_path / "stimproof" / "key.pem")
    home = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert keys.find(home).public.fingerprint == signer.public.fingerprint
    assert keys.find({**home, keys.KEY: ""}) is None
    assert keys.find({"XDG_CONFIG_HOME": str(tmp_path / "none")}) is None
    with pytest.raises(UsageError, match=r"none.pem cannot be read.*hil key new"):
        keys.find({keys.KEY: str(tmp_path / "none.pem")})


def test_a_locked_key_needs_its_passphrase(tmp_path):
    path = tmp_path / "key.pem"
    made = keys.create(path, "correct horse")
    assert b"ENCRYPTED" in path.read_bytes()
    assert keys.load(path, "correct horse").public.fingerprint == made.public.fingerprint
    with pytest.raises(UsageError, match=keys.PASSPHRASE):
        keys.load(path)
    with pytest.raises(UsageError, match=f"{keys.PASSPHRASE} is wrong"):
        keys.load(path, "wrong")
    keys.create(tmp_path / "open.pem")
    with pytest.raises(UsageError, match="has no passphrase"):
        keys.load(tmp_path / "open.pem", "any")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(signer, tmp_path, mode):
    path = tmp_path / "keys" / "key.pem"
    path.chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        keys.load(path)


def test_a_key_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "key.pem"
    other = generate_private_key(SECP256R1())
    form = serialization
    content = other.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(UsageError, match="allowed: ed25519"):
        keys.load(path)
    path.write_bytes(b"no key")
    with pytest.raises(UsageError, match="holds no private key"):
        keys.load(path)
    public = other.public_key().public_bytes(
        form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo
    )
    for bad in (public, b"", b"-----BEGIN PUBLIC KEY-----", b"\0"):
        with pytest.raises(UsageError, match="this is"):
            keys.PublicKey.read(bad)


def test_a_public_key_has_one_form(signer):
    public = signer.public
    for good in (public.pem, public.der):
        assert keys.PublicKey.read(good).fingerprint == public.fingerprint
    for bad in (public.pem + b"\n", b"# mine\n" + public.pem, public.pem.replace(b"\n", b"\r\n")):
        with pytest.raises(UsageError):
            keys.PublicKey.read(bad)


def test_a_key_that_cannot_be_used_ends_a_run_before_it_begins(hil, tmp_path, monkeypatch):
    monkeypatch.setenv(keys.KEY, str(tmp_path / "none.pem"))
    code, out, lines = hil("run", "--suite", "polarity")
    assert (code, out) == (11, [])
    assert "none.pem cannot be read" in lines[0]
    assert not (tmp_path / "runs").exists()


# ---- envelope


def test_an_envelope_gives_back_what_was_signed(signer):
    content = dsse.sealed(b"payload\xff", "text/plain", signer)
    assert dsse.opened(content, "text/plain", signer.public) == b"payload\xff"


def test_the_pre_authentication_encoding_is_that_of_the_specification():
    """The example of the DSSE specification (protocol.md, test vectors)."""
    assert dsse.pae(b"hello world", "http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    key = Ed25519PrivateKey.generate()
    content = dsse.sealed(b"hello world", "a/b", keys.Signer(key))
    made = json.loads(content)
    signature = base64.b64decode(made["signatures"][0]["sig"])
    key.public_key().verify(signature, b"DSSEv1 3 a/b 11 hello world")


def test_no_single_bit_of_an_envelope_or_its_key_can_change_unseen(signer):
    envelope, pem = dsse.sealed(b"payload", "a/b", signer), signer.public.pem
    for n in range(8 * len(envelope)):
        changed = bytearray(envelope)
        changed[n // 8] ^= 1 << n % 8
        with pytest.raises(UsageError):
            dsse.opened(bytes(changed), "a/b", signer.public)
    for n in range(8 * len(pem)):
        changed = bytearray(pem)
        changed[n // 8] ^= 1 << n % 8
        with pytest.raises(UsageError):
            dsse.opened(envelope, "a/b", keys.PublicKey.read(bytes(changed)))


def test_what_was_signed_as_one_thing_is_no_other(signer):
    content = dsse.sealed(b"payload", "a/b", signer)
    with pytest.raises(UsageError, match="expected a/c"):
        dsse.opened(content, "a/c", signer.public)
    body = checkpoint.checkpoint_body(signer, "0" * 64)
    assert checkpoint.signer_of(body, "0" * 64) == signer.public.fingerprint
    for changes in ({"signature": keys.encoded(signer.sign(b"0" * 64))}, {"public_key": None}):
        with pytest.raises(UsageError):
            checkpoint.signer_of({**body, **changes}, "0" * 64)
    with pytest.raises(UsageError, match="not good"):
        checkpoint.signer_of(body, "1" * 64)


# ---- attestation


def statement(folder: Path) -> dict:
    return json.loads(base64.b64decode(bundle.envelope(folder / dsse.ATTESTATION)["payload"]))


def test_the_attestation_says_what_was_tested_and_what_came_out(run):
    said = statement(run)
    records = read_journal(run).records
    digests = {entry["name"]: entry["digest"]["sha256"] for entry in said["subject"]}
    assert digests.pop(next(name for name in digests if "hash of its last" in name)) == (
        records[-1].hash
    )
    assert digests == {
        name: hashlib.sha256((run / name).read_bytes()).hexdigest()
        for name in ("manifest-sha256.txt", "tagmanifest-sha256.txt")
    }
    assert said["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    predicate = said["predicate"]
    tests = [record.body["test"] for record in records if record.kind == "test_end"]
    assert sorted(predicate["passedTests"]) == sorted(tests)
    assert predicate["failedTests"] == []
    assert predicate["result"] == "WARNED"  # one suite at smoke depth is no whole scope
    about, *documents = predicate["configuration"]
    assert about["annotations"]["provenance"] == "SIMULATED"
    assert about["annotations"]["status"] == "COMPLETE"
    for document in documents:
        content = (run / document["name"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == document["digest"]["sha256"]


def test_a_checkpoint_follows_each_tests_end(run):
    records = read_journal(run).records
    kinds = [record.kind for record in records]
    after = [kinds[n + 1] for n, kind in enumerate(kinds) if kind == "test_end"]
    (collected,) = (record for record in records if record.kind == "collected")
    assert after == ["checkpoint"] * len(collected.body["items"])


# ---- verification


def verdict(hil, *arguments):
    code, out, lines = hil("verify", *arguments)
    return code, out[-1] if out else "", lines


def test_only_a_pinned_signer_makes_it_green(hil, run, tmp_path):
    mine = keys.find().public.fingerprint
    assert verdict(hil, run) == (3, "INTACT, signer unknown", [])
    assert verdict(hil, run, "--signer", mine) == (0, "AUTHENTIC", [])
    assert verdict(hil, run, "--signer", mine.upper()) == (0, "AUTHENTIC", [])
    (tmp_path / "trusted").write_text(f"# the lab\n{'0' * 64}  # an old key\n\n{mine}\n")
    assert verdict(hil, run, "--signer", "trusted") == (0, "AUTHENTIC", [])
    code, word, lines = verdict(hil, run, "--signer", "0" * 64)
    assert (code, word) == (10, "NOT INTACT")
    assert any(f"attestation.dsse.json: is signed by {mine}" in line for line in lines)
    assert any("data/journal.jsonl: is signed by" in line for line in lines)  # its checkpoints


@pytest.mark.parametrize("given", ["", "zz", "0" * 63, "none.txt", "empty.txt", "bad.txt"])
def test_a_fingerprint_that_is_none_is_refused(hil, run, tmp_path, given):
    (tmp_path / "empty.txt").write_text("# nobody\n")
    (tmp_path / "bad.txt").write_text("0123\n")
    code, _, lines = hil("verify", run, "--signer", given)
    assert code == 11
    assert lines[0].startswith("hil: --signer")


def test_an_unsigned_bundle_is_yellow_and_with_a_pinned_signer_not_intact(hil, run, tmp_path):
    bare = bundle.unsigned(run, tmp_path / "bare")
    assert verdict(hil, bare) == (3, "INTACT, unsigned", [])
    code, word, lines = verdict(hil, bare, "--signer", "0" * 64)
    assert (code, word) == (10, "NOT INTACT")
    assert "hil: attestation.dsse.json: is signed by nobody" in lines


def test_it_needs_neither_bench_nor_configuration(run, tmp_path):
    """From an empty folder, in an empty environment, with no file beside it."""
    line = [sys.executable, "-c", "from hil_fixtures.cli import main; main()", "verify", str(run)]
    done = subprocess.run(
        line, cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1] == "INTACT, signer unknown"


def test_a_deep_verification_judges_the_run_again(hil, run):
    mine = keys.find().public.fingerprint
    assert verdict(hil, run, "--signer", mine, "--deep") == (0, "AUTHENTIC", [])


def test_a_signer_who_lies_is_found_by_the_captures(hil, run):
    """A judgement edited, chained and sealed by the holder of the trusted key."""
    signer = keys.find()
    judged = next(r for r in read_journal(run).records if r.kind == "judgement")

    def edit(record):
        if record.n != judged.n:
            return record
        measured = {**record.body["measured"], "value": "0.000123"}
        return bundle.with_body(record, measured=measured)

    bundle.strip(run)
    bundle.rechain(run, edit, signer)
    seal(run, signer)
    assert verdict(hil, run, "--signer", signer.public.fingerprint)[:2] == (0, "AUTHENTIC")
    code, _, lines = verdict(hil, run, "--signer", signer.public.fingerprint, "--deep")
    assert code == 10
    assert any(f"(record {judged.n})" in line for line in lines)


def test_an_attested_result_that_the_journal_does_not_give_is_found(run):
    signer = keys.find()
    said = statement(run)
    said["predicate"]["result"] = "PASSED"
    content = json.dumps(said).encode()
    sealed = dsse.sealed(content, "application/vnd.in-toto+json", signer)
    bundle.put(run / dsse.ATTESTATION, sealed)
    mine = {signer.public.fingerprint}
    assert verify(run, mine).standing is Standing.AUTHENTIC
    (problem,) = verify(run, mine, deep=True).problems
    assert str(problem) == (
        "attestation.dsse.json: says PASSED, SIMULATED; the journal amounts to WARNED, SIMULATED"
    )


def test_a_run_says_who_sealed_it(hil, run):
    code, out, _ = hil("seal", run)
    assert code == 0
    assert f"sealed COMPLETE, signed by {keys.find().public.fingerprint}" in out


def test_a_run_without_a_key_says_that_it_is_unsigned(hil, written, monkeypatch):
    with Evidence.resume(written, clock()):
        pass
    monkeypatch.setenv(keys.KEY, "")
    sealed = seal(written)
    assert sealed.signer == ""
    assert "Attested-By: nobody\n" in (written / bag.INFO).read_text()


# ---- reports, from the bundle alone


VIEWS = ("compliance.pdf", "index.html", "junit.xml", "summary.json")


def test_reports_are_made_again_from_the_bundle_alone_to_the_same_bytes(hil, run, tmp_path):
    for path in bundle.files(run, "report"):
        if path.name not in VIEWS:
            path.unlink()
    for name in VIEWS:
        bundle.put(run / "report" / name, b"nonsense")
    assert hil("report", run)[0] == 0
    assert verify(run, {keys.find().public.fingerprint}).standing is Standing.AUTHENTIC
    assert hil("report", run, "--out", "elsewhere")[0] == 0
    for name in VIEWS:
        assert (run / "report" / name).read_bytes() == (tmp_path / "elsewhere" / name).read_bytes()
    assert list((tmp_path / "elsewhere" / "allure-results").glob("*-result.json"))
    assert (run / "report" / "summary.json").read_bytes() != b"nonsense"


def test_the_report_of_the_run_is_what_is_made_again(run, tmp_path):
    remake_report(run, tmp_path / "again", keys.find())
    for name in VIEWS:
        assert (run / "report" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_report_is_not_made_over_another_folder(hil, run, tmp_path):
    (tmp_path / "mine").mkdir()
    code, _, lines = hil("report", run, "--out", "mine")
    assert code == 11
    assert "mine" in lines[0]


def test_no_report_is_made_of_a_broken_bundle(hil, run):
    path = run / "data" / "transcript.txt"
    bundle.put(path, path.read_bytes()[:-1])
    before = bag.digests(run, bag.inventory(run, "report").files)
    code, out, lines = hil("report", run)
    assert (code, out) == (10, [])
    assert any("data/transcript.txt: was changed after the seal" in line for line in lines)
    assert "no report was made" in lines[-1]
    assert bag.digests(run, bag.inventory(run, "report").files) == before


def test_a_report_whose_making_was_killed_is_seen(run, monkeypatch):
    mine = {keys.find().public.fingerprint}
    monkeypatch.setattr("hil_reports.report.compliance_pdf", lambda view, attached: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(run, keys.find())
    assert any("broken off" in problem.text for problem in verify(run, mine).problems)


# ---- signatures and corrections


def text_of(run: Path) -> str:
    from pypdf import PdfReader

    pages = PdfReader(run / "report" / "compliance.pdf").pages
    return " ".join(" ".join(p.extract_text().replace("\u200b", "").split()) for p in pages)


def test_a_signature_has_name_time_and_meaning_in_every_report(hil, run):
    before = bag.digests(run, bag.inventory(run, "data").files)
    code, out, lines = hil("sign", run, "--name", "Ada Exämple", "--meaning", "approved #2")
    assert (code, lines) == (0, [])
    (entry,) = annex.read_annex(run).entries
    assert entry.body == {"name": "Ada Exämple", "meaning": "approved #2"}
    when = f"{entry.utc[:10]} {entry.utc[11:19]} UTC"
    for text in (text_of(run), (run / "report" / "index.html").read_text("utf-8")):
        for part in ("Ada Exämple", "approved #2", when, f"signed by {entry.signer}"):
            assert part in " ".join(re.sub("<.*?>", "", text).split())
        assert "compliant" not in text
    assert bag.digests(run, bag.inventory(run, "data").files) == before
    assert verify(run, {keys.find().public.fingerprint}).standing is Standing.AUTHENTIC
    summary = json.loads((run / "report" / "summary.json").read_text())
    assert summary["annex"] in out[0]


def test_a_correction_stands_beside_the_record_that_it_corrects(hil, run):
    judged = next(r for r in read_journal(run).records if r.kind == "judgement")
    told = ("--reason", "typed wrong", "--author", "Bob Example", "--text", "the load was 2 kOhm")
    assert hil("correct", run, "--record", judged.n, *told)[0] == 0
    text = text_of(run)
    said = f"Corrected: record {judged.n}, judgement of"
    assert said in text
    requirement = judged.body["requirement"]
    assert text.rindex(f"{requirement} ", 0, text.index(said)) > 0
    stated = "the load was 2 kOhm (reason: typed wrong, by Bob Example, "
    for page in (text, (run / "report" / "index.html").read_text("utf-8")):
        assert stated in page
    assert read_journal(run).records[judged.n] == judged
    assert verify(run, {keys.find().public.fingerprint}).standing is Standing.AUTHENTIC


def test_statements_are_chained_and_each_has_its_signer(run, signer):
    first = keys.find()
    bundle.state(run, first)
    found = annex.add(
        run, annex.SIGNATURE, {"name": "C", "meaning": "seen"}, signer=signer, utc=bundle.now
    )
    write_report(run, first)
    mine, other = first.public.fingerprint, signer.public.fingerprint
    assert [entry.signer for entry in found.entries] == [mine, mine, other]
    assert verify(run, {mine, other}).standing is Standing.AUTHENTIC
    problems = [str(problem) for problem in verify(run, {mine}).problems]
    assert problems == [f"annex.jsonl: is signed by {other}, which is not trusted"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("sign", "--name", " ", "--meaning", "x"), "--name is empty"),
        (("sign", "--name", "x", "--meaning", ""), "--meaning is empty"),
        (("sign", "--name", "x"), "--meaning"),
        (
            ("correct", "--record", "99999", "--reason", "x", "--author", "x", "--text", "x"),
            "--record 99999: the journal ends with record",
        ),
        (
            ("correct", "--record", "-1", "--reason", "x", "--author", "x", "--text", "x"),
            "--record",
        ),
        (("correct", "--record", "1", "--reason", "", "--author", "x", "--text", "x"), "--reason"),
    ],
)
def test_a_statement_that_says_nothing_is_refused(hil, run, arguments, said):
    code, _, lines = hil(arguments[0], run, *arguments[1:])
    assert code == 11
    assert said in lines[0]
    assert not (run / annex.ANNEX).exists()


def test_nothing_is_stated_without_a_key_or_on_what_is_broken(hil, run, written, monkeypatch):
    told = ("--name", "Ada", "--meaning", "seen")
    code, _, lines = hil("sign", written, *told)
    assert (code, lines[0]) == (10, "hil: tagmanifest-sha256.txt: not sealed")
    bundle.put(run / bag.DECLARATION, b"x")
    code, _, lines = hil("sign", run, *told)
    assert code == 10
    assert "no signature was added" in lines[-1]
    monkeypatch.setenv(keys.KEY, "")
    code, _, lines = hil("sign", run, *told)
    assert code == 11
    assert "hil key new" in lines[0]
    assert not (run / annex.ANNEX).exists()


@pytest.mark.parametrize("changes", [{"record": 9999}, {"hash": "0" * 64}, {"record": None}])
def test_a_correction_of_a_record_that_is_not_there_is_a_problem(run, changes):
    first = read_journal(run).records[0]
    body = {"record": 0, "hash": first.hash, "reason": "r", "author": "a", "text": "t"}
    annex.add(run, annex.CORRECTION, body, signer=keys.find(), utc=bundle.now)
    assert verify(run, views_too=False).problems == ()
    annex.add(run, annex.CORRECTION, body | changes, signer=keys.find(), utc=bundle.now)
    (problem,) = verify(run, views_too=False).problems
    assert str(problem) == "annex.jsonl: record 2 corrects a record that is not there"


def test_a_torn_annex_is_named_and_not_gone_on_with(run, monkeypatch):
    bundle.state(run, keys.find())
    path = run / annex.ANNEX
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UsageError, match=r"ends within a record.*cut the last \d+ bytes"):
        annex.add(run, annex.SIGNATURE, {}, signer=keys.find(), utc=bundle.now)
    assert any("within a record" in problem.text for problem in verify(run).problems)


def test_a_full_disk_is_an_error_of_the_bench(run, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, content: real(handle, content[:20]))
    with pytest.raises(BenchError, match="in part"):
        annex.add(run, annex.SIGNATURE, {"name": "A"}, signer=keys.find(), utc=bundle.now)


# ---- without us


SHELLS = ("sh", "bash")
FILES, SIGNATURE, STATEMENT, CHAIN = range(4)
"""The recipes, in the order of the page."""


def _edit_and_list_anew(run: Path) -> None:
    """A figure in the middle of the journal changed, and the manifest told of the new file."""
    lines = (run / bundle.JOURNAL).read_bytes().splitlines(keepends=True)
    lines[len(lines) // 2] = lines[len(lines) // 2].replace(b'"utc":"2', b'"utc":"3')
    bundle.put(run / bundle.JOURNAL, b"".join(lines))
    digest = hashlib.sha256(b"".join(lines)).hexdigest()
    listed = (run / bag.MANIFEST).read_text()
    anew = re.sub(f".*  {bundle.JOURNAL}\n", f"{digest}  {bundle.JOURNAL}\n", listed)
    bundle.put(run / bag.MANIFEST, anew.encode())


def _swap(name: str, old: bytes, new: bytes):
    def change(run: Path) -> None:
        content = (run / name).read_bytes()
        assert old in content
        bundle.put(run / name, content.replace(old, new, 1))

    change.__name__ = f"{name} {old!r}"
    return change


def _gone(name: str):
    def change(run: Path) -> None:
        (run / name).unlink()

    change.__name__ = f"no {name}"
    return change


def _beside(run: Path) -> None:
    """A file more in data/, and a listed one replaced by a second line of another."""
    bundle.put(run / "data" / "more.txt", b"x")
    lines = (run / bag.MANIFEST).read_text().splitlines(keepends=True)
    bundle.put(run / bag.MANIFEST, "".join([*lines, lines[0]]).encode())


def _manifest_made_again(run: Path) -> None:
    """Manifests that agree with an added file, as who has no key would leave them."""
    bundle.put(run / "data" / "more.txt", b"x")
    listed = (
        run / bag.MANIFEST
    ).read_text() + f"{hashlib.sha256(b'x').hexdigest()}  data/more.txt\n"
    bundle.put(run / bag.MANIFEST, listed.encode())
    tags = bag.listing({name: bag.digest_of(run / name) for name in bag.TAGS})
    bundle.put(run / bag.TAG_MANIFEST, tags.encode())


def _nul_in_a_line(run: Path) -> None:
    """A byte that a shell reads over."""
    content = (run / bundle.JOURNAL).read_bytes()
    bundle.put(run / bundle.JOURNAL, content.replace(b'"kind"', b'"ki\0nd"', 1))


def _empty_journal(run: Path) -> None:
    bundle.put(run / bundle.JOURNAL, b"")


RECIPE_FINDS = {
    _edit_and_list_anew: {FILES, STATEMENT, CHAIN},
    _swap(bundle.JOURNAL, b'"n":7,', b'"n":8,'): {FILES, CHAIN},
    _swap(bag.MANIFEST, b"a", b"b"): {FILES, STATEMENT},
    _swap(bag.TAG_MANIFEST, b"  bagit.txt", b"  bagit.tx_"): {FILES, STATEMENT},
    _swap(dsse.ATTESTATION, b'"sig":"', b'"sig":"AAAA'): {SIGNATURE},
    _swap(dsse.ATTESTATION, b'"payload":"e', b'"payload":"f'): {SIGNATURE},
    _gone(bundle.JOURNAL): {FILES, STATEMENT, CHAIN},
    _gone(bag.MANIFEST): {FILES, STATEMENT},
    _gone(bag.TAG_MANIFEST): {FILES, STATEMENT},
    _gone(dsse.ATTESTATION): {SIGNATURE, STATEMENT},
    _gone(dsse.SIGNER): {SIGNATURE},
    _beside: {FILES, STATEMENT},
    _manifest_made_again: {STATEMENT},
    _nul_in_a_line: {FILES, CHAIN},
    _empty_journal: {FILES, STATEMENT, CHAIN},
    _link: {FILES},
}  # fmt: skip


@pytest.mark.needs_tool("openssl")
@pytest.mark.parametrize("shell", SHELLS)
def test_the_recipes_of_the_documentation_say_ok_of_a_good_run(run, shell):
    signer, head = keys.find().public.fingerprint, read_journal(run).records[-1].hash
    bundle.state(run, keys.find())
    said = [_pasted(recipe, run, shell) for recipe in _recipes()]
    assert [last.startswith("OK, ") for last in said] == [True] * 4
    assert said[SIGNATURE].endswith(signer)
    assert said[CHAIN].endswith(head)


@pytest.mark.needs_tool("openssl")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("change", RECIPE_FINDS, ids=lambda change: change.__name__)
def test_the_recipes_of_the_documentation_are_loud_on_a_tampered_run(run, change, shell):
    change(run)
    loud = {n for n, recipe in enumerate(_recipes()) if _pasted(recipe, run, shell) == "NOT OK"}
    assert loud >= RECIPE_FINDS[change]


def _recipes() -> list[str]:
    text = (ROOT / "docs" / "evidence.md").read_text("utf-8")
    recipes = re.findall(r"```sh\n# in the run folder\n(.*?)```", text, re.DOTALL)
    assert len(recipes) == 4
    return recipes


def _pasted(recipe: str, folder: Path, shell: str) -> str:
    """Run a recipe in a plain shell; its last line, or NOT OK: loud, with an exit code."""
    done = subprocess.run(
        [shell], input=recipe, cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    last = done.stdout.rstrip().rpartition("\n")[2]
    if last.startswith("OK, "):
        assert (done.returncode, "NOT OK" in done.stderr) == (0, False), done
        return last
    assert done.returncode != 0, done
    assert done.stderr.rstrip().rpartition("\n")[2].startswith("NOT OK: "), done
    return "NOT OK"
