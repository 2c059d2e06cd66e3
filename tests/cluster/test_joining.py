"""Who stands in the way of a node that joins: what is left of dead ones, or alive."""

from chatpair.cluster.joining import Obstacle


def test_who_does_not_change_is_dead_in_time() -> None:
    rival = Obstacle()
    assert rival.if_dead(100) == ""
    assert not rival.meet("a.1 1:5:0", 8, 10, 100)
    assert rival.if_dead(107) == ""
    assert rival.if_dead(108) == "a.1 1:5:0"
    assert not rival.meet("a.1 1:6:0", 8, 10, 108)
    assert rival.if_dead(115) == ""
    rival.forget()
    assert rival.if_dead(200) == ""


def test_who_goes_on_changing_is_alive() -> None:
    rival = Obstacle()
    assert not rival.meet("a.1 1:5:0", 8, 10, 100)
    assert not rival.meet("a.1 1:6:0", 8, 10, 109)
    assert not rival.meet("a.1 1:6:0", 8, 10, 111)
    assert rival.meet("a.1 1:7:0", 8, 10, 112)
    others = Obstacle()
    assert not others.meet("b.1 1:5:0", 8, 0, 100)
    assert not others.meet("b.1 1:5:0", 8, 0, 101)
    assert others.meet("b.1 1:6:0", 8, 0, 102)
