"""The checker of htpasswd files, other checkers, and the options that lead to them."""

import os
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.cred import credentials, strcred
from twisted.cred.checkers import FilePasswordDB
from twisted.cred.error import UnauthorizedLogin

from chatpair import tap
from chatpair.exchange.names import Name, NameIndex, parse
from chatpair.extras import how_to_install
from chatpair.passwords import accounts
from chatpair.passwords.accounts import Source
from chatpair.passwords.htpasswd import HtpasswdChecker
from tests.support.accounts import htpasswd_line as line
from tests.support.exchange import Exchange
from tests.support.options import parsed, refusal

PAST = 1_000_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "passwords"


def write(path: Path, *lines: str, at: float = PAST) -> None:
    """Write a file whose last change was at a certain time."""
    path.write_text("".join(lines))
    os.utime(path, (at, at))


def opens(checker: HtpasswdChecker, name: str, password: str) -> bool:
    """Tell whether a password is that of a name, without a thread."""
    hashed = checker.file.read().hashes[name]
    try:
        checker._check(name.encode(), password.encode(), hashed)
    except UnauthorizedLogin:
        return False
    return True


def knows(checker: HtpasswdChecker, *names: str) -> list[str | None]:
    """Return how the checker writes names."""
    return [checker.written(parse(name)) for name in names]


# The file


@pytest.mark.parametrize("prefix", ["2a", "2b", "2y"])
def test_each_kind_of_bcrypt_opens(path: Path, prefix: str) -> None:
    write(path, line("alice", "secret", prefix=prefix))
    checker = HtpasswdChecker(path)
    assert opens(checker, "alice", "secret")
    for wrong in ("Secret", "secret\0", "\0", "", "x" * 80):
        assert not opens(checker, "alice", wrong)


def test_other_lines_are_told_of_by_their_number(path: Path, logged: list[str]) -> None:
    write(
        path,
        *("# nobody:knows\n", "\n", "md5:$apr1$abc$secret\n", "sha:{SHA}secret\n"),
        *("nocolon-secret\n", "a b:$2y$secret\n", line("alice", "one"), line("ALICE", "two")),
        *("bob:" + line("", "x")[1:].strip() + ":comment\n",),
    )
    with path.open("ab") as file:
        file.write(b"\xff:secret\r\n")
    os.utime(path, (PAST, PAST))
    checker = HtpasswdChecker(path)
    assert knows(checker, "md5", "sha", "alice", "bob") == ["md5", "sha", "alice", "bob"]
    assert opens(checker, "alice", "one")
    assert opens(checker, "bob", "x")
    assert [text.partition(": ")[0] for text in logged] == [
        f"{path}, line {number}" for number in (3, 4, 5, 6, 8, 10)
    ]
    assert not any("secret" in text for text in logged)
    for name in ("md5", "carol"):
        asked = checker.requestAvatarId(credentials.UsernamePassword(name.encode(), b"secret"))
        asked.addBoth(lambda why: why.trap(UnauthorizedLogin))
        assert asked.called


def test_a_change_is_seen_at_the_next_use(path: Path, logged: list[str]) -> None:
    write(path, line("alice", "one"))
    checker = HtpasswdChecker(path)
    write(path, line("alice", "two"), line("bob", "x"), at=PAST + 1)
    assert knows(checker, "alice", "bob") == ["alice", "bob"]
    assert opens(checker, "alice", "two")
    other = path.with_suffix(".new")
    write(other, line("alice", "six"), line("bob", "x"), at=PAST + 1)
    other.rename(path)  # of the same size and time
    assert opens(checker, "alice", "six")
    write(path, at=PAST + 2)
    assert knows(checker, "alice", "bob") == [None, None]
    assert logged == []


def test_a_file_that_is_gone_holds_as_it_was(path: Path, logged: list[str]) -> None:
    write(path, line("alice", "one"))
    checker = HtpasswdChecker(path)
    path.unlink()
    assert knows(checker, "alice") == knows(checker, "alice") == ["alice"]
    [text] = logged
    assert text == f"Can't read {path}: No such file or directory. What it said before holds."
    path.mkdir()
    assert knows(checker, "alice") == ["alice"]
    path.rmdir()
    write(path, line("bob", "one"))
    assert knows(checker, "alice", "bob") == [None, "bob"]
    path.unlink()
    assert knows(checker, "bob") == ["bob"]
    assert len(logged) == 2


