"""Blocks: whoever is blocked finds somebody busy, also after coming back under another name."""

import pytest

from chatpair.exchange.calls import MAX_BLOCKS
from chatpair.exchange.names import Name
from chatpair.exchange.users import Users
from tests.support.exchange import PAIRED, Exchange, error
from tests.support.transcript import play, scenes

SCENES = """
What can't be blocked.
    ann enters in JSON
  * alice: /block -> Say who: /block bob
  * ann: block(name=) -> error(of=block, code=unknown, text=Say who: /block bob)
  * alice: /unblock  -> Say who: /unblock bob
  * ann: unblock(name=) -> error(of=unblock, code=unknown, text=Say who: /unblock bob)
  * ann: block(name=аnn) -> error(of=block, code=self, text=You can't block yourself.)
  * ann: block(name=b b)
        ann < error(of=block, code=bad-name, text=no space and none of : [ ] ( ) / * , in a name)
  * alice: /unblock OK -> Bad name: that word is the server's own
Who is blocked is told what a busy one's caller is.
    bob enters in JSON
    alice: /block bob -> You have blocked bob.
    bob: to(name=alice) -> error(of=to, code=busy, text=alice is talking with someone else.)
    alice: /unblock bob -> You have unblocked bob.
    dave enters
    dave: To:alice -> You are chatting with alice. ; alice < You are chatting with dave.
    bob: to(name=alice) -> error(of=to, code=busy, text=alice is talking with someone else.)
        alice < bob tried to reach you.
A call to who is blocked then is taken back.
    alice talks with dave
    bob: /ring on -> Your line rings when somebody calls.
    alice: To:bob | /block bob -> bob's line is ringing. | You have blocked bob.
        bob < alice is calling. To:alice to answer. | alice tried to reach you.
    bob: To:alice -> alice is talking with someone else.
    alice: still here ; dave < [now] alice: (still here)
Who is blocked while the line rings finds out nothing.
    alice: /ring on -> Your line rings when somebody calls.
    bob: To:alice -> alice's line is ringing. ; alice < bob is calling. To:bob to answer.
    alice: /block bob -> You have blocked bob.
    30 seconds pass ; bob < alice does not answer.
A name can be blocked before somebody has it.
    alice: /block BOB -> You have blocked BOB.
    bob enters
    bob: To:alice -> alice is talking with someone else.
    bob is lost
    ВОВ enters
    ВОВ: To:alice -> alice is talking with someone else.
    alice: /unblock ВОВ -> You have unblocked BOB.
    ВОВ: To:alice -> You are chatting with alice. ; alice < You are chatting with ВОВ.
    ВОВ: /bye -> You are free. ; alice < Quit.
Coming back under another name does not help.
    bob enters from bobs
    alice: /block bob -> You have blocked bob.
    bob is lost
    robert enters from bobs
    robert: To:alice -> alice is talking with someone else.
    rob enters from bobs
    rob: To:alice -> alice is talking with someone else.
    carol enters from elsewhere
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
    carol: /bye -> You are free. ; alice < Quit.
    alice: /unblock bob -> You have unblocked bob.
    robert: To:alice -> You are chatting with alice. ; alice < You are chatting with robert.
    robert: /bye -> You are free. ; alice < Quit.
Others share an address, so it is blocked for a while only, and the name for as long as you like.
    bob enters from shared
    alice: /block bob -> You have blocked bob.
    carol enters from shared
    599 seconds pass
    carol: To:alice -> alice is talking with someone else.
    2 seconds pass
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
    carol: /bye -> You are free. ; alice < Quit.
    bob: To:alice -> alice is talking with someone else.
Who was there before one block may come after another.
    bob enters from shared
    erin: /block bob -> You have blocked bob.
    carol enters from shared
    alice: /block bob -> You have blocked bob.
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
    carol: /bye -> You are free. ; alice < Quit.
    carol: To:erin -> erin is talking with someone else.
The host of who is held is known.
    bob enters in JSON from bobs
    bob is lost
    alice: /block bob -> You have blocked bob.
    robert enters from bobs
    robert: To:alice -> alice is talking with someone else.
Who comes back to a held line is as blocked as before.
    bob enters in JSON
    alice: /block bob -> You have blocked bob.
    bob is lost
    bob comes back as again
        again < resumed(name=bob, peer=null, got=0) | named(name=bob, key=[key])
    again: to(name=alice) -> error(of=to, code=busy, text=alice is talking with someone else.)
"""


