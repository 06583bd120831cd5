"""Folders that somebody else filled: whatever lies in them, a reader ends soon with one line."""

from __future__ import annotations

import hashlib
import io
import os
import re
import resource
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import h5py
import numpy as np
import pytest

from hil import form
from hil.errors import UsageError
from hil_fixtures import rejudging
from hil_reports.evidence import (
    annex,
    bag,
    captures,
    cited_captures,
    dsse,
    foreign,
    keys,
    read_journal,
    verify,
)
from hil_reports.evidence.deep import deep_problems
from hil_reports.evidence.index import INDEX, opened
from hil_reports.evidence.register import AS_REGISTERED, REGISTER, Register
from hil_reports.report import write_report
from tamper import bundle

HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]
PATIENCE = 60
"""Seconds after which a command hangs, on a machine that has much else to do."""
MEMORY = 3 * foreign.GIB // 2
"""Bytes of address space for a command: its libraries alone map some 700 MB."""
SPARSE = foreign.GIB


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """A real run, signed; its key lies beside it."""
    room = tmp_path_factory.mktemp("real")
    keys.create(room / "key.pem")
    return bundle.make(room / "runs", str(room / "key.pem"))


@pytest.fixture
def run(real, tmp_path, monkeypatch) -> Path:
    """A copy of it in a folder of its own, and its key at hand."""
    monkeypatch.setenv(keys.KEY, str(real.parents[1] / "key.pem"))
    return bundle.copy(real, tmp_path / "runs" / real.name)