def test_a_file_that_is_just_being_written_holds_as_it_was(path: Path) -> None:
    write(path, line("alice", "one"))
    checker = HtpasswdChecker(path)
    path.write_text("")
    now = path.stat().st_mtime + 1_000_000  # as if each look were in the second of the change
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.time", lambda: now)
        os.utime(path, (now, now))
        assert knows(checker, "alice") == ["alice"]
        path.write_text(line("alice", "one") + "bob:$2y$")
        os.utime(path, (now, now))
        assert knows(checker, "alice", "bob") == ["alice", None]
        path.write_text(line("alice", "one") + line("bob", "one"))
        os.utime(path, (now, now))
        assert knows(checker, "bob") == ["bob"]
        path.write_text(line("alice", "one") + line("eve", "one"))  # of the same size and time
        os.utime(path, (now, now))
        assert knows(checker, "bob", "eve") == [None, "eve"]


# Which name is whose


NAMES = ["alice", "ALICE", "аlice", "al1ce", "bam", "BAM1", "barn", "barnl", "bаrn", "bаm1"]
NAMES += ["O", "0", "bob1", "bobl", "bobi", "bоbl", "ВОВ", "b0b"]


@given(st.lists(st.sampled_from(NAMES)))
def test_an_index_takes_for_one_what_are_the_same(names: list[str]) -> None:
    added: list[Name] = []
    index = NameIndex()
    for text in names:
        name = parse(text)
        alike = [one for one in added if one.is_same(name)]
        found = index.find(name)
        assert index.has(name) == bool(alike)
        assert found in [one.text for one in alike] or (found, alike) == (None, [])
        if alike:
            index.remove(alike[0])
            added.remove(alike[0])
        else:
            index.add(name)
            added.append(name)
            assert index.find(name) == text


# Twisted's own checkers


def test_file_knows_its_names_as_they_change(path: Path) -> None:
    write(path, "alice:secret\n", "a b:c\n", "nothing\n", "Alice:other\n", "bob:x\n")
    checker = FilePasswordDB(str(path))
    exchange = Exchange(Source(checker))
    exchange.enter("nothing")  # which has no password
    alice = exchange.local("ALICE", "secret")
    assert alice.heard() == ["Password:", "OK"]
    write(path, "bob:x\n", "carol:y\n", at=PAST + 1)
    carol = exchange.local("Carol", "y")
    assert carol.heard() == ["Password:", "OK"]


def test_unix_has_all_names_and_is_asked_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    checker = strcred.makeChecker("unix")
    source = Source(checker)
    assert source.written(parse("whoever")) == "whoever"
    assert source.ask != checker.requestAvatarId
    asked = credentials.UsernamePassword(b"no such user", b"x")
    assert accounts._answer(checker, asked).check(UnauthorizedLogin)


# The options


def test_the_options_reach_the_factory(path: Path) -> None:
    write(path, line("alice", "secret"))
    options = parsed(f"--auth=htpasswd:{path}", "--auth=memory:bob:x", "--registered-only")
    factory = tap.makeService(options).factory
    assert factory.settings.registered_only
    found = [factory.users.has_account(parse(name)) for name in ("alice", "BOB", "carol")]
    assert found == [1, 1, 0]
    factory = tap.makeService(parsed()).factory
    assert not factory.settings.registered_only
    assert not factory.users.any_accounts


def test_what_is_wrong_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal("--registered-only") == "--registered-only needs --auth: who is registered"
    assert refusal("--auth=x:y") == "--auth x: there is no such kind; --help-auth lists them"
    assert refusal("--auth=htpasswd") == "--auth htpasswd: which file? Say htpasswd:FILE"
    missing = f"--auth htpasswd: can't read {path}: No such file or directory"
    assert refusal(f"--auth=htpasswd:{path}") == missing
    assert refusal(f"--auth=file:{path}") == missing.replace("htpasswd", "file")
    assert "secret" not in refusal("--auth=memory:alice:secret:bob")
    write(path)
    monkeypatch.setitem(sys.modules, "bcrypt", None)
    extra = f"--auth htpasswd: it needs more packages: {how_to_install('auth')}"
    assert refusal(f"--auth=htpasswd:{path}") == extra
    of_something_else = Mock(credentialInterfaces=(credentials.IAnonymous,))
    for checker in strcred.findCheckerFactories():
        if checker.authType == "memory":
            monkeypatch.setattr(type(checker), "generateChecker", lambda *_: of_something_else)
    assert refusal("--auth=memory:x") == "--auth memory: it checks no passwords"


def test_a_name_as_it_is_written_comes_before_what_looks_like_it() -> None:
    index = NameIndex()
    for text in ("kal", "kai"):
        index.add(parse(text))
    assert index.find(parse("KAI")) == "kai"
    assert index.find(parse("KA1")) == "kal"
