"""What others write into the engine is one line in a log, and harms nobody."""

from pathlib import Path
from random import Random

import msgspec
import pytest

from tests.support.cluster import SHORT, Cluster, pair
from tests.support.engine import Engine

pytestmark = pytest.mark.engine

EVIL = "n9.00000000"


def test_a_member_that_answers_what_was_not_asked_holds_nobody_up(tmp_path: Path) -> None:
    with Engine(tmp_path) as engine, Cluster(engine, 2, lease=SHORT) as cluster:
        first, second = cluster.nodes
        members = engine.command("HKEYS", "{chatpair}:nodes")  # n1 may have had another inbox
        inbox = f"chatpair:inbox:{{{next(it.decode() for it in members if it[:3] == b'n1.')}}}"
        evil = f"chatpair:inbox:{{{EVIL}}}"
        chance = Random(1)
        alice, bob = pair(first, second)

        def writes(number: int, data: bytes) -> None:
            engine.command("XADD", inbox, "*", f"{EVIL} {number} 0", data)

        engine.command("XADD", evil, "*", "f", "")
        engine.command("HSET", "{chatpair}:nodes", EVIL, "1:1:0", b"\xff\n", b"\xff")
        first.knows("n2", "n9")
        alice.says("/who")
        asked = engine.command("XREAD", "BLOCK", 0, "STREAMS", evil, "0-1")[0][1]
        while b"\x16" not in (data := asked[-1][1][1]):  # the tag of a question
            asked = engine.command("XREAD", "BLOCK", 0, "STREAMS", evil, asked[-1][0])[0][1]
        [[_, ask, _]] = msgspec.msgpack.decode(data)
        writes(1, msgspec.msgpack.encode([[23, ask, True], [255, {}], [23, ask], [], None]))
        for number in range(2, 200):
            writes(number, chance.randbytes(chance.randrange(40)))
            engine.command("XADD", inbox, "*", chance.randbytes(9), chance.randbytes(9))
        assert alice.line() == "Here: alice*, bob*"
        alice.says("/who", "still here")
        assert bob.text() == "still here"
        assert alice.line() == "Here: alice*, bob*"
        first.knows("n2")  # it was silent
        assert engine.command("HLEN", "{chatpair}:nodes") == 2
        log = first.output.decode()
        for line in ("told was wrong", "is not understood; is it", "and skipped", "no node wrote"):
            assert log.count(line) == 1, line
        assert "Traceback" not in log
