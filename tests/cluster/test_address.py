"""What --cluster may say, and what is told about what it may not."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatpair.cluster.address import EngineAddress

HOST = "engine.example.org"


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        (f"redis://{HOST}", EngineAddress(((HOST, 6379),))),
        (f"valkey://{HOST}:7000/", EngineAddress(((HOST, 7000),))),
        ("redis://[::1]:7000/15", EngineAddress((("::1", 7000),), database=15)),
        ("redis://:p%40ss@h", EngineAddress((("h", 6379),), password="p@ss")),
        ("redis://bob:p:w@h", EngineAddress((("h", 6379),), user="bob", password="p:w")),
        ("redis://bob@h", EngineAddress((("h", 6379),), user="bob")),
        ("rediss://h", EngineAddress((("h", 6379),), tls=True)),
        ("valkeys://h/2", EngineAddress((("h", 6379),), tls=True, database=2)),
        ("redis://h/2?prefix=t:", EngineAddress((("h", 6379),), database=2, prefix="t:")),
        ("unix:///s?prefix=%25&db=3", EngineAddress(path="/s", database=3, prefix="%")),
        ("unix:///run/a%20b.sock", EngineAddress(path="/run/a b.sock")),
        ("unix://u:p@/s?db=3", EngineAddress(path="/s", database=3, user="u", password="p")),
        (
            "redis+sentinel://a,b:7000,[::1]/chat/4",
            EngineAddress((("a", 26379), ("b", 7000), ("::1", 26379)), service="chat", database=4),
        ),
        ("rediss+sentinel://a/chat", EngineAddress((("a", 26379),), service="chat", tls=True)),
    ],
)
def test_what_a_url_means(url: str, meant: EngineAddress) -> None:
    assert EngineAddress.parse(url) == meant


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("h:6379", "no URL that starts with redis://, rediss://, valkey://, valkeys://, unix://"),
        ("http://h", "no URL that starts with "),
        ("unix+sentinel:///s", "no URL that starts with "),
        ("redis://", "no host, or HOST:PORT: ''"),
        ("redis://:6379", "no host, or HOST:PORT: ':6379'"),
        ("redis://h:x", "no host, or HOST:PORT: 'h:x'"),
        ("redis://[::1", "no host, or HOST:PORT: '[::1'"),
        ("redis://h:70000", "no port: 70000"),
        ("redis://h:0", "no port: 0"),
        ("redis://h/x", "no number of a database: 'x'"),
        ("redis://h/-1", "no number of a database: '-1'"),
        ("redis://h/1/2", "no number of a database: '1/2'"),
        ("redis://h?db=1", "what does ?db mean there?"),
        ("redis://h?x", "what does ?x mean there?"),
        ("redis://h?ca=/f", "what does ?ca mean there?"),
        ("redis://h?prefix={a}", "no prefix of keys: '{a}'"),
        ("redis://h?prefix=a%20b", "no prefix of keys: 'a b'"),
        ("redis://h#1", "a URL with # in it; write %23"),
        ("redis://bob:sec/ret@h", "a password with / ? or # in it; write %2F %3F %23"),
        ("redis://bob:7?ret@h", "a password with / ? or # in it; write %2F %3F %23"),
        ("redis://a,b", "more than one host, which only +sentinel:// may have"),
        ("redis+sentinel://a", "which service? Write redis+sentinel://HOST:PORT/SERVICE"),
        ("unix://run/s", "a unix socket is written unix:///PATH"),
        ("unix:///", "a unix socket is written unix:///PATH"),
        ("unix:///s?db=", "what does ?db mean there?"),
        ("unix:///s?db=1&db=2", "what does ?db mean there?"),
        ("rediss://h?ca=/nowhere", "can't read /nowhere: No such file or directory"),
        ("rediss://h?ca=/dev/null", "/dev/null has no certificates, as PEM"),
    ],
)
def test_what_is_wrong_with_a_url(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)) as wrong:
        EngineAddress.parse(url)
    assert len(str(wrong.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://bob:secret@h", "h:6379"),
        ("redis://:secret@[::1]:1/2", "[::1]:1"),
        ("unix://:secret@/run/s", "/run/s"),
        ("redis+sentinel://:secret@a,b/chat", "chat of the Sentinels a:26379, b:26379"),
    ],
)
def test_no_text_of_it_has_the_password(url: str, text: str) -> None:
    address = EngineAddress.parse(url)
    assert address.password == "secret"
    assert str(address) == text
    assert "secret" not in repr(address)


@given(st.text(), st.sampled_from(["redis://", "rediss://u:secret@", "unix://", ""]))
def test_any_text_is_read_or_refused(text: str, start: str) -> None:
    told: list[str] = []
    try:
        told.append(str(EngineAddress.parse(start + text)))
    except ValueError as why:
        told.append(str(why))
    assert told[0]
    assert "secret" not in told[0]
