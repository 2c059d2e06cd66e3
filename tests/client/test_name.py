"""How the client gets a connection and a name, and proves whose it is, without sockets."""

import os
from pathlib import Path

import pytest

from chatpair.client import options
from chatpair.client.ending import ExitStatus
from chatpair.exchange.messages import Claim
from tests.support.talks import EITHER_KIND, EITHER_SERVER, Scene, play
from tests.support.transcript import scenes

WRONG = "Wrong password."
NEEDS_TLS = "This needs TLS."
GIVE_IT = "alice needs its password. Put it in CHATPAIR_PASSWORD, or give --password-file."
SECRET = "with the password secret"


@scenes(
    """
    A name is asked for again when it is taken or bad.
        an unnamed person -> (asks for a name) | (reads)
        said bob -> (waits) | (connects)
        connected -> name(bob)
        refused reuse: The name bob is taken. -> The name bob is taken. | (asks for a name) |
            (reads)
        said b b -> [bad name] | (asks for a name)
        said bob2 -> (waits) | (connects)
        connected -> name(bob2)
        refused bad-name: not here -> Bad name: not here | (asks for a name) | (reads)
        said alice -> (waits) | (connects)
        connected -> name(alice)
        told named(alice, key) -> Welcome, alice. | (reads)
    A person may leave when a name is asked for.
        an unnamed person -> (asks for a name) | (reads)
      * said Quit -> (waits) | (ends 0)
      * said /quit -> (waits) | (ends 0)
      * the input ends -> (waits) | (ends 0)
      * is interrupted -> (waits) | (ends 0)
    A pipe's first lines are tried as names when no option gives one.
        an unnamed pipe -> (asks for a name) | (reads)
        said bob -> (waits) | (connects)
        connected -> name(bob)
        refused reuse: The name bob is taken. -> The name bob is taken. | (asks for a name) |
            (reads)
        said alice -> (waits) | (connects)
        connected -> name(alice)
        told named(alice, key) -> Welcome, alice. | (reads)
    An input without a name is a problem.
        an unnamed pipe -> (asks for a name) | (reads)
      * the input ends -> (waits) | (ends 1: There is no name; give one with --name.)
      * Enter -> (waits) | (ends 1: There is no name; give one with --name.)
      * said Quit -> (waits) | (ends 1: There is no name; give one with --name.)
      * said bob -> (waits) | (connects)
        the input ends
        connected -> name(bob)
        refused reuse: The name bob is taken. -> The name bob is taken. |
            (ends 1: There is no name; give one with --name.)
    A pipe says the password that it was given.
        a new pipe, with the password secret, connected -> name(alice)
        asked -> name(alice, secret)
        told named(alice, key) -> Welcome, alice. | (reads)
    A person is asked for the password.
        a new person, connected -> name(alice)
        asked in vain -> (asks for a password) | (reads)
        said secret -> (waits) | (connects)
        connected -> name(alice)
        asked -> name(alice, secret)
        told named(alice, key) -> Welcome, alice. | (reads)
    """
)
@EITHER_SERVER
def test_a_name_is_claimed_at_either_server(server: type[Scene], scene: str) -> None:
    play(scene, server)


