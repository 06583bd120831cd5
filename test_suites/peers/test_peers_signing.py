"""The extra `sign`: a time stamp under its authority, and a signature within the report."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from hil.errors import UsageError
from hil_fixtures import cli
from hil_reports import pades
from hil_reports.evidence import Evidence, annex, bag, dsse, keys, seal, timestamp, verify
from hil_reports.evidence.register import Register
from hil_reports.evidence.timestamp import Authority
from hil_reports.report import write_report

AUTHORITY = """
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj '/CN=Test CA'
openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj '/CN=Test TSA'
printf 'extendedKeyUsage=critical,timeStamping\\n' > extensions
openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -set_serial 7 -days 2 -out tsa.pem \\
    -extfile extensions
printf '%s\\n' '[tsa]' 'default_tsa=here' '[here]' 'serial=serial' 'signer_cert=tsa.pem' \\
    'signer_key=tsa.key' 'signer_digest=sha256' 'default_policy=1.2.3.4' 'digests=sha256' \\
    'ess_cert_id_alg=sha256' > tsa.cnf
echo 01 > serial
"""
SECRET = "correct horse"


def clock():
    begin, steps = datetime(2026, 3, 1, tzinfo=UTC), count()
    return lambda: begin + timedelta(seconds=next(steps))


def shell(line, folder):
    done = subprocess.run(["bash", "-ec", line], cwd=folder, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    folder = tmp_path_factory.mktemp("authority")
    shell(AUTHORITY, folder)
    return folder


def stamped_by(folder, query):
    (folder / "query").write_bytes(query)
    shell("openssl ts -reply -config tsa.cnf -queryfile query -out answer", folder)
    return (folder / "answer").read_bytes()


@pytest.fixture
def signer(tmp_path, monkeypatch):
    monkeypatch.setenv(keys.KEY, str(tmp_path / "key.pem"))
    return keys.create(tmp_path / "key.pem")


@pytest.fixture
def run(tmp_path, signer):
    """A simulated run that judged nothing: registered, sealed and with its reports."""
    utc = clock()
    out = tmp_path / "runs"
    about = {"bench": "b", "manufacturer": "m", "model": "d", "operator": "A. Tester"}
    about |= {"run_id": "run", "expected": "SIMULATED"}
    opening = Register(out, utc).open(about)
    with Evidence.create(out / "run", utc) as evidence:
        device = evidence.document("device.toml", "a = 1\n")
        bench = evidence.document("bench.toml", "b = 1\n")
        body = dict.fromkeys(
            ("version", "partial", "required", "depth", "platform", "expected_reason", "lease"),
            "",
        )
        body |= {
            "run_id": "run",
            "operator": "A. Tester",
            "expected": "SIMULATED",
            "seed": 1,
            "real": False,
        }
        body |= {"faults": [], "firmware": None, "suites": [], "pytest_args": [], "schema": 2}
        body |= {"software": {"packages": {}, "sha256": "0" * 64}, "python": "3"}
        evidence.append("run", body | {"register": opening.entry})
        names = ("manufacturer", "model", "device_class", "bench_name")
        body = dict.fromkeys(names, "x") | {"requirements": [], "figures": [], "wiring": {}}
        evidence.append("plan", body | {"device": device, "bench": bench, "catalogues": []})
        evidence.append("register", opening.body)
        evidence.append("end", {"pytest_exit": 0, "seconds": 1.0})
    seal(out / "run", signer)
    write_report(out / "run", signer)
    assert verify(out / "run", {signer.public.fingerprint}).problems == ()
    return out / "run"


@pytest.fixture
def hil(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hil", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err.splitlines()

    return call


# ---- the time stamp


@pytest.fixture
def stamped(run, authority):
    """The run with a token, as from another machine that has a network."""
    digest = bytes.fromhex(bag.digest_of(run / dsse.ATTESTATION))
    (run / timestamp.ANSWER).write_bytes(stamped_by(authority, timestamp.request(digest)))
    return run


def test_the_time_is_green_under_its_authority_alone(hil, stamped, authority, signer):
    pinned = ("verify", stamped, "--signer", signer.public.fingerprint)
    code, said, lines = hil(*pinned, "--tsa-ca", authority / "ca.pem")
    assert (code, lines) == (0, [])
    assert "UTC, by an authority that you trust" in said
    code, said, _ = hil(*pinned)
    assert code == 0
    assert "UTC, by an unknown authority (--tsa-ca)" in said


def test_another_authority_is_a_problem(hil, stamped, signer, tmp_path):
    (tmp_path / "other").mkdir()
    shell(AUTHORITY, tmp_path / "other")
    line = ("verify", stamped, "--signer", signer.public.fingerprint, "--tsa-ca")
    code, _, lines = hil(*line, tmp_path / "other" / "ca.pem")
    assert (code, len(lines)) == (10, 1)
    assert lines[0].startswith("hil: attestation.tsr: the token is not one of")


def test_a_stamp_that_was_taken_away_is_missed_under_an_authority(hil, run, authority):
    code, _, lines = hil("verify", run, "--tsa-ca", authority / "ca.pem")
    assert code == 10
    assert "hil: attestation.tsr: is missing: there is no time stamp" in lines


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_without_certificates_is_usage(hil, run, tmp_path, content):
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    code, _, lines = hil("verify", run, "--tsa-ca", tmp_path / "ca.pem")
    assert (code, len(lines)) == (11, 1)
    assert "--tsa-ca" in lines[0]


def test_a_changed_token_never_says_something_else(authority):
    """Some bits are under no signature, as version numbers; they change nothing that it says."""
    trusted, about = Authority.read(authority / "ca.pem"), bytes(range(32))
    answer = stamped_by(authority, timestamp.request(about))
    good = timestamp.read(answer, about, trusted)
    kept = 0
    for n in range(8 * len(answer)):
        changed = bytearray(answer)
        changed[n // 8] ^= 1 << n % 8
        try:
            found = timestamp.read(bytes(changed), about, trusted)
        except UsageError:
            continue
        assert found == good
        kept += 1
    assert kept < len(answer) * 8 / 100


# ---- the signature in the report


def certificate(key, begin, end):
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Ada Exämple"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "The Lab"),
        ]
    )
    usage = x509.KeyUsage(True, True, False, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(77)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


KINDS = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "ec": lambda: ec.generate_private_key(ec.SECP256R1()),
}


@pytest.fixture
def ada(tmp_path, monkeypatch):
    """Make Ada's key and certificate; returns the file."""
    monkeypatch.setenv(pades.PASSPHRASE, SECRET)
    now = datetime.now(UTC)

    def make(kind="ec", begin=-1, end=2):
        key = KINDS[kind]()
        made = certificate(key, now + timedelta(days=begin), now + timedelta(days=end))
        lock = BestAvailableEncryption(SECRET.encode())
        path = tmp_path / "ada.p12"
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"ada", key, made, None, lock))
        (tmp_path / "ada.pem").write_bytes(made.public_bytes(Encoding.PEM))
        return path

    return make