@scenes(SCENES)
def test_blocks(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


# A name that another node has is blocked as it was typed; and there are no hosts of other nodes.
SCENES_OF_ONE_NODE = """
To whom somebody blocks they are busy, whatever they are.
  * alice: /dnd | /block Bob -> Nobody can call you now. | You have blocked bob.
    bob: To:alice -> alice is talking with someone else.
  * alice: /ring | /block Bob -> Your line rings when somebody calls. | You have blocked bob.
    bob: To:alice -> alice is talking with someone else.
  * alice: To:dave | /block Bob -> You are chatting with dave. | You have blocked bob.
        dave < You are chatting with alice.
    bob: To:alice -> alice is talking with someone else.
A name is blocked and unblocked in JSON as it is written.
    alice enters in JSON
    alice: block(name=BOB) -> blocked(name=bob)
    alice: unblock(name=Bob) -> unblocked(name=bob)
    alice: block(name=nobody\\u001b)
        alice < error(of=block, code=bad-name, text=that word is the server's own)
    bob: To:alice -> You are chatting with alice. ; alice < paired(peer=bob)
Who blocks again knows where somebody is now.
    bob enters from here
    alice: /block bob -> You have blocked bob.
    bob is lost
    bob enters from there
    alice: /block bob -> You have blocked bob.
    robert enters from there
    robert: To:alice -> alice is talking with someone else.
    alice: /block bob -> You have blocked bob.
    bob is lost
    alice: /block bob -> You have blocked bob.
    rob enters from there
    rob: To:alice -> alice is talking with someone else.
    robert: To:alice -> alice is talking with someone else.
    alice: /unblock bob -> You have unblocked bob.
    rob: To:alice -> You are chatting with alice. ; alice < You are chatting with rob.
"""


@scenes(SCENES_OF_ONE_NODE)
def test_blocks_of_one_node(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def test_there_is_an_end_to_blocking(exchange: Exchange) -> None:
    alice = exchange.enter_json("alice")
    for number in range(MAX_BLOCKS + 1):
        alice.does("block", name=f"b{number}")
    too_many = error("block", "too-many", "You have blocked 100 names; unblock one of them first.")
    blocked, last = alice.uncounted()[-2:]
    assert (blocked["name"], last) == ("b99", too_many)
    alice.does("block", name="B7")
    alice.does("unblock", name="b7")
    alice.does("block", name="b100")
    assert [event["event"] for event in alice.events()] == ["blocked", "unblocked", "blocked"]


def test_no_host_is_blocked_where_there_is_none(exchange: Exchange) -> None:
    alice, bob, carol = exchange.enter("alice"), exchange.connect(), exchange.connect()
    bob.protocol.host = carol.protocol.host = None
    bob.says("bob")
    alice.says("/block bob")
    carol.says("carol", "To:alice")
    assert carol.heard() == ["OK", PAIRED.format("alice")]


def test_where_names_are_owned_hosts_do_not_count(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def has_account(self: Users, name: Name) -> bool:
        # Nobody is asked for a password here: whoever has such a name has proven it.
        return name.key in ("bob", "carol") and name.key in self

    monkeypatch.setattr(Users, "has_account", has_account)
    alice = exchange.enter("alice")
    for host, name in (("bobs", "bob"), ("eves", "eve")):
        exchange.connect(host).says(name)
    alice.says("/block bob", "/block eve")
    # Bob can't be anybody else, nor can carol.
    for host, name, can_call in (
        *(("bobs", "robert", True), ("eves", "carol", True), ("eves", "mallory", False)),
    ):
        party = exchange.connect(host)
        party.says(name, "To:alice", "/bye")
        assert (party.heard()[1] == PAIRED.format("alice")) == can_call