@scenes(
    """
    A person's refused option makes the client ask.
        a new person named a b -> [bad name] | (asks for a name) | (reads)
        said bob -> (waits) | (connects)
        connected -> name(bob)
        refused reuse -> No. | (asks for a name) | (reads)
    A pipe's is a problem.
        a new pipe named a b -> (ends 3: [bad name])
    A server may have something to say to newcomers.
        a new person, connected -> name(alice)
        told named(alice, key, Be kind.\\n\\e[2JHave fun.) -> Welcome, alice. | Be kind. |
            [2JHave fun. | (reads)
    A server that can't be reached is a problem at once.
        a new person -> (connects)
        no connection -> (ends: ConnectError)
    A connection that is lost before there is a name is one.
        a new person, connected -> name(alice)
        the connection is lost -> (ends 2: The connection to the server was lost.)
    So is an interrupt while connecting.
        a new person -> (connects)
        is interrupted -> (ends 130: Interrupted.)
        no connection
    A server that is full is a problem.
        a new person, connected -> name(alice)
        refused try-later -> (ends 2: No.)
    A pipe's lines for somebody are no names.
        an unnamed pipe for bob -> (ends 1: There is no name; give one with --name.)
    An input that is not read early gives no name.
        an unnamed pipe, reading late -> (ends 1: There is no name; give one with --name.)
    A pipe's name that was lost is not looked for in the text.
        a pipe -> (reads)
        forgotten, and the name is taken -> resume(key, 1) | name(alice) | [link lost] | (hangs up)
        the connection is lost -> (waits) | (ends 3: No.)
    A person is asked again when the password is wrong.
        a new person, connected -> name(alice)
        asked in vain -> (asks for a password) | (reads)
        said Quit -> (waits) | (connects)
        connected -> name(alice)
        asked -> name(alice, Quit)
        asked in vain: Wrong password. -> Wrong password. | (asks for a password) | (reads)
    A password is said again when the server has forgotten the line.
        a new person named ALICE, with the password secret, connected -> name(ALICE)
        asked -> name(ALICE, secret)
        told named(alice, key) -> Welcome, alice. | (reads)
        forgotten -> resume(key, 1) | name(alice) | [link lost]
        asked -> name(alice, secret)
        told named(alice, key) -> [again]
    A person who has no password may take another name instead or leave.
        a new person, connected -> name(alice)
        asked in vain -> (asks for a password) | (reads)
      * Enter -> (asks for a name)
        said bob -> (waits) | (connects)
      * the input ends -> (waits) | (ends 0)
    A password is for one name.
        a new person, with the password secret, connected -> name(alice)
        refused reuse -> No. | (asks for a name) | (reads)
        said bob -> (waits) | (connects)
        connected -> name(bob)
        asked in vain -> (asks for a password) | (reads)
    """
)
def test_a_name_is_claimed(scene: str) -> None:
    play(scene)


@EITHER_KIND
@EITHER_SERVER
def test_who_is_interrupted_before_there_is_a_name_has_a_problem(
    server: type[Scene], kind: str
) -> None:
    hangs_up = " | (hangs up)" * (server is Scene)
    scene = f"""
        a new one, connected -> name(alice)
        is interrupted -> quit(){hangs_up}
        the connection is lost -> (ends 130: Interrupted.)
    """
    play(scene, server, kind)


# Passwords


@pytest.mark.parametrize("password", ["", f", {SECRET}"])
@pytest.mark.parametrize(
    ("host", "text"),
    [*(("192.0.2.1", text) for text in ("", f": {WRONG}")), ("127.0.0.1", f": {NEEDS_TLS}")],
)
def test_nothing_is_asked_or_said_that_others_could_read(
    host: str, text: str, password: str
) -> None:
    play(
        f"""
        a new person, at {host}{password}, connected -> name(alice)
        asked in vain{text} -> {NEEDS_TLS} | (asks for a name) | (reads)
        """
    )


@pytest.mark.parametrize(
    ("options", "steps", "why"),
    [
        ("", "asked in vain", GIVE_IT),
        (SECRET, f"asked -> name(alice, secret)\nasked in vain: {WRONG}", WRONG),
        (SECRET, f"asked in vain: {NEEDS_TLS}", NEEDS_TLS),
        (f"{SECRET}, at 192.0.2.1", "asked in vain", NEEDS_TLS),
    ],
)
@EITHER_SERVER
def test_a_pipe_that_has_no_password_or_a_wrong_one_ends(
    server: type[Scene], options: str, steps: str, why: str
) -> None:
    begins = f"a new pipe, {options} -> (connects)\nconnected -> name(alice)"
    play(f"{begins}\n{steps} -> (ends 3: {why})", server)


def test_where_the_password_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_bytes("grüß dich \r\nsecond\n".encode())
    monkeypatch.setenv("CHATPAIR_PASSWORD", "other")
    chosen = options.parse(["--password-file", str(path)])
    assert chosen.password == "grüß dich "
    assert "grüß" not in repr(chosen)
    assert "CHATPAIR_PASSWORD" not in os.environ
    monkeypatch.setenv("CHATPAIR_PASSWORD", "other")
    assert [options.parse([]).password for _ in range(2)] == ["other", ""]
    path.write_bytes(b"")
    assert options.parse(["--password-file", str(path)]).password == ""


def test_a_file_that_is_of_no_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "password"
    for content, why in ((None, f"can't read {path}: No such file"), (b"\xff", "not in UTF-8")):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(SystemExit) as ending:
            options.parse(["--password-file", str(path)])
        assert ending.value.code == ExitStatus.USAGE
        assert why in capsys.readouterr().err


def test_no_log_can_have_it() -> None:
    assert "secret" not in repr(Claim("alice", "secret"))