SAID = ("--name", "Ada Exämple", "--meaning", "approved, all of it")


def signed_pdf(run):
    (path,) = (run / annex.DOCUMENTS).iterdir()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_signed_copy_of_the_report_stands_in_the_annex(hil, run, signer, ada, kind, tmp_path):
    before = (run / "report" / "compliance.pdf").read_bytes()
    code, said, lines = hil("sign", run, *SAID, "--p12", ada(kind))
    assert (code, lines) == (0, [])
    path = signed_pdf(run)
    content = path.read_bytes()
    assert content.startswith(before)
    (entry,) = annex.read_annex(run).entries
    assert entry.document == (f"signed/{path.name}", bag.digest_of(path))
    assert entry.document[1] in (run / "report" / "index.html").read_text("utf-8")
    code, said, lines = hil("verify", run, "--signer", signer.public.fingerprint)
    assert (code, lines) == (0, [])
    assert f"signed/{path.name}: signed by Organization: The Lab, Common Name: Ada Exämple" in said

    (found,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    (root,) = x509.load_pem_x509_certificates((tmp_path / "ada.pem").read_bytes())
    trusted = ValidationContext(trust_roots=[_asn1(root)])
    status = validate_pdf_signature(found, trusted)
    assert status.bottom_line
    assert found.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    assert found.sig_object["/Reason"] == "approved, all of it"


def _asn1(made):
    from asn1crypto.x509 import Certificate

    return Certificate.load(made.public_bytes(Encoding.DER))


@pytest.mark.skipif(not shutil.which("pdfsig"), reason="pdfsig is not installed")
def test_pdfsig_takes_it_and_sees_a_changed_bit(hil, run, ada):
    assert hil("sign", run, *SAID, "--p12", ada())[0] == 0
    path = signed_pdf(run)
    shown = shell(f"pdfsig {path}", run).decode()
    assert "Signature is Valid" in shown
    assert "Total document signed" in shown
    assert "Signer Certificate Common Name: Ada Exämple" in shown
    content = bytearray(path.read_bytes())
    at = content.index(b"Libertinus")
    content[at] ^= 1
    path.write_bytes(content)
    done = subprocess.run(["pdfsig", str(path)], capture_output=True, text=True, timeout=60)
    assert "Signature is Valid" not in done.stdout


def test_a_changed_bit_is_found_by_the_annex_and_by_the_signature(hil, run, ada, signer):
    assert hil("sign", run, *SAID, "--p12", ada())[0] == 0
    path = signed_pdf(run)
    content = path.read_bytes()
    for at in range(0, len(content), len(content) // 97):
        changed = bytearray(content)
        changed[at] ^= 1
        path.write_bytes(changed)
        problems = [str(one) for one in verify(run, {signer.public.fingerprint}).problems]
        assert problems == [f"signed/{path.name}: is not what was signed; a signature names it"]
        begin, skipped, *_ = _ranges(content)
        if at < skipped or at >= begin:
            with pytest.raises(UsageError):
                pades.signer_of(bytes(changed))
    path.unlink()
    assert hil("verify", run)[2] == [f"hil: signed/{path.name}: is missing; a signature names it"]


def _ranges(content):
    """Begin of the second signed range, and end of the first: between them lies the signature."""
    (found,) = PdfFileReader(io.BytesIO(content)).embedded_signatures
    _, size, begin, _ = map(int, found.byte_range)
    return begin, size


def test_a_file_that_no_signature_names_is_a_problem(hil, run, signer):
    (run / "signed").mkdir()
    (run / "signed" / "compliance.pdf").write_bytes(b"%PDF")
    problems = [str(one) for one in verify(run, {signer.public.fingerprint}).problems]
    assert problems == ["signed/compliance.pdf: is named by no signature"]


def test_what_the_signature_shows_can_be_pdf_a(hil, run, ada):
    """What can be seen without a PDF/A checker: no font outside the file, the widget prints."""
    assert hil("sign", run, *SAID, "--p12", ada())[0] == 0
    reader = PdfFileReader(io.BytesIO(signed_pdf(run).read_bytes()))
    (found,) = reader.embedded_signatures
    widget = found.sig_field
    assert int(widget["/F"]) & 0b111 == 0b100  # printed, not hidden
    fonts = list(_fonts(widget["/AP"]["/N"]["/Resources"]))
    assert fonts
    for font in fonts:
        below = font["/DescendantFonts"][0]
        assert {"/FontFile2", "/FontFile3"} & set(below["/FontDescriptor"])
    assert "/Encrypt" not in reader.trailer
    assert b"pdfaid:part" in reader.root["/Metadata"].data
    assert "/NeedAppearances" not in reader.root["/AcroForm"]


def _fonts(resources):
    if "/Font" in resources:
        yield from (font.get_object() for font in resources["/Font"].values())
    for form in resources["/XObject"].values() if "/XObject" in resources else ():
        yield from _fonts(form.get_object()["/Resources"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"begin": -9, "end": -2}, "its certificate holds from"),
        ({"begin": 1, "end": 2}, "its certificate holds from"),
        ({"secret": "wrong"}, "does not hold its passphrase"),
        ({"secret": ""}, "does not hold its passphrase"),
        ({"content": b"no file"}, "is no PKCS #12 file"),
    ],
)
def test_a_key_that_cannot_sign_leaves_nothing(hil, run, ada, monkeypatch, change, said):
    path = ada(**{name: days for name, days in change.items() if name in {"begin", "end"}})
    monkeypatch.setenv(pades.PASSPHRASE, change.get("secret", SECRET))
    path.write_bytes(change.get("content", path.read_bytes()))
    code, _, lines = hil("sign", run, *SAID, "--p12", path)
    assert (code, len(lines)) == (11, 1)
    assert said in lines[0]
    assert not (run / annex.DOCUMENTS).exists()
    assert not (run / annex.ANNEX).exists()


def test_a_signed_document_outlives_a_new_report_and_a_second_signature(hil, run, ada, signer):
    assert hil("sign", run, *SAID, "--p12", ada())[0] == 0
    assert hil("report", run)[0] == 0
    assert hil("sign", run, *SAID, "--p12", ada("rsa"))[0] == 0
    assert len(list((run / annex.DOCUMENTS).iterdir())) == 2
    code, said, lines = hil("verify", run, "--signer", signer.public.fingerprint)
    assert (code, lines) == (0, [])
    assert said.count("Common Name: Ada Exämple") == 2
