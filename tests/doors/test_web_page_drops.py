"""The page in a real browser goes on after drops, reloads, and a server that died."""

import signal
from itertools import count

from tests.support.browser import Page, Pages
from tests.support.proxy import Proxy
from tests.support.server import WEB, Server

BEGINS_ANEW = "The server does not know you any more, so you begin anew."


def test_a_reload_resumes(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    alice.says("To:bob", "before")
    assert [bob.line(), bob.text()] == ["You are chatting with alice.", "before"]
    alice.marked("sent")
    alice.here().get("about:blank")
    assert bob.line() == "alice has lost the connection. What you say is kept for a while."
    bob.says("while you were away")
    alice.here().get(f"http://127.0.0.1:{web.web_port}/")
    assert bob.line() == "alice is back."
    alice.stands("alice", "with bob", "connected")
    alice.shows(
        *("Welcome, alice.", "You are chatting with bob.", "alice: before"),
        *("Connected again.", "bob: while you were away"),
    )
    for number in range(3):
        alice.says(f"and on {number}")
        alice.reload()
        assert bob.text() == f"and on {number}"
        held, back = bob.line(), bob.line()
        assert (held[:24], back) == ("alice has lost the conne", "alice is back.")
    alice.marked(*["sent"] * 4)


def test_a_tab_that_was_closed_may_go_on_in_another(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    bob.calls("alice")
    alice.stands("alice", "with bob", "connected")
    alice.here().close()
    pages.driver.switch_to.window(pages.driver.window_handles[0])
    assert bob.line() == "alice has lost the connection. What you say is kept for a while."
    bob.says("while you were away")
    again = pages.open(web.web_port, remembers=True)
    back = again.find("#back")
    assert back.text == "You were here a moment ago as alice: go on"
    back.click()
    again.shows("Connected again.", "bob: while you were away")
    again.stands("alice", "with bob", "connected")
    assert bob.line() == "alice is back."
    assert not pages.open(web.web_port, remembers=True).find("#back").is_displayed()


def test_a_dropped_connection_resumes(web: Server, pages: Pages) -> None:
    with Proxy(web.web_port) as proxy:
        alice, bob = pages.open(int(proxy.address[2]), "alice"), web.client("bob")
        alice.says("To:bob")
        assert bob.line() == "You are chatting with alice."
        alice.stands("alice", "with bob", "connected")
        proxy.cut()
        assert bob.line() == "alice has lost the connection. What you say is kept for a while."
        alice.shows("The connection is lost. Trying again.")
        alice.stands("alice", "with bob", "not connected")
        bob.says("one", "two")
        alice.says("three", "four")
        alice.marked("waiting", "waiting")
        alice.stands("alice", "with bob", "not connected", "waiting")
        proxy.mend()
        assert [bob.line(), bob.text(), bob.text()] == ["alice is back.", "three", "four"]
        alice.marked(*["sent"] * 2)
        assert sorted(alice.shown()[2:]) == [
            *("Connected again.", "The connection is lost. Trying again."),
            *("alice: four", "alice: three", "bob: one", "bob: two"),
        ]


def test_what_is_on_its_way_is_for_no_other_of_that_name(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    alice.says("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.run(
        """const { send } = WebSocket.prototype;
        WebSocket.prototype.send = function (data) {
          if (data.includes("secret")) window.arrive = () => send.call(this, data);
          else send.call(this, data);
        };"""
    )
    alice.says("a secret for bob")
    alice.marked("waiting")
    bob.says("Quit")
    assert bob.line() == "Quit"
    eve = web.client("bob")
    eve.says("To:alice")
    assert eve.line() == "You are chatting with alice."
    alice.run("arrive()")
    alice.marked("not delivered")
    alice.says("hello again")
    assert eve.text() == "hello again"


def test_a_connection_that_only_looks_alive_is_given_up(web: Server, pages: Pages) -> None:
    alice = pages.open(web.web_port, "alice")
    alice.run(
        """const { send } = WebSocket.prototype, { now } = Date;
        window.lost = [];
        WebSocket.prototype.send = function (data) {
          window.dead ??= this;
          if (this === dead) lost.push(data);
          else send.call(this, data);
        };
        dispatchEvent(new Event("online"));
        Date.now = () => now.call(Date) + 6_000; // the answer is due, as soon as it looks"""
    )
    assert '{"do":"ping"}' in alice.run("return lost")
    alice.shows("Welcome, alice.", "The connection is lost. Trying again.", "Connected again.")


def test_connections_cut_again_and_again_lose_nothing(web: Server, pages: Pages) -> None:
    # The first ones carry the page.
    with Proxy(web.web_port, *[100_000] * 5, 1_200, 1_700, 2_200) as proxy:
        alice, bob = pages.open(int(proxy.address[2]), "alice"), pages.open(web.web_port, "bob")
        alice.says("To:bob")
        bob.shows("You are chatting with alice.")
        said: list[str] = []
        for number in count():
            if not proxy.limits_left:
                break
            said.append(f"number {number}")
            alice.says(said[-1])
            bob.says(said[-1])
        alice.marked(*["arrived"] * len(said))
        bob.marked(*["arrived"] * len(said))
        for page, sender in ((bob, "alice"), (alice, "bob")):
            heard = [line for line in page.shown() if line.startswith(f"{sender}: ")]
            assert heard == [f"{sender}: {text}" for text in said]


def test_a_peer_whose_connection_drops(web: Server, pages: Pages) -> None:
    alice = pages.open(web.web_port, "alice")
    bob = pages.open(web.web_port, "bob")
    bob.says("To:alice")
    alice.stands("alice", "with bob", "connected")
    bob.here().get("about:blank")
    alice.stands("alice", "with bob, who has lost the connection", "connected")
    alice.says("are you there?")
    alice.marked("waiting")
    alice.reload()
    alice.stands("alice", "with bob, who has lost the connection", "connected")
    comes_and_goes = (
        "alice has lost the connection. What you say is kept for a while.",
        "alice is back.",
    )
    bob.here().back()  # to a page that the browser has kept
    bob.shows("Connected again.", "alice: are you there?", *comes_and_goes)
    alice.stands("alice", "with bob", "connected", "arrived")


def test_the_server_stops_or_dies_and_returns(pages: Pages) -> None:
    with Server(port=WEB) as web:
        alice, bob = pages.open(web.web_port, "alice"), pages.open(web.web_port, "bob")
        again = f"web:tcp:{web.web_port}:interface=127.0.0.1"
        bob.says("To:alice")
        alice.shows("You are chatting with bob.")
        assert web.stop() == -signal.SIGTERM
        alice.shows(
            "bob has left.", "The server is stopping.", "The connection is lost. Trying again."
        )
    with Server(port=again) as web:
        for page, name in ((alice, "alice"), (bob, "bob")):
            page.shows(BEGINS_ANEW, "Connected again.")
            page.stands(name, "with nobody", "connected")
        alice.says("To:bob")
        bob.shows("You are chatting with alice.")
        alice.stands("alice", "with bob", "connected")
        web.kill(signal.SIGKILL)
        web.wait()
        alice.shows("The connection is lost. Trying again.")
        alice.says("is it?")
    with Server(port=again):
        for page, name in ((alice, "alice"), (bob, "bob")):
            page.until(lambda: page.shown().count(BEGINS_ANEW) == 2, BEGINS_ANEW)  # noqa: B023
            page.shows("Connected again.")
            assert page.status()[:3] == [name, "with nobody", "connected"]
        alice.marked("not delivered")
        bob.says("To:alice", "here we are")
        alice.shows("bob: here we are")


def test_a_server_that_is_full_for_a_while(pages: Pages) -> None:
    with Server("--max-users", "1", port=WEB) as web:
        bob = web.client("bob")
        page = pages.open(web.web_port)
        page.enters("alice")
        page.until(lambda: page.find("#refusal").text == "The server is full.", "refusal")
        bob.says("Quit")
        page.shows("Welcome, alice.")


def test_a_tab_that_is_doubled_does_not_fight(web: Server, pages: Pages) -> None:
    alice, bob = pages.open(web.web_port, "alice"), web.client("bob")
    alice.says("To:bob")
    assert bob.line() == "You are chatting with alice."
    alice.stands("alice", "with bob", "connected")
    before = set(alice.here().window_handles)
    alice.run("window.open('/')")  # which copies what is kept
    alice.shows("Another connection has taken this line over.")
    alice.stands(
        *("alice", "with bob"), "not connected: Another connection has taken this line over."
    )
    [handle] = set(alice.here().window_handles) - before
    alice.driver.switch_to.window(handle)
    double = Page(alice.driver, None)
    double.stands("alice", "with bob", "connected")
    double.says("from the other")
    assert bob.text() == "from the other"
    bob.says("to the other")
    double.shows("bob: to the other")
    assert not alice.find("#text").is_enabled()
    alice.find("#again").click()
    alice.shows("Connected again.")
    double.shows("Another connection has taken this line over.")
    alice.says("here again")
    assert bob.text() == "here again"
