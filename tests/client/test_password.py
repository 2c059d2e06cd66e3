"""How the client proves that a name is its user's, without sockets."""

import os
from pathlib import Path

import pytest

from chatpair.client import options
from chatpair.client.ending import DONE, Ending, ExitStatus
from chatpair.client.person import PersonTalk
from chatpair.client.pipe import PipeTalk
from chatpair.exchange.messages import Claim, Error, Say
from tests.support.scene import EITHER_SERVER, NEEDED, PlainScene, Scene

WRONG = "Wrong password."
NEEDS_TLS = "This needs TLS."
GIVE_IT = f"{NEEDED} Put it in CHATPAIR_PASSWORD, or give --password-file."
PROVEN = Claim("alice", "secret")


def tried(scene: Scene) -> None:
    """See that a name is claimed, and its password said when it is asked for."""
    scene.claims("alice")
    scene.asks_password()
    assert scene.commands() == ([Say(0, "secret")] if isinstance(scene, PlainScene) else [PROVEN])


# A person


def asked() -> Scene:
    """Return the scene of a person who is asked for a password."""
    scene = Scene(PersonTalk, "alice")
    scene.claims("alice")
    scene.asks_in_vain()
    return scene


def test_a_person_is_asked_and_asked_again_when_it_is_wrong() -> None:
    scene = asked()
    assert (scene.screen.passwords, scene.notices()) == (1, [])
    scene.types("Quit")
    scene.claims("alice")
    scene.asks_password()
    assert scene.said() == [Claim("alice", "Quit")]
    scene.asks_in_vain(WRONG)
    assert (scene.screen.passwords, scene.notices()) == (2, [WRONG])
    scene.types("secret")
    tried(scene)
    scene.grants("alice")
    assert scene.notices() == ["Welcome, alice."]


def test_a_password_is_said_again_when_the_server_has_forgotten_the_line() -> None:
    scene = Scene(PersonTalk, "ALICE", password="secret")
    scene.claims("ALICE")
    scene.asks_password()
    scene.said()
    scene.grants("alice")
    scene.remote.drops()
    scene.clock.advance(1)
    scene.accepts()
    scene.said()
    scene.remote.says(Error("resume", "bad-key", "No."))
    assert scene.said() == [Claim("alice")]
    scene.asks_password()
    assert scene.said() == [PROVEN]
    scene.grants("alice")
    assert scene.talk._line.connected


def test_a_person_may_take_another_name_instead_or_leave() -> None:
    scene = asked()
    scene.types("")
    assert scene.screen.questions == 1
    scene.types("bob")
    scene.claims("bob")
    scene = asked()
    scene.talk.input_ended()
    assert scene.results == [DONE]


def test_a_password_is_for_one_name() -> None:
    scene = Scene(PersonTalk, "alice", password="secret")
    scene.claims("alice")
    scene.refuses("reuse")
    scene.types("bob")
    scene.claims("bob")
    scene.asks_in_vain()
    assert scene.screen.passwords == 1


@pytest.mark.parametrize(
    ("host", "text"),
    [*(("192.0.2.1", text) for text in (NEEDED, WRONG, NEEDS_TLS)), ("127.0.0.1", NEEDS_TLS)],
)
def test_nothing_is_asked_or_said_that_others_could_read(host: str, text: str) -> None:
    for password in ("", "secret"):
        scene = Scene(PersonTalk, "alice", password=password)
        scene.endpoint.host = host
        scene.claims("alice")
        scene.asks_in_vain(text)
        assert (scene.screen.passwords, scene.screen.questions) == (0, 1)
        assert scene.notices() == [NEEDS_TLS]


# A pipe


@EITHER_SERVER
def test_a_pipe_says_the_one_that_it_was_given(server: type[Scene]) -> None:
    scene = server(PipeTalk, "alice", "bob", password="secret")
    tried(scene)
    scene.grants("alice")
    assert scene.notices() == ["Welcome, alice."]


@pytest.mark.parametrize(
    ("password", "host", "answers", "why"),
    [
        ("", "127.0.0.1", [""], GIVE_IT),
        ("secret", "127.0.0.1", ["", WRONG], WRONG),
        ("secret", "127.0.0.1", [NEEDS_TLS], NEEDS_TLS),
        ("secret", "192.0.2.1", [""], NEEDS_TLS),
    ],
)
@EITHER_SERVER
def test_a_pipe_that_has_none_or_a_wrong_one_ends(
    server: type[Scene], password: str, host: str, answers: list[str], why: str
) -> None:
    scene = server(PipeTalk, "alice", "bob", password=password)
    scene.endpoint.host = host
    scene.claims("alice")
    for answer in answers:
        scene.asks_password(answer)
    assert scene.remote.transport.disconnecting
    scene.remote.drops()
    assert scene.results == [Ending(ExitStatus.NAME, why)]


def test_a_person_is_asked_for_a_plain_server_s_too() -> None:
    scene = PlainScene(PersonTalk, "alice")
    scene.claims("alice")
    scene.asks_in_vain()
    assert scene.screen.passwords == 1
    scene.types("secret")
    tried(scene)


# The options


def test_where_it_comes_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_bytes("grüß dich \r\nsecond\n".encode())
    monkeypatch.setenv("CHATPAIR_PASSWORD", "other")
    chosen = options.parse(["--password-file", str(path)])
    assert chosen.password == "grüß dich "
    assert "grüß" not in repr(chosen)
    assert "CHATPAIR_PASSWORD" not in os.environ
    monkeypatch.setenv("CHATPAIR_PASSWORD", "other")
    assert options.parse([]).password == "other"
    assert options.parse([]).password == ""
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
    assert "secret" not in repr(PROVEN)
