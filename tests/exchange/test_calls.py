"""Do not disturb, and calls that ring, in both dialects and over drops."""

from chatpair.exchange.ringing import RING_SECONDS
from chatpair.exchange.user import MAX_TRIED
from tests.support.exchange import PAIRED, Exchange
from tests.support.transcript import play, scenes

SCENES = """
What is set decides whether others can call.
  * alice: /DND  On  -> Nobody can call you now.
    carol: To:alice -> alice does not want to be disturbed.
  * alice: /dnd maybe -> Say /dnd on or /dnd off.
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
  * alice: /ring | /ring OFF
        alice < Your line rings when somebody calls. | Your line does not ring any more.
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
  * alice: /ring ring -> Say /ring on or /ring off.
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
A call that is not answered is over after a while.
    carol's call rings at alice
    29 seconds pass
    1 second passes ; alice < carol tried to reach you. ; carol < alice does not answer.
    carol: /ring on -> Your line rings when somebody calls.
    alice: To:carol -> carol's line is ringing. ; carol < alice is calling. To:alice to answer.
Who does not read is not rung.
    alice: /ring on -> Your line rings when somebody calls.
    alice takes no more
    carol: To:alice -> alice is not reading at the moment.
    alice takes all
A caller who does not read can't be answered.
    carol's call rings at alice
    carol takes no more
    alice: To:carol -> carol is not reading at the moment.
    carol takes all
    alice: To:carol -> You are chatting with carol. ; carol < You are chatting with alice.
Who is answered has switched from whom they talked with.
    carol talks with dave in JSON
    alice: /ring on -> Your line rings when somebody calls.
    carol: to(name=alice) -> error(of=to, code=ringing, text=alice's line is ringing.)
        alice < carol is calling. To:carol to answer.
    dave: typing() ; carol < typing(from=dave)
    alice: To:carol -> You are chatting with carol. ; carol < paired(peer=alice)
        dave < left(peer=carol, why=switched)
A caller who is lost takes the call back.
    carol's call rings at alice
    carol is lost ; alice < carol tried to reach you.
    alice: To:carol -> The user carol does not exist.
    30 seconds pass
Both settings in JSON.
    alice, carol enter in JSON
    alice: dnd(on=false) -> dnd(on=false)
    alice: ring(on=true) -> ring(on=true)
    carol: to(name=alice) -> error(of=to, code=ringing, text=alice's line is ringing.)
        alice < ringing(name=carol)
    30 seconds pass ; alice < tried(name=carol) ; carol < unanswered(name=alice)
    alice: ring(on=false) -> ring(on=false)
    alice: dnd() -> error(of=dnd, code=bad-line, text=Object missing required field `on`)
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
What is set outlasts a drop of a plain user.
    alice: /block carol | /ring | /key
        alice < You have blocked carol. | Your line rings when somebody calls.
        alice < Your key is alice's key. After a drop, say Back:alice's key instead of a name.
    alice is lost
    carol: To:alice -> alice is talking with someone else.
    dave: To:alice -> alice's line is ringing.
    alice comes back as again ; again < OK | You are free. | dave is calling. To:dave to answer.
    carol: To:alice -> alice is talking with someone else.
    again: /dnd -> Nobody can call you now.
    again is lost
    dave: To:alice -> alice does not want to be disturbed.
Who comes back too late reads that the ringing is over.
    alice enters in JSON
    alice: ring(on=true) -> ring(on=true)
    alice is lost
    carol: To:alice -> alice's line is ringing.
    30 seconds pass ; carol < alice does not answer.
    alice comes back as again, having seen 2
        again < resumed(name=alice, peer=null, got=0) | ringing(name=carol) | tried(name=carol)
Who does not come back does not answer.
    alice enters in JSON
    alice: ring(on=true) -> ring(on=true)
    alice is lost
    40 seconds pass
    carol: To:alice -> alice's line is ringing.
    20 seconds pass ; carol < alice does not answer.
A new owner of a name has set nothing.
    alice enters
    alice: /dnd | /ring | /block carol
        alice < Nobody can call you now. | Your line rings when somebody calls.
        alice < You have blocked carol.
    alice is lost
    alice enters
    carol: To:alice -> You are chatting with alice. ; alice < You are chatting with carol.
"""


@scenes(SCENES)
def test_calls(exchange: Exchange, scene: str) -> None:
    play(exchange, scene)


RINGING = "alice's line is ringing."


def test_no_more_callers_ring_than_a_person_reads(exchange: Exchange) -> None:
    alice = exchange.enter("alice")
    alice.says("/ring on")
    callers = [exchange.enter(f"c{number}") for number in range(MAX_TRIED + 2)]
    for caller in callers:
        caller.says("To:alice")
    heard = [line for caller in callers for line in caller.heard()]
    assert heard == [RINGING] * MAX_TRIED + ["alice is not reading at the moment."] * 2
    calls = [f"c{number} is calling. To:c{number} to answer." for number in range(MAX_TRIED)]
    assert alice.heard()[1:] == calls
    exchange.clock.advance(1)
    callers[-1].says("To:alice")
    assert callers[-1].heard() == [RINGING]
    alice.says("To:c2")
    assert alice.heard()[1:] == [PAIRED.format("c2")]
    exchange.clock.advance(RING_SECONDS)
    assert callers[0].heard() == callers[-1].heard() == ["alice does not answer."]
