"""Every kind of tampering that is tried: each takes a copy of a bundle and changes it somewhere."""

from __future__ import annotations

import base64
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from hil.journal import Chain, Record
from hil_reports.evidence import annex, bag, checkpoint, dsse, seal
from hil_reports.evidence.keys import Signer
from hil_reports.report import write_report
from tamper import bundle

ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group of ed25519: a lax verifier takes S + ORDER for S."""


class Attacker:
    """What a tampering has at hand: chance, another run of the same signer, a key of its own."""

    def __init__(self, seed: int, other: Path, key: Signer) -> None:
        self.random = random.Random(seed)
        self.other = other
        self.key = key

    def file(self, folder: Path, under: str = "") -> Path:
        """Any file that is not empty."""
        return self.random.choice([p for p in bundle.files(folder, under) if p.stat().st_size])


Kind = Callable[[Path, Attacker], None]
KINDS: dict[str, Kind] = {}
"""All kinds, by name."""
ON_VIEWS = {
    "bit of a report",
    "report of another run",
    "report edited and manifest made again",
    "report signed by another key",
    "report unsigned",
    "annex shortened by whole statements",
}
"""Kinds that show in report/ alone."""


def kind(function: Kind) -> Kind:
    """Register a kind under its name."""
    KINDS[function.__name__.replace("_", " ")] = function
    return function


def _flip(path: Path, attacker: Attacker) -> None:
    content = bytearray(path.read_bytes())
    content[attacker.random.randrange(len(content))] ^= 1 << attacker.random.randrange(8)
    bundle.put(path, bytes(content))


@kind
def bit_of_any_file(folder: Path, attacker: Attacker) -> None:
    _flip(attacker.file(folder), attacker)


@kind
def bit_of_the_journal(folder: Path, attacker: Attacker) -> None:
    _flip(folder / bundle.JOURNAL, attacker)


@kind
def bit_of_a_capture(folder: Path, attacker: Attacker) -> None:
    _flip(attacker.file(folder, "data/captures"), attacker)


@kind
def bit_of_a_block_and_manifests_made_again(folder: Path, attacker: Attacker) -> None:
    _flip(folder / "data/blocks.bin", attacker)
    bundle.remanifest(folder)


@kind
def bit_of_a_tag_file(folder: Path, attacker: Attacker) -> None:
    _flip(folder / attacker.random.choice(bundle.TAGS), attacker)


@kind
def bit_of_the_attestation(folder: Path, attacker: Attacker) -> None:
    _flip(folder / attacker.random.choice([dsse.ATTESTATION, dsse.SIGNER]), attacker)


@kind
def bit_of_the_annex(folder: Path, attacker: Attacker) -> None:
    _flip(folder / annex.ANNEX, attacker)


@kind
def bit_of_a_report(folder: Path, attacker: Attacker) -> None:
    _flip(attacker.file(folder, "report"), attacker)


def _cut(path: Path, attacker: Attacker) -> None:
    content = path.read_bytes()
    bundle.put(path, content[: attacker.random.randrange(len(content))])


@kind
def tail_cut_anywhere(folder: Path, attacker: Attacker) -> None:
    _cut(attacker.file(folder), attacker)


@kind
def tail_of_the_journal_cut(folder: Path, attacker: Attacker) -> None:
    _cut(folder / bundle.JOURNAL, attacker)


@kind
def last_records_cut_and_manifests_made_again(folder: Path, attacker: Attacker) -> None:
    lines = (folder / bundle.JOURNAL).read_bytes().splitlines(keepends=True)
    kept = attacker.random.randrange(2, len(lines))
    bundle.put(folder / bundle.JOURNAL, b"".join(lines[:kept]))
    bundle.remanifest(folder)


@kind
def tail_of_a_capture_cut(folder: Path, attacker: Attacker) -> None:
    _cut(attacker.file(folder, "data/captures"), attacker)


@kind
def tail_of_a_manifest_cut(folder: Path, attacker: Attacker) -> None:
    _cut(folder / attacker.random.choice([bag.MANIFEST, bag.TAG_MANIFEST]), attacker)


@kind
def two_files_swapped(folder: Path, attacker: Attacker) -> None:
    one, two = attacker.random.sample(bundle.files(folder, "data"), 2)
    first, second = one.read_bytes(), two.read_bytes()
    bundle.put(one, second)
    bundle.put(two, first)


@kind
def file_removed(folder: Path, attacker: Attacker) -> None:
    attacker.random.choice(bundle.files(folder)).unlink()


@kind
def file_added(folder: Path, attacker: Attacker) -> None:
    places = ["", "data", "data/captures", "data/config", "report", "report/allure-results", "new"]
    place = folder / attacker.random.choice(places)
    place.mkdir(exist_ok=True)
    name = attacker.random.choice(["extra.txt", ".hidden", "journal.jsonl~", "\n", "a b", "Data"])
    (place / name).write_bytes(attacker.random.randbytes(attacker.random.choice([0, 9])))


@kind
def file_renamed(folder: Path, attacker: Attacker) -> None:
    path = attacker.random.choice(bundle.files(folder))
    path.rename(path.with_name("x" + path.name))


@kind
def name_in_another_case(folder: Path, attacker: Attacker) -> None:
    path = attacker.random.choice(bundle.files(folder))
    path.rename(path.with_name(path.name.swapcase()))


@kind
def text_with_line_ends_of_another_kind(folder: Path, attacker: Attacker) -> None:
    texts = [path for path in bundle.files(folder) if b"\n" in path.read_bytes()]
    path = attacker.random.choice(texts)
    bundle.put(path, path.read_bytes().replace(b"\n", b"\r\n"))


@kind
def byte_appended(folder: Path, attacker: Attacker) -> None:
    path = attacker.random.choice(bundle.files(folder))
    bundle.put(path, path.read_bytes() + attacker.random.choice([b"\n", b" ", b"\0", b"\r"]))


@kind
def link_in_place_of_a_file(folder: Path, attacker: Attacker) -> None:
    path = attacker.random.choice(bundle.files(folder))
    aside = folder.with_name("aside")
    shutil.copy(path, aside)
    path.unlink()
    path.symlink_to(aside)


@kind
def link_in_place_of_a_folder(folder: Path, attacker: Attacker) -> None:
    path = folder / attacker.random.choice(["data", "data/captures", "data/config", "report"])
    aside = folder.with_name("aside")
    shutil.move(path, aside)
    path.symlink_to(aside)


@kind
def link_added(folder: Path, attacker: Attacker) -> None:
    place = folder / attacker.random.choice(["", "data", "report"])
    (place / "link").symlink_to("/etc/hostname")


@kind
def evidence_changed_and_manifests_made_again(folder: Path, attacker: Attacker) -> None:
    others = [p for p in bundle.files(folder, "data") if p != folder / bundle.JOURNAL]
    path = attacker.random.choice([p for p in others if p.stat().st_size])
    _flip(path, attacker)
    bundle.remanifest(folder)


@kind
def evidence_removed_and_manifests_made_again(folder: Path, attacker: Attacker) -> None:
    others = [p for p in bundle.files(folder, "data") if p != folder / bundle.JOURNAL]
    attacker.random.choice(others).unlink()
    bundle.remanifest(folder)


@kind
def evidence_added_and_manifests_made_again(folder: Path, attacker: Attacker) -> None:
    (folder / "data" / "extra.txt").write_bytes(attacker.random.randbytes(9))
    bundle.remanifest(folder)


@kind
def bag_info_edited_and_tag_manifest_made_again(folder: Path, attacker: Attacker) -> None:
    text = (folder / bag.INFO).read_text()
    line = attacker.random.choice(text.splitlines())
    key, _, value = line.partition(": ")
    bundle.put(folder / bag.INFO, text.replace(line, f"{key}: {value[:-1]}x").encode())
    bundle.retag(folder)


@kind
def bagit_version_edited_and_tag_manifest_made_again(folder: Path, attacker: Attacker) -> None:
    bundle.put(folder / bag.DECLARATION, bag.DECLARED.replace("1.0", "0.97").encode())
    bundle.retag(folder)


def _edit(attacker: Attacker) -> bundle.Edit:
    """A change of some records that a reader would take for the truth."""

    def reworded(record: Record) -> Record | None:
        return bundle.with_body(record, outcome="passed") if "outcome" in record.body else record

    def left_out(record: Record) -> Record | None:
        return None if record.kind == "judgement" and attacker.random.random() < 0.3 else record

    def renamed(record: Record) -> Record | None:
        return bundle.with_body(record, operator="Eve") if record.kind == "run" else record

    return attacker.random.choice([bundle.fail_to_pass, reworded, left_out, renamed])


@kind
def journal_edited_and_chained_again(folder: Path, attacker: Attacker) -> None:
    bundle.rechain(folder, bundle.fail_to_pass)


@kind
def journal_edited_chained_and_manifests_made_again(folder: Path, attacker: Attacker) -> None:
    bundle.rechain(folder, bundle.fail_to_pass)
    bundle.remanifest(folder)


@kind
def the_same_without_checkpoints(folder: Path, attacker: Attacker) -> None:
    bundle.rechain(folder, lambda r: None if r.kind == checkpoint.KIND else bundle.fail_to_pass(r))
    bundle.remanifest(folder)


@kind
def the_same_sealed_without_a_key(folder: Path, attacker: Attacker) -> None:
    bundle.strip(folder)
    bundle.rechain(folder, lambda r: None if r.kind == checkpoint.KIND else bundle.fail_to_pass(r))
    seal(folder)
    write_report(folder)


@kind
def whole_bundle_signed_again_with_another_key(folder: Path, attacker: Attacker) -> None:
    bundle.strip(folder)
    bundle.rechain(folder, _edit(attacker), attacker.key)
    seal(folder, attacker.key)
    bundle.state(folder, attacker.key)


@kind
def records_reordered_or_repeated(folder: Path, attacker: Attacker) -> None:
    lines = (folder / bundle.JOURNAL).read_bytes().splitlines(keepends=True)
    one = attacker.random.randrange(len(lines) - 1)
    if attacker.random.random() < 0.5:
        lines[one], lines[one + 1] = lines[one + 1], lines[one]
    else:
        lines.insert(one, lines[one])
    bundle.put(folder / bundle.JOURNAL, b"".join(lines))
    if attacker.random.random() < 0.5:
        _list_again(folder)


def _list_again(folder: Path) -> None:
    """Make the manifests again where the journal cannot be sealed any more."""
    data = bag.inventory(folder, "data").files
    bundle.put(folder / bag.MANIFEST, bag.listing(bag.digests(folder, data)).encode())
    bundle.retag(folder)


@kind
def capture_replaced_with_matching_hashes(folder: Path, attacker: Attacker) -> None:
    path = attacker.file(folder, "data/captures")
    old = bag.digest_of(path)
    changed = folder.with_name("changed.h5")
    shutil.copy(path, changed)
    with h5py.File(changed, "r+") as file:
        data = file["samples"]
        data[:] = np.asarray(data[:]) * 0
    bundle.put(path, changed.read_bytes())
    new = bag.digest_of(path)

    def cited(record: Record) -> Record:
        if record.kind != "record":
            return record
        stored = [
            {**one, "file_sha256": new} if one["file_sha256"] == old else one
            for one in record.body["captures"]
        ]
        return bundle.with_body(record, captures=stored)

    bundle.rechain(folder, cited)
    bundle.remanifest(folder)


@kind
def attestation_of_another_run(folder: Path, attacker: Attacker) -> None:
    bundle.put(folder / dsse.ATTESTATION, (attacker.other / dsse.ATTESTATION).read_bytes())


@kind
def annex_of_another_run(folder: Path, attacker: Attacker) -> None:
    bundle.put(folder / annex.ANNEX, (attacker.other / annex.ANNEX).read_bytes())


@kind
def report_of_another_run(folder: Path, attacker: Attacker) -> None:
    shutil.rmtree(folder / "report")
    bundle.copy(attacker.other / "report", folder / "report")


@kind
def evidence_of_another_run(folder: Path, attacker: Attacker) -> None:
    shutil.rmtree(folder / "data")
    bundle.copy(attacker.other / "data", folder / "data")


@kind
def tag_files_of_another_run(folder: Path, attacker: Attacker) -> None:
    for name in bundle.TAGS:
        bundle.put(folder / name, (attacker.other / name).read_bytes())


@kind
def attestation_removed(folder: Path, attacker: Attacker) -> None:
    for name in (dsse.ATTESTATION, dsse.SIGNER):
        (folder / name).unlink()


@kind
def attestation_removed_and_bag_info_edited(folder: Path, attacker: Attacker) -> None:
    attestation_removed(folder, attacker)
    bundle.remanifest(folder)


@kind
def attestation_signed_by_another_key(folder: Path, attacker: Attacker) -> None:
    payload = base64.b64decode(bundle.envelope(folder / dsse.ATTESTATION)["payload"])
    signed = dsse.sealed(payload, "application/vnd.in-toto+json", attacker.key)
    bundle.put(folder / dsse.ATTESTATION, signed)
    if attacker.random.random() < 0.5:
        bundle.put(folder / dsse.SIGNER, attacker.key.public.pem)


@kind
def attestation_reworded(folder: Path, attacker: Attacker) -> None:
    made = bundle.envelope(folder / dsse.ATTESTATION)
    statement = json.loads(base64.b64decode(made["payload"]))
    statement["predicate"]["result"] = "PASSED"
    text = json.dumps(statement, sort_keys=True, separators=(",", ":"))
    made["payload"] = base64.b64encode(text.encode()).decode()
    _write_envelope(folder, made)


@kind
def attestation_in_another_form(folder: Path, attacker: Attacker) -> None:
    made = bundle.envelope(folder / dsse.ATTESTATION)
    choice = attacker.random.randrange(4)
    if choice == 0:
        made["signatures"].append(made["signatures"][0])
    elif choice == 1:
        made["note"] = "harmless"
    elif choice == 2:
        made["signatures"][0]["note"] = "harmless"
    content = json.dumps(made, sort_keys=True, indent=1 if choice == 3 else None)
    bundle.put(folder / dsse.ATTESTATION, content.encode() + b"\n")


@kind
def signature_in_another_form(folder: Path, attacker: Attacker) -> None:
    made = bundle.envelope(folder / dsse.ATTESTATION)
    text = made["signatures"][0]["sig"]
    raw = base64.b64decode(text)
    scalar = int.from_bytes(raw[32:], "little") + ORDER
    other = base64.b64encode(raw[:32] + scalar.to_bytes(32, "little")).decode()
    spare = text[:-3] + chr(ord(text[-3]) + 1) + "=="  # sets a bit that decoding drops
    made["signatures"][0]["sig"] = attacker.random.choice([other, spare])
    _write_envelope(folder, made)


@kind
def signer_replaced(folder: Path, attacker: Attacker) -> None:
    bundle.put(folder / dsse.SIGNER, attacker.key.public.pem)


def _write_envelope(folder: Path, made: dict[str, object]) -> None:
    content = json.dumps(made, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    bundle.put(folder / dsse.ATTESTATION, content)


def _annex(folder: Path) -> list[bytes]:
    return (folder / annex.ANNEX).read_bytes().splitlines(keepends=True)


@kind
def annex_edited(folder: Path, attacker: Attacker) -> None:
    content = (folder / annex.ANNEX).read_bytes()
    bundle.put(folder / annex.ANNEX, content.replace(b"Ada Example", b"Eve Example"))


@kind
def annex_edited_and_chained_again(folder: Path, attacker: Attacker) -> None:
    chain = Chain(bag.digest_of(folder / bag.TAG_MANIFEST))
    lines = []
    for line in _annex(folder):
        made = json.loads(line.replace(b"reviewed", b"approved"))
        utc = bundle.now()
        record = chain.append(made["kind"], made["body"], utc=utc, bench=None)
        lines.append(f"{record.line}\n".encode())
    bundle.rewrite_annex(folder, lines)


@kind
def annex_without_its_first_statement(folder: Path, attacker: Attacker) -> None:
    bundle.rewrite_annex(folder, _annex(folder)[2:])


@kind
def annex_in_another_order(folder: Path, attacker: Attacker) -> None:
    lines = _annex(folder)
    bundle.rewrite_annex(folder, lines[2:] + lines[:2])


@kind
def annex_with_a_statement_that_nobody_signed(folder: Path, attacker: Attacker) -> None:
    lines = _annex(folder)
    chain = Chain(json.loads(lines[-1])["hash"], len(lines))
    body = {"name": "Eve", "meaning": "approved"}
    record = chain.append(annex.SIGNATURE, body, utc=bundle.now(), bench=None)
    bundle.rewrite_annex(folder, [*lines, f"{record.line}\n".encode()])


@kind
def annex_with_a_statement_of_another_key(folder: Path, attacker: Attacker) -> None:
    lines = _annex(folder)
    bundle.rewrite_annex(folder, lines)
    body = {"name": "Eve", "meaning": "approved"}
    annex.add(folder, annex.SIGNATURE, body, signer=attacker.key, utc=bundle.now)


@kind
def annex_shortened_by_whole_statements(folder: Path, attacker: Attacker) -> None:
    """Found as long as the signed report, which names the annex's head, is there."""
    lines = _annex(folder)[: attacker.random.choice([0, 2])]
    if lines:
        bundle.rewrite_annex(folder, lines)
    else:
        (folder / annex.ANNEX).unlink()


@kind
def report_edited_and_manifest_made_again(folder: Path, attacker: Attacker) -> None:
    path = folder / "report" / attacker.random.choice(["index.html", "junit.xml", "summary.json"])
    bundle.put(path, path.read_bytes().replace(b"PASS", b"FAIL", 1))
    _list_report(folder)


@kind
def report_signed_by_another_key(folder: Path, attacker: Attacker) -> None:
    write_report(folder, attacker.key)


@kind
def report_unsigned(folder: Path, attacker: Attacker) -> None:
    write_report(folder)


def _list_report(folder: Path) -> None:
    report = folder / "report"
    ours = {bag.MANIFEST, dsse.ATTESTATION, dsse.SIGNER}
    sizes = {n: size for n, size in bag.inventory(report).files.items() if n not in ours}
    bundle.put(report / bag.MANIFEST, bag.listing(bag.digests(report, sizes)).encode())
