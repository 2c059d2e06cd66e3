"""Do not disturb, and calls that ring, in JSON and over drops."""

from tests.exchange.test_calls import RINGING, UNANSWERED, rings
from tests.support.exchange import Exchange, Party
from tests.support.transcript import play, scenes

SCENES = """
In JSON.
    alice, carol enter in JSON
    alice: dnd(on=true) -> dnd(on=true)
    carol: to(name=alice) -> error(of=to, code=dnd, text=alice does not want to be disturbed.)
    alice: dnd(on=false) -> dnd(on=false)
    alice: ring(on=true) -> ring(on=true)
    carol: to(name=alice) -> error(of=to, code=ringing, text=alice's line is ringing.)
        alice < ringing(name=carol)
    30 seconds pass ; alice < tried(name=carol) ; carol < unanswered(name=alice)
    carol: to(name=alice) -> error(of=to, code=ringing, text=alice's line is ringing.)
        alice < ringing(name=carol)
    alice: to(name=carol) -> paired(peer=carol) ; carol < paired(peer=alice)
    alice: ring(on=false) -> ring(on=false)
    alice: dnd() -> error(of=dnd, code=bad-line, text=Object missing required field `on`)
A caller in JSON takes the call back.
    alice, carol enter in JSON
    alice: ring(on=true) -> ring(on=true)
    carol: to(name=alice) -> error(of=to, code=ringing, text=alice's line is ringing.)
        alice < ringing(name=carol)
    carol: bye() -> free() ; alice < tried(name=carol)
What is set outlasts a drop and a call rings meanwhile.
    alice, carol enter in JSON
    alice: ring(on=true) -> ring(on=true)
    alice is lost
    carol: to(name=alice) -> error(of=to, code=ringing, text=alice's line is ringing.)
    carol is lost
    alice comes back as again, having seen 2
        again < resumed(name=alice, peer=null, got=0) | ringing(name=carol)
    carol comes back as again2
        again2 < resumed(name=carol, peer=null, got=0) | named(name=carol, key=[key])
        again2 < error(of=to, code=ringing, text=alice's line is ringing.)
    again: to(name=carol) -> paired(peer=carol) ; again2 < paired(peer=alice)
Do not disturb outlasts a drop of a plain user.
    alice: /dnd | /key
        alice < You are not disturbed now.
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    alice is lost
    carol: To:alice -> alice does not want to be disturbed.
    alice comes back as again ; again < OK | You are free.
    carol: To:alice -> alice does not want to be disturbed.
A ringing line outlasts a drop of a plain user.
    alice: /ring | /key
        alice < Your line rings when somebody calls.
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    alice is lost
    carol: To:alice -> alice's line is ringing.
    alice comes back as again ; again < OK | You are free. | carol is calling. To:carol to answer.
    carol: To:alice -> alice's line is ringing.
A block outlasts a drop of a plain user.
    alice: /block carol | /key
        alice < You have blocked carol.
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    alice is lost
    carol: To:alice -> alice is talking with someone else.
    alice comes back as again ; again < OK | You are free.
    carol: To:alice -> alice is talking with someone else.
Who comes back too late reads that the ringing is over.
    alice enters in JSON
    carol enters
    alice: ring(on=true) -> ring(on=true)
    alice is lost
    carol: To:alice -> alice's line is ringing.
    30 seconds pass ; carol < alice does not answer.
    alice comes back as again, having seen 2
        again < resumed(name=alice, peer=null, got=0) | ringing(name=carol) | tried(name=carol)
A new owner of a name has set nothing.
    alice enters
    alice: /dnd | /ring | /block carol
        alice < You are not disturbed now. | Your line rings when somebody calls.
        alice < You have blocked carol.
    alice is lost
    alice enters
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
"""


@scenes(SCENES)
def test_calls_held(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


def back(exchange: Exchange, key: str) -> Party:
    """Come back on a new connection."""
    party = exchange.connect()
    party.says(f"Back:{key}")
    return party


def test_who_does_not_come_back_does_not_answer() -> None:
    exchange = Exchange(hold=5)
    alice, carol = exchange.enter_json("alice"), exchange.enter("carol")
    alice.does("ring", on=True)
    carol.says("To:alice")
    alice.drops()
    exchange.clock.advance(5)
    assert carol.heard() == [RINGING, UNANSWERED]


def test_who_has_set_nothing_costs_nothing(exchange: Exchange) -> None:
    alice, carol = rings(exchange)
    exchange.enter("bob")
    factory = exchange.factory
    assert (len(factory._rules), len(factory._called)) == (1, 1)
    carol.says("/block bob")
    alice.drops()
    carol.drops()
    assert not factory._rules
    assert not factory._called
    assert not factory._blocked_hosts
