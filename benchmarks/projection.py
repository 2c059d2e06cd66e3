"""What 10 and 100 nodes carry, worked out from what 2 were measured to cost.

All costs are microseconds of CPU, all limits are those of one core a node and one core a shard of
the engine. docs/cluster.rst says what is assumed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.report import Figures, Results, medians, simple_table

SECOND = 1e6
"""Microseconds of CPU that a core has in a second."""

NODES = (2, 3, 10, 100)
MOST_NODES = 10_000

LINE_SECONDS = 10
SESSION_SECONDS = 600
"""How often a user, where users are counted, says a line; comes, and calls somebody."""

HEARTBEATS = 1.0
"""How many a node sends in a second, at the default lease of 10 s."""

TALKS = {"quiet": "pingpong-1", "busy": "pingpong-100", "bulk": "window"}


@dataclass(frozen=True)
class Talk:
    """What a line costs in one way of talking, as it was measured with 2 nodes."""

    local: float  # its node
    across: float  # both nodes together
    engine: float
    entries: float


@dataclass(frozen=True)
class Coming:
    """What a session costs: a name claimed and released."""

    node: float
    engine: float


@dataclass(frozen=True)
class Beat:
    """What a heartbeat costs the engine: some, and more for each member there is."""

    fixed: float
    member: float

    def load(self, nodes: int) -> float:
        """Return what all heartbeats of a second cost in a cluster of so many."""
        return nodes * HEARTBEATS * (self.fixed + nodes * self.member)


@dataclass(frozen=True)
class Split:
    """A cost of a line in two: that of an entry, and that of a line whatever entry it is in.

    It is a straight line through two measured points; either part may be below 0.
    """

    entry: float
    line: float

    @classmethod
    def of(cls, points: Sequence[tuple[float, float]]) -> Split:
        """Work it out from the entries and the costs of a line in two ways of talking."""
        (some, dear), (few, cheap) = points
        if some - few < 0.05 * some:  # nothing was gathered, so there is nothing to tell apart
            return cls(cheap / few, 0.0)
        entry = (dear - cheap) / (some - few)
        return cls(entry, dear - some * entry)

    def at(self, entries: float) -> float:
        """Return what a line costs where there are so many entries a line."""
        return self.line + entries * self.entry

    def __str__(self) -> str:
        return f"{self.line:.1f} us a line and {self.entry:.1f} us an entry"


def spread(entries: float, nodes: int) -> float:
    """Return how many entries a line there are with many nodes, from how many with 2.

    With 2 nodes all lines that a turn has for others go to one node, so a turn has 1 / entries
    of them. With more, they go to as many different nodes as chance has it.
    """
    others, lines = nodes - 1, max(1 / entries, 1.0)
    reached = others * (1 - math.pow(1 - 1 / others, lines))
    return entries * reached


def share_across(nodes: int) -> float:
    """Return the share of lines that go to another node, if who talks to whom is chance."""
    return (nodes - 1) / nodes


class Costs:
    """All that was measured with 2 nodes, and what follows for more."""

    def __init__(
        self, talks: Mapping[str, Talk], sparse: float, coming: Coming | None, beat: Beat | None
    ) -> None:
        """Take how many entries a line there are where everybody says something now and then.

        Where two take turns there is one: each acknowledges with the next line.
        """
        self.talks = talks
        self.sparse = sparse
        self.coming = coming
        self.beat = beat
        pair = [talks["quiet"], talks["busy"]]
        self.engine = Split.of([(talk.entries, talk.engine) for talk in pair])
        self.hop = Split.of([(talk.entries, talk.across - talk.local) for talk in pair])

    def entries(self, way: str, nodes: int) -> float:
        """Return how many entries a line there are; in bulk a line is in an entry of many."""
        its = self.talks[way].entries
        return spread(its, nodes) if way == "busy" else self.sparse if way == "quiet" else its

    def engine_us(self, way: str, nodes: int) -> float:
        """Return what a line costs the engine, the lines that stay on a node counted in."""
        its = self.engine.at(self.entries(way, nodes)) if way != "bulk" else self.talks[way].engine
        return share_across(nodes) * its

    def nodes_us(self, way: str, nodes: int) -> float:
        """Return what a line costs all nodes together, the same way."""
        talk = self.talks[way]
        hop = self.hop.at(self.entries(way, nodes)) if way != "bulk" else talk.across - talk.local
        return talk.local + share_across(nodes) * hop

    def nodes_limit(self, way: str, nodes: int) -> float:
        """Return how many lines a second the nodes carry."""
        return nodes * SECOND / self.nodes_us(way, nodes)

    def engine_limit(self, way: str, nodes: int) -> float:
        """Return how many lines a second one shard carries, heartbeats apart."""
        return SECOND / self.engine_us(way, nodes)

    def most_nodes(self, way: str) -> int | None:
        """Return up to how many nodes one shard keeps up with, if there is an end to it."""
        for nodes in range(2, MOST_NODES):
            if self.nodes_limit(way, nodes) > self.engine_limit(way, nodes):
                return nodes - 1
        return None


# Reading


def read_results(path: Path) -> Results:
    """Return the runs of a file of --json."""
    results: dict[tuple[str, str], list[Figures]] = {}
    for run in json.loads(path.read_text())["runs"]:
        figures = {key: value for key, value in run.items() if not isinstance(value, str)}
        results.setdefault((run["workload"], run["server"]), []).append(figures)
    return results


def costs_of(results: Results) -> Costs | None:
    """Return the costs, if all ways of talking were measured with 2 nodes, and sparse lines."""
    talks = {}
    for way, workload in TALKS.items():
        if not all(results.get((workload, f"2 {where}")) for where in ("local", "across")):
            return None
        local = medians(results[workload, "2 local"])
        across = medians(results[workload, "2 across"])
        talks[way] = Talk(local["cpu_us"], across["cpu_us"], across["engine_us"], across["entries"])
    sparse = next((medians(runs) for (name, _), runs in results.items() if name == "sparse"), None)
    if sparse is None:
        return None
    return Costs(talks, sparse["entries"], _coming(results), _beat(results))


def _coming(results: Results) -> Coming | None:
    runs = results.get(("churn", "2 local"))
    if not runs:
        return None
    figures = medians(runs)
    return Coming(figures["cpu_us"], figures["engine_us"])


def _beat(results: Results) -> Beat | None:
    found = {
        workload: medians(runs)["engine_us"]
        for (workload, _), runs in results.items()
        if workload in ("members-10", "members-100")
    }
    if len(found) < 2:
        return None
    member = max(found["members-100"] - found["members-10"], 0) / 90
    return Beat(max(found["members-10"] - 10 * member, 0), member)


# Telling


def project(results: Results) -> str:
    """Return what 10 and 100 nodes carry, as tables; nothing if too little was measured."""
    costs = costs_of(results)
    if costs is None:
        return ""
    return "\n".join(
        [
            *_hop_told(results),
            *_costs_told(costs, results),
            *_lines_told(costs),
            *_users_told(costs),
        ]
    )


def _hop_told(results: Results) -> Iterator[str]:
    local = medians(results["pingpong-1", "2 local"])
    across = medians(results["pingpong-1", "2 across"])
    yield (
        f"At low load the hop adds {across['p50_us'] - local['p50_us']:.0f} us to a line's p50; "
        f"a PING takes {across['ping_us']:.0f} us."
    )
    yield ""


def _costs_told(costs: Costs, results: Results) -> Iterator[str]:
    yield "What a line costs, us of CPU, as measured with 2 nodes:"
    yield ""
    rows = [["", "local", "across", "across : local", "engine", "entries"]]
    for way, talk in costs.talks.items():
        rows.append(
            [
                f"{way} ({TALKS[way]})",
                f"{talk.local:.2f}",
                f"{talk.across:.2f}",
                f"{talk.across / talk.local:.2f}",
                f"{talk.engine:.2f}",
                f"{talk.entries:.2f}",
            ]
        )
    yield from simple_table(rows)
    yield ""
    yield f"So the engine takes {costs.engine}, and the hop takes {costs.hop} of the nodes."
    yield f"Where each says a line now and then, there are {costs.sparse:.2f} entries a line."
    if runs := results.get(("pingpong-100", "3 across")):
        figures = medians(runs)
        entries = costs.entries("busy", 3)
        yield (
            f"That makes {entries:.2f} entries and {costs.engine.at(entries):.2f} us of the engine "
            f"a busy line across 3 nodes; measured: {figures['entries']:.2f} and "
            f"{figures['engine_us']:.2f} us."
        )
    yield ""


def _lines_told(costs: Costs) -> Iterator[str]:
    yield "Lines a second that the nodes, and one shard of the engine, carry:"
    yield ""
    ways = list(TALKS)
    rows = [["nodes", "across", *(f"{way}, {who}" for way in ways for who in ("nodes", "engine"))]]
    for nodes in NODES:
        limits = (
            limit(way, nodes) for way in ways for limit in (costs.nodes_limit, costs.engine_limit)
        )
        rows.append([str(nodes), f"{share_across(nodes):.0%}", *(f"{it:,.0f}" for it in limits)])
    yield from simple_table(rows)
    yield ""
    for way in ways:
        most = costs.most_nodes(way)
        told = (
            f"keeps up with {most} nodes" if most else f"keeps up with {MOST_NODES} nodes or more"
        )
        yield f"{way}: one shard {told} at their limit."
    yield ""


def _users_told(costs: Costs) -> Iterator[str]:
    coming, beat = costs.coming, costs.beat
    if coming is None or beat is None:
        return
    yield (
        f"A session costs the nodes {coming.node:.0f} us and the engine {coming.engine:.0f} us; a "
        f"heartbeat costs the engine {beat.fixed:.0f} us and {beat.member:.2f} us for each member."
    )
    yield (
        f"Users who say a line in {LINE_SECONDS} s and stay for {SESSION_SECONDS} s, and the "
        "shards that all inboxes need beside the directory's:"
    )
    yield ""
    rows = [
        ["nodes", "heartbeats", "nodes carry", "one shard carries", "directory carries", "shards"]
    ]
    for nodes in NODES:
        users = Users.of(costs, coming, beat, nodes)
        rows.append(
            [
                str(nodes),
                f"{beat.load(nodes) / SECOND:.1%}",
                f"{users.nodes:,.0f}",
                f"{users.shard:,.0f}",
                f"{users.directory:,.0f}",
                str(users.shards),
            ]
        )
    yield from simple_table(rows)
    yield ""


@dataclass(frozen=True)
class Users:
    """How many each part of a cluster carries, if every line is an entry of its own."""

    nodes: float
    shard: float  # with directory and inboxes on it
    directory: float  # with nothing else on its shard
    shards: int  # of the inboxes, for as many users as nodes and directory carry

    @classmethod
    def of(cls, costs: Costs, coming: Coming, beat: Beat, nodes: int) -> Users:
        """Work it out for a cluster of so many nodes."""
        said = costs.engine_us("quiet", nodes) / LINE_SECONDS
        # A call looks one name up, which is half of claiming and releasing one.
        looked_up = 1.5 * coming.engine / SESSION_SECONDS
        node_us = costs.nodes_us("quiet", nodes) / LINE_SECONDS + coming.node / SESSION_SECONDS
        left = max(SECOND - beat.load(nodes), 0)
        carried, directory = nodes * SECOND / node_us, left / looked_up
        shards = math.ceil(min(carried, directory) * said / SECOND)
        return cls(carried, left / (said + looked_up), directory, shards)
