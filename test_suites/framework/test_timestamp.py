"""The time stamp of a seal: a local authority gives it, and strangers answer in its place."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from hil.errors import UsageError
from hil_fixtures import cli, plan
from hil_fixtures.plan import Options
from hil_reports.evidence import dsse, keys, seal, timestamp, verify
from hil_reports.evidence.verification import Standing
from hil_reports.report import write_report
from tamper import bundle

ROOT = Path(__file__).parents[2]
AUTHORITY = """
cd "$1"
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
"""Makes an authority. Its token must not hold the root: rfc3161-client refuses that."""
NO_VERDICT = 10
"""Exit code of `hil seal` for a run that judged nothing."""
needs_openssl = pytest.mark.needs_tool("openssl")


def shell(line, *arguments, folder=None):
    return subprocess.run(
        ["bash", "-e", "-c", line, "sh", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """Folder of a certificate authority (ca.pem) and of a time-stamping authority below it."""
    folder = tmp_path_factory.mktemp("authority")
    shell(AUTHORITY, folder)
    return folder


def stamped_by(folder, query):
    """What the authority answers."""
    (folder / "query").write_bytes(query)
    shell("openssl ts -reply -config tsa.cnf -queryfile query -out answer", folder=folder)
    return (folder / "answer").read_bytes()


@pytest.fixture
def served():
    """Serve answers on loopback: `served(answer)` returns the address."""
    servers = []

    def serve(answer):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                query = self.rfile.read(int(self.headers["Content-Length"]))
                server.asked.append((self.headers["Content-Type"], query))
                answer(self, query)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.asked = []
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server, f"http://127.0.0.1:{server.server_port}/"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(handler, content, kind="application/timestamp-reply", status=200):
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


@pytest.fixture
def tsa(served, authority):
    return served(lambda handler, query: reply(handler, stamped_by(authority, query)))


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A run that judged nothing, sealed, signed and with its reports; its key lies beside it."""
    room = tmp_path_factory.mktemp("real")
    signer = keys.create(room / "key.pem")
    planned = plan.make(Options(suites=("polarity",), operator="A. Tester"))
    with plan.begin(room / "runs", planned, [], bundle.now) as evidence:
        evidence.append("end", {"pytest_exit": 0, "seconds": 1.0})
    seal(evidence.folder, signer)
    write_report(evidence.folder, signer)
    return evidence.folder.rename(room / "run")


@pytest.fixture
def run(real, tmp_path, monkeypatch):
    """A copy of it in a folder of its own, its key at hand, and no proxy before loopback."""
    monkeypatch.setenv(keys.KEY, str(real.parent / "key.pem"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return bundle.copy(real, tmp_path / "runs" / "run")


@pytest.fixture
def hil(tmp_path, monkeypatch, capsys):
    """Call `hil` in this process; exit code, output, error lines."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["hil", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err.splitlines()

    return call


def digest(path):
    return hashlib.sha256(path.read_bytes()).digest()


@needs_openssl
def test_the_request_is_that_of_openssl(tmp_path):
    (tmp_path / "data").write_bytes(b"x")
    line = "openssl ts -query -data data -sha256 -no_nonce -cert"
    assert shell(line, folder=tmp_path) == timestamp.request(digest(tmp_path / "data"))


@needs_openssl
def test_a_seal_is_stamped_once_and_keeps_its_oldest_token(hil, run, tsa):
    server, url = tsa
    begin = datetime.now(UTC) - timedelta(seconds=1)
    code, out, lines = hil("seal", run, "--tsa", url)
    assert (code, lines) == (NO_VERDICT, [])
    assert server.asked == [
        ("application/timestamp-query", timestamp.request(digest(run / dsse.ATTESTATION)))
    ]
    token = (run / timestamp.ANSWER).read_bytes()
    assert not (run / timestamp.REQUEST).exists()
    mine = keys.find().public.fingerprint
    found = verify(run, {mine})
    assert found.standing is Standing.AUTHENTIC
    assert begin <= found.stamp.utc <= datetime.now(UTC) + timedelta(seconds=1)
    assert not found.stamp.trusted
    code, said, _ = hil("verify", run, "--signer", mine)
    when = f"{found.stamp.utc:%Y-%m-%d %H:%M:%S} UTC"
    assert code == 0
    assert f"time stamp: {when}, by an unknown authority" in said
    assert when in out
    assert hil("seal", run, "--tsa", url)[0] == NO_VERDICT
    assert (run / timestamp.ANSWER).read_bytes() == token
    assert len(server.asked) == 1


@needs_openssl
def test_the_stamp_of_an_unsigned_seal_is_about_its_tag_manifest(hil, run, tsa, monkeypatch):
    bare = bundle.unsigned(run, run.with_name("bare"))
    monkeypatch.setenv(keys.KEY, "")
    server, url = tsa
    assert hil("seal", bare, "--tsa", url)[0] == NO_VERDICT
    ((_, query),) = server.asked
    assert query == timestamp.request(digest(bare / "tagmanifest-sha256.txt"))
    found = verify(bare)
    assert (found.standing, found.problems) == (Standing.UNSIGNED, ())
    assert found.stamp is not None


@needs_openssl
def test_without_an_authority_the_request_is_kept_and_stamped_later(hil, run, tsa):
    server, url = tsa
    code, _, lines = hil("seal", run, "--tsa", "http://127.0.0.1:9/")
    assert code == 11
    assert len(lines) == 1
    assert "sealed, but without a time stamp: http://127.0.0.1:9/ gave no answer" in lines[0]
    assert "attestation.tsq is kept" in lines[0]
    kept = (run / timestamp.REQUEST).read_bytes()
    mine = {keys.find().public.fingerprint}
    assert (verify(run, mine).standing, verify(run).stamp) == (Standing.AUTHENTIC, None)
    for n in range(0, 8 * len(kept), 40):
        changed = bytearray(kept)
        changed[n // 8] ^= 1 << n % 8
        bundle.put(run / timestamp.REQUEST, bytes(changed))
        problems = [str(problem) for problem in verify(run, views_too=False).problems]
        assert problems == ["attestation.tsq: asks for no time stamp of attestation.dsse.json"]
    bundle.put(run / timestamp.REQUEST, kept)
    assert hil("seal", run, "--tsa", url)[0] == NO_VERDICT
    assert [query for _, query in server.asked] == [kept]
    assert verify(run, mine).stamp is not None


@needs_openssl
def test_the_documented_recipe_checks_a_token(hil, run, tsa, authority, tmp_path):
    assert hil("seal", run, "--tsa", tsa[1])[0] == NO_VERDICT
    text = (ROOT / "docs" / "evidence.md").read_text("utf-8")
    (recipe,) = re.findall(r"```sh\n# in the run folder, with tsa-ca.pem\n([^`]*)```", text)
    bundle.put(tmp_path / "tsa-ca.pem", (authority / "ca.pem").read_bytes())
    line = recipe.replace("tsa-ca.pem", str(tmp_path / "tsa-ca.pem"))
    assert b"Verification: OK" in shell(line, folder=run)
    content = (run / dsse.ATTESTATION).read_bytes()
    bundle.put(run / dsse.ATTESTATION, content.replace(b"keyid", b"keyId"))
    with pytest.raises(subprocess.CalledProcessError):
        shell(line, folder=run)


@needs_openssl
def test_a_token_of_something_else_is_a_problem(run, authority):
    other = stamped_by(authority, timestamp.request(bytes(32)))
    bundle.put(run / timestamp.ANSWER, other)
    found = verify(run, {keys.find().public.fingerprint})
    assert [str(problem) for problem in found.problems] == [
        "attestation.tsr: the token is about something else"
    ]
    assert found.stamp is None


@needs_openssl
def test_a_changed_answer_is_read_as_before_or_refused_in_one_line(authority):
    """No bit breaks the reader; imprint, time and what stands before them are strict."""
    about = bytes(range(32))
    answer = stamped_by(authority, timestamp.request(about))
    good = timestamp.read(answer, about)
    imprint = answer.index(about)
    said = set()
    for n in range(8 * len(answer)):
        changed = bytearray(answer)
        changed[n // 8] ^= 1 << n % 8
        try:
            found = timestamp.read(bytes(changed), about)
        except UsageError as err:
            said.add(str(err))
        else:
            assert not imprint <= n // 8 < imprint + 32
            assert found == good or imprint < n // 8 < imprint + 80  # where the time stands
    assert said
    assert not [text for text in said if "\n" in text]
    for size in range(0, len(answer), 7):
        with pytest.raises(UsageError):
            timestamp.read(answer[:size], about)
    with pytest.raises(UsageError):
        timestamp.read(answer + b"\0", about)


# ---- strangers


def _trickle(handler, query):
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"0")
        handler.wfile.flush()
        time.sleep(0.05)


def _endless_header(handler, query):
    for n in range(100):
        handler.wfile.write(b"HTTP/1.0 200 OK\r\n"[n : n + 1] or b"a")
        handler.wfile.flush()
        time.sleep(0.05)


def _elsewhere(handler, query):
    handler.send_response(302)
    handler.send_header("Location", "http://127.0.0.1:9/")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


REFUSED = bytes.fromhex("30053003020102")
"""An answer without a token, its status 2: rejection."""
STRANGERS = {
    "nothing": (lambda handler, query: handler.connection.close(), "gave no answer"),
    "a trickle": (_trickle, "no whole answer within 0.5 s"),
    "an endless header": (_endless_header, "no whole answer within 0.5 s"),
    "too much": (lambda handler, query: reply(handler, bytes(70_000)), "more than 65536 bytes"),
    "a page": (lambda handler, query: reply(handler, b"<html>", "text/html"), "'text/html'"),
    "an error": (lambda handler, query: reply(handler, b"", status=500), "HTTP Error 500"),
    "somewhere else": (_elsewhere, "HTTP Error 302"),
    "no DER": (lambda handler, query: reply(handler, b"no token"), "no answer of a time-stamping"),
    "empty": (lambda handler, query: reply(handler, b""), "no answer of a time-stamping"),
    "a refusal": (lambda handler, query: reply(handler, REFUSED), "it refuses: status 02"),
    "the request": (lambda handler, query: reply(handler, query), "no answer of a time-stamping"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_in_the_authoritys_place_is_one_line(run, served, stranger, monkeypatch):
    answer, said = STRANGERS[stranger]
    monkeypatch.setattr(timestamp, "PATIENCE", 0.5)
    _, url = served(answer)
    begin = time.monotonic()
    with pytest.raises(UsageError) as refused:
        timestamp.stamp(run, url)
    assert time.monotonic() - begin < 5
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert (run / timestamp.REQUEST).exists()
    assert not (run / timestamp.ANSWER).exists()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/", "tsa", "http://"])
def test_what_is_no_address_is_refused(run, url):
    with pytest.raises(UsageError, match="allowed: http://"):
        timestamp.stamp(run, url)


# ---- the extra


@pytest.mark.parametrize(
    ("module", "arguments", "option"),
    [
        ("rfc3161_client", ("verify", "run", "--tsa-ca", "ca.pem"), "--tsa-ca"),
        (
            "pyhanko",
            ("sign", "run", "--name", "Ada", "--meaning", "seen", "--p12", "ada.p12"),
            "--p12",
        ),
    ],
)
def test_what_the_extra_lacks_is_one_line(hil, run, monkeypatch, module, arguments, option):
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "hil_reports.pades", raising=False)
    arguments = [run if one == "run" else one for one in arguments]
    code, _, lines = hil(*arguments)
    assert (code, len(lines)) == (11, 1)
    assert re.search(rf"{option} needs .* not installed: pip install 'stimproof\[sign\]'", lines[0])
    assert not (run / "annex.jsonl").exists()