def _frugal() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def hil(*arguments: object) -> tuple[int, str, str]:
    """Run the command line in a process with little memory: exit code, output, errors."""
    done = subprocess.run(
        [*HIL, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=_frugal,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def sparse(path: Path, size: int = SPARSE) -> None:
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def newlines(path: Path) -> None:
    bundle.put(path, b"\n" * (200 * foreign.MIB))


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


MANIFEST, INFO = bag.MANIFEST, bag.INFO
FILES = (
    bundle.JOURNAL,
    "data/transcript.txt",
    MANIFEST,
    bag.TAG_MANIFEST,
    INFO,
    bag.DECLARATION,
    dsse.ATTESTATION,
    dsse.SIGNER,
    annex.ANNEX,
    "attestation.tsr",
    f"report/{MANIFEST}",
    f"report/{dsse.ATTESTATION}",
    f"report/{dsse.SIGNER}",
    "report/summary.json",
)


# ---- the opener


@pytest.mark.parametrize("make", [pipe, device, folder])
def test_what_is_no_plain_file_is_never_opened(tmp_path, make):
    make(tmp_path / "x")
    with pytest.raises(UsageError, match="is a link, or no file"):
        foreign.content_of(tmp_path / "x", 100)
    assert not foreign.is_plain(tmp_path / "x")


def test_a_file_that_turns_into_a_pipe_is_not_read(tmp_path, monkeypatch):
    """Between the look and the opening: what was opened is looked at once more."""
    (tmp_path / "x").write_bytes(b"x")
    plain = (tmp_path / "x").lstat()
    pipe(tmp_path / "x")
    monkeypatch.setattr(Path, "lstat", lambda path: plain)
    with pytest.raises(UsageError, match="is a link, or no file"):
        foreign.content_of(tmp_path / "x", 100)


def test_a_file_is_read_up_to_what_its_role_can_hold(tmp_path):
    (tmp_path / "x").write_bytes(b"12345")
    assert foreign.content_of(tmp_path / "x", 5) == b"12345"
    assert foreign.digest_of(tmp_path / "x", 5) == hashlib.sha256(b"12345").hexdigest()
    for read in (foreign.content_of, foreign.digest_of):
        with pytest.raises(UsageError, match="holds 5 bytes; at most 4"):
            read(tmp_path / "x", 4)


@pytest.mark.parametrize("name", ["none", "none/x", "x\0"])
def test_a_file_that_is_not_there_is_absent(tmp_path, name):
    with pytest.raises(foreign.Absent):
        foreign.content_of(tmp_path / name, 1)


def test_a_line_that_no_writer_makes_ends_the_reading(tmp_path, monkeypatch):
    monkeypatch.setattr(foreign, "LINE", 4)
    (tmp_path / "x").write_bytes(b"abc\nab\nabcdefgh\n")
    with foreign.opened(tmp_path / "x", 100) as (file, _):
        lines = iter(foreign.Lines(file, "x"))
        assert [next(lines), next(lines)] == [b"abc\n", b"ab\n"]
        with pytest.raises(UsageError, match="more than 4 bytes"):
            next(lines)


# ---- verification


@pytest.mark.parametrize("make", [pipe, device, folder])
@pytest.mark.parametrize("name", FILES)
def test_a_strange_file_under_a_name_of_ours_is_a_problem(run, name, make):
    make(run / name)
    assert any(problem.file == name for problem in verify(run).problems)


@pytest.mark.parametrize(
    "name",
    [bundle.JOURNAL, MANIFEST, INFO, dsse.ATTESTATION, f"report/{MANIFEST}", "report/summary.json"],
)
def test_a_file_of_a_gigabyte_is_a_problem_found_in_little_memory(run, name):
    sparse(run / name)
    code, out, said = hil("verify", run)
    assert (code, out.splitlines()[-1]) == (10, "NOT INTACT")
    assert name in said


@pytest.mark.parametrize("make", [pipe, device, folder, sparse])
def test_a_run_whose_files_are_all_strange_is_not_intact(run, make):
    names = [name for name in FILES if not name.startswith("report/")]
    for name in names:
        make(run / name)
    code, _, said = hil("verify", run, "--deep")
    assert code == 10
    beside = [name for name in names if not name.startswith("data/")]
    assert [name for name in beside if name not in said] == []


@pytest.mark.parametrize("name", [MANIFEST, INFO, bundle.JOURNAL, f"report/{MANIFEST}"])
def test_two_hundred_megabytes_of_line_ends_are_a_problem(run, name):
    newlines(run / name)
    code, _, said = hil("verify", run)
    assert code == 10
    assert name in said


def test_folders_within_folders_are_a_problem(run):
    here = run / "data"
    for _ in range(400):
        here /= "d"
    os.makedirs(here)
    (here / "x").write_bytes(b"x")
    problems = [str(problem) for problem in verify(run).problems]
    assert problems == [f"data/{'/'.join('d' * 16)}: is a link, or no file"]


def test_a_folder_that_nobody_may_enter_is_a_problem(run, monkeypatch):
    (run / "data" / "shut").mkdir()
    real = os.scandir

    def scandir(path):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert [str(p) for p in verify(run).problems] == ["data/shut: is a link, or no file"]


def _rechained(run: Path, edit) -> None:
    """Edit records, chain them again and seal, as the holder of the key can."""
    signer = keys.find()
    bundle.strip(run)
    bundle.rechain(run, edit, signer)
    bundle.remanifest(run)


def _edit(kind: str, **changes):
    def edit(record):
        return bundle.with_body(record, **changes) if record.kind == kind else record

    return edit


@pytest.mark.parametrize("length", [10**12, 10**20, -1, 1.5, True, "12", None, [1]])
def test_a_barrier_of_any_length_is_a_problem(run, length):
    _rechained(run, _edit("barrier", bytes=length))
    code, _, said = hil("verify", run)
    assert code == 10
    assert "barrier has not the form" in said or "data/transcript.txt: its first" in said


def test_a_sentinel_record_without_its_file_is_a_problem(run):
    def edit(record):
        if record.kind != "end":
            return record
        body = {
            "file": "sentinel.jsonl", "sha256": "0" * 64, "records": 0, "head": "0" * 64,
            "ended": True, "broken": "", "trips": [],
        }  # fmt: skip
        return bundle.of_kind(record, "sentinel", body)

    _rechained(run, edit)
    assert any("data/sentinel.jsonl: is missing" in str(p) for p in verify(run).problems)


FORGED = [
    ("test_end", {"seconds": "x"}, "seconds: 'x' is no float"),
    ("register", {"earlier": 5}, "earlier: 5 is no list"),
    ("judgement", {"lower": ["1"]}, "lower: ['1'] is no str"),
    ("run", {"operator": ["a"]}, "operator: ['a'] is no str"),
    ("run", {"faults": 5}, "faults: 5 is no list"),
    ("run", {"seed": True}, "seed: True is no int"),
    (
        "run",
        {"register": {"number": 2**63, "entry": "", "previous": None}},
        "register: number: it is too large",
    ),
    (
        "record",
        {"captures": [{"channel": "current", "sha256": 5}]},
        "captures: sha256: 5 is no str",
    ),
]


@pytest.mark.parametrize(("kind", "changes", "said"), FORGED)
def test_a_body_of_another_form_is_named_by_all_who_read_it(run, kind, changes, said):
    bundle.strip(run)
    bundle.rechain(run, _edit(kind, **changes), keys.find())
    named = kind in {"test_end", "register", "judgement", "record"} or "faults" in changes
    with pytest.raises(UsageError, match=re.escape(said)) if named else nullcontext():
        write_report(run)  # it prints some bodies as they are, and trips over the others
    with pytest.raises(UsageError, match=re.escape(said)):
        rejudging.replay(run)
    assert any(said in problem.text for problem in deep_problems(run, ""))
    with opened(run.parent) as index:
        index.refresh()
        (row,) = index.runs()
    assert said in row.damage


def test_every_record_of_a_run_has_the_form_of_its_kind(run):
    records = read_journal(run).records
    form.check(records)
    assert len({record.kind for record in records} & form.KINDS.keys()) > 10


# ---- captures


def _image(**dataset) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("samples", **dataset)
    return buffer.getvalue()


def _elsewhere(link) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["samples"] = link
    return buffer.getvalue()


COUNT = 1000
BOMBS = {
    "more samples": (_image(shape=(4 * 10**8,), dtype="f8", chunks=(1000,)), "shape"),
    "none stored": (_image(shape=(COUNT,), dtype="f8", chunks=(COUNT,)), "whole chunks"),
    "not in chunks": (_image(data=np.zeros(COUNT)), "whole chunks"),
    "two rows": (_image(data=np.zeros((1, COUNT))), "shape"),
    "text": (_image(data=np.array([b"x" * 1000] * COUNT)), "allowed"),
    "complex": (_image(data=np.zeros(COUNT, "c16"), chunks=(COUNT,)), "allowed"),
    "a link to a file": (_elsewhere(h5py.ExternalLink("/etc/passwd", "samples")), "elsewhere"),
    "a link": (_elsewhere(h5py.SoftLink("/samples")), "elsewhere"),
    "nothing": (_image(shape=(0,), dtype="f8"), "shape"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_capture_that_is_not_as_we_write_it_is_not_unpacked(tmp_path, name):
    image, said = BOMBS[name]
    path = captures.path_of(tmp_path, "a" * 64)
    path.parent.mkdir()
    path.write_bytes(image)
    digest = hashlib.sha256(image).hexdigest()
    with pytest.raises(UsageError, match=said):
        captures.load(tmp_path, {"sha256": "a" * 64, "file_sha256": digest, "count": COUNT})


def test_more_samples_than_can_be_read_are_refused_whatever_was_recorded(tmp_path):
    count = captures.MOST + 1
    image = _image(shape=(count,), dtype="f8", chunks=(1000,))
    path = captures.path_of(tmp_path, "a" * 64)
    path.parent.mkdir()
    path.write_bytes(image)
    digest = hashlib.sha256(image).hexdigest()
    with pytest.raises(UsageError, match="at most"):
        captures.load(tmp_path, {"sha256": "a" * 64, "file_sha256": digest, "count": count})


def test_a_bomb_that_a_signer_made_is_found_in_little_memory(run):
    """A capture of 3 GB in some kilobytes, cited and sealed by who holds the key."""
    cited = next(iter(cited_captures(read_journal(run).records).values()))
    image = _image(shape=(4 * 10**8,), dtype="f8", chunks=(1 << 14,), compression="gzip")
    path = captures.path_of(run / "data", cited["sha256"])
    digest = hashlib.sha256(image).hexdigest()

    def edit(record):
        if record.kind != "record":
            return record
        changed = [
            {**one, "file_sha256": digest} if one["sha256"] == cited["sha256"] else one
            for one in record.body["captures"]
        ]
        return bundle.with_body(record, captures=changed)

    bundle.put(path, image)
    _rechained(run, edit)
    code, _, said = hil("verify", run, "--deep")
    assert code == 10
    assert "its shape is (400000000,)" in said


# ---- the runs beside each other: history, register


@pytest.fixture
def beside(run) -> Path:
    """A second run folder beside the first; its files may be anything."""
    return bundle.copy(run, run.with_name("other"))


@pytest.mark.parametrize("make", [pipe, device, folder, sparse])
@pytest.mark.parametrize("name", [bundle.JOURNAL, MANIFEST])
def test_history_lists_a_strange_bundle_as_damaged_and_goes_on(run, beside, name, make):
    make(beside / name)
    code, out, said = hil("history", "--out", run.parent)
    assert (code, said) == (0, "")
    lines = out.splitlines()
    assert any("other" in line and "DAMAGED" in line for line in lines)
    assert any(run.name in line and "DAMAGED" not in line for line in lines)


@pytest.mark.parametrize("make", [pipe, device, folder])
@pytest.mark.parametrize("name", [INDEX, REGISTER])
def test_an_index_or_a_register_that_is_no_file_is_refused_in_one_line(run, name, make):
    make(run.parent / name)
    code, _, said = hil("history", "--out", run.parent)
    assert code == 11
    assert len(said.splitlines()) == 1
    assert name in said


def test_a_folder_whose_name_is_no_text_is_listed(run, beside):
    beside.rename(os.fsdecode(os.fsencode(run.parent) + b"/bad-\xff"))
    code, out, said = hil("history", "--out", run.parent)
    assert (code, said) == (0, "")
    assert out.count(run.name) == 2


@pytest.mark.parametrize("make", [pipe, device, folder])
@pytest.mark.parametrize("name", [bundle.JOURNAL, MANIFEST, bag.TAG_MANIFEST, INFO])
def test_a_run_begins_whatever_lies_in_the_folder_of_an_earlier_one(
    real, tmp_path, monkeypatch, name, make
):
    """It held the register's lock before, and waited for a pipe that nobody writes to."""
    monkeypatch.setenv("STIMPROOF_STATE", str(tmp_path / "state"))
    out = tmp_path / "out"
    earlier = bundle.copy(real, out / real.name)
    bundle.put(out / REGISTER, (real.parent / REGISTER).read_bytes())
    make(earlier / name)
    register = Register(out, bundle.now)
    (opened, *_) = register.entries()
    about = {key: value for key, value in opened.body.items() if key != "number"}
    opening = register.open({**about, "run_id": "next"})
    (row,) = opening.body["earlier"]
    touched = name in {bundle.JOURNAL, MANIFEST}
    assert (row["state"] != AS_REGISTERED) is touched


@pytest.mark.parametrize("make", [pipe, device, folder])
@pytest.mark.parametrize("command", ["replay", "report", "seal", "correct"])
def test_a_command_on_a_strange_journal_ends_in_lines(run, command, make):
    make(run / bundle.JOURNAL)
    told = ["--record", 1, "--reason", "r", "--author", "a", "--text", "t"]
    code, _, said = hil(command, run, *(told if command == "correct" else ()))
    assert code in {10, 11}
    assert bundle.JOURNAL in said


def test_a_signature_is_not_written_into_a_folder(run):
    folder(run / annex.ANNEX)
    code, _, said = hil("sign", run, "--name", "Ada", "--meaning", "seen")
    assert code == 10
    assert f"{annex.ANNEX}: is a folder" in said


def test_a_verification_says_which_run_it_is_and_what_came_out(run):
    _, out, _ = hil("verify", run)
    first, second = out.splitlines()[:2]
    assert (
        first == f"run {run.name}, number 1 of its register: COMPLETE, attested WARNED, SIMULATED"
    )
    assert "renamed" not in second
    copied = run.rename(run.with_name("other"))
    _, out, _ = hil("verify", copied)
    assert out.splitlines()[:2] == [first, "the folder is called other: it was renamed or copied"]


def test_a_home_that_cannot_be_entered_is_one_line(tmp_path, monkeypatch):
    def shut(path, **_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", shut)
    with pytest.raises(UsageError, match="cannot be looked into for a key: Permission denied"):
        keys.find({"XDG_CONFIG_HOME": str(tmp_path)})


def test_a_user_whom_the_system_does_not_know_is_one_line(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(UsageError, match="set HOME or STIMPROOF_KEY"):
        keys.find({})


@pytest.mark.parametrize("name", sorted(bag.DROPPINGS))
def test_what_a_file_manager_leaves_is_a_remark_beside_the_evidence_and_a_problem_in_it(run, name):
    (run / name).write_bytes(b"x")
    found = verify(run)
    assert found.problems == ()
    assert found.remarks == (f"{name}: left by a file manager; it is no evidence",)
    (run / "data" / name).write_bytes(b"x")
    assert [p.file for p in verify(run).problems] == [f"data/{name}", bag.INFO]
