"""What the exchange knows, taken into a snapshot, and an exchange that knows it.

Here is read and set what each part else keeps for itself: a copy of all is what this is for.
tests/handover/test_models.py tells when one has something new.
"""

from bisect import insort
from functools import partial
from typing import Any

from chatpair.exchange import counted_inbox, keys, recalled_inbox, user
from chatpair.exchange.exchange import Exchange
from chatpair.exchange.held_lines import HeldLines
from chatpair.exchange.kept_events import text_bytes
from chatpair.exchange.limits import Pace
from chatpair.exchange.messages import Status
from chatpair.exchange.names import Name
from chatpair.handover import snapshot
from chatpair.handover.others import Others
from chatpair.handover.receipts import Receipts
from chatpair.handover.snapshot import GONE, Snapshot

# What is taken


def _key_of(others: Others, users: dict[str, user.User], one: user.User) -> str:
    far = others.key_of(one)
    if far is not None:
        return far
    return one.name.key if users.get(one.name.key) is one else GONE


def take_exchange(factory: Exchange, taken: Snapshot, others: Others) -> None:
    """Put into a snapshot what an exchange knows, but its connections."""
    users, held = factory.users, factory.held
    key_of = partial(_key_of, others, users)
    receipts = Receipts(key_of)
    taken.users = [_user(one, receipts) for one in users.values()]
    taken.last_came = users._last
    taken.pairs = {key_of(one): key_of(peer) for one, peer in factory.pairs.items()}
    until = factory.ringing._waiting
    taken.ringing = {
        key_of(caller): (key_of(callee), until.get(caller))
        for caller, callee in factory.ringing.items()
    }
    taken.late = [
        (tuple(receipts.numbers_of(some)), due) for some, due in factory.receipts._late.items()
    ]
    taken.held = {one.name.key: due for one, due in held._waiting.items()}
    taken.tokens, taken.words = _keyring(held._tokens), _keyring(held._words)
    taken.paces = factory.paces._due
    taken.new_names, taken.lost_keys = users._new_names._times, users._lost_keys._times
    taken.connects = factory.visitors._connects._times
    taken.node = others.take(receipts)
    taken.receipts = receipts.parts()
    wrong = _wrong_passwords(factory)
    if wrong is not None:
        for (name, host), forgotten_at in wrong._forget.items():
            count, until = wrong._counts[name, host]
            part = snapshot.WrongPasswords(name, host, count, until, forgotten_at)
            taken.wrong_passwords.append(part)


def _wrong_passwords(factory: Exchange) -> Any:
    return getattr(factory.users._accounts, "_wrong", None)


def _user(one: user.User, receipts: Receipts) -> snapshot.User:
    pace = (one.pace.due, one.pace.slowed, one.pace._since) if one.pace is not None else None
    return snapshot.User.of(one, inbox=_inbox(one.inbox, receipts), pace=pace)


def _inbox(
    inbox: user.Inbox, receipts: Receipts
) -> snapshot.Inbox | snapshot.RecalledInbox | snapshot.CountedInbox:
    waiting = receipts.numbers_of(inbox._receipts)
    match inbox:
        case recalled_inbox.RecalledInbox():
            lately = [(told.at, told.message, told.again) for told in inbox._lately]
            return snapshot.RecalledInbox.of(
                inbox, receipts=waiting, lately=lately, waiting=list(inbox._waiting)
            )
        case counted_inbox.CountedInbox():
            kept = [
                (event, receipts.numbers_of([receipt])[0] if receipt is not None else None)
                for event, receipt in inbox._kept
            ]
            return snapshot.CountedInbox.of(inbox, kept=kept)
        case _:
            return snapshot.Inbox(inbox.host, waiting)


def _keyring(ring: keys.Keyring[user.User]) -> snapshot.Keyring:
    return snapshot.Keyring(
        {owner.name.key: key.decode() for of in ring._keys.values() for owner, key in of.items()},
        {owner.name.key: count for owner, count in ring._near_misses.items()},
        ring._wrong._times,
    )


# What is restored


def restore_exchange(factory: Exchange, taken: Snapshot, others: Others) -> None:
    """Make an exchange, where nobody is yet, know what a snapshot has, but its connections."""
    _Restored(factory, taken, others)


class _Restored:
    """What is looked up while that is done."""

    def __init__(self, factory: Exchange, taken: Snapshot, others: Others) -> None:
        self._factory = factory
        self._clock = factory.clock
        users = factory.users
        for part in taken.users:
            self._enter(part)
        people = {**users, **others.restore_users(taken.node)}
        gone = user.User(Name("", GONE, ()), user.Inbox(user.LOST), 0.0)
        self._receipts = [
            user.Receipt(people.get(part.sender, gone), part.say, part.settled)
            for part in taken.receipts
        ]
        for part in taken.users:
            users[part.name.key].inbox = self._inbox(part.inbox)
        factory.pairs.update({people[one]: people[peer] for one, peer in taken.pairs.items()})
        for caller, (callee, _) in taken.ringing.items():
            factory.ringing[people[caller]] = people[callee]
        factory.ringing._waiting.restore(
            (people[caller], due) for caller, (_, due) in taken.ringing.items() if due is not None
        )
        factory.receipts._late.restore(
            (tuple(self._receipts[one] for one in some), due) for some, due in taken.late
        )
        self._hold(factory.held, taken)
        factory.paces._due = taken.paces
        users._last = taken.last_came
        users._new_names._times, users._lost_keys._times = taken.new_names, taken.lost_keys
        factory.visitors._connects._times = taken.connects
        wrong = _wrong_passwords(factory)
        if wrong is not None:
            parts = {(part.name, part.host): part for part in taken.wrong_passwords}
            wrong._counts = {key: (part.count, part.until) for key, part in parts.items()}
            wrong._forget.restore((key, part.forgotten_at) for key, part in parts.items())
        others.restore(taken.node, people, self._receipts)

    def _enter(self, part: snapshot.User) -> None:
        users = self._factory.users
        one = users[part.name.key] = user.User(part.name, user.Inbox(user.LOST), part.since)
        users._names.add(one.name)
        insort(users._keys, one.name.key)
        part.copy_to(one, "inbox", "pace")
        rate = self._factory.settings.rate
        if rate:
            one.pace = Pace(self._clock, rate, *(part.pace or ()))

    def _inbox(
        self, part: snapshot.Inbox | snapshot.RecalledInbox | snapshot.CountedInbox
    ) -> user.Inbox:
        if isinstance(part, snapshot.CountedInbox):
            return self._counted(part)
        inbox = user.Inbox(user.LOST)
        inbox.host = part.host
        inbox._receipts = tuple(self._receipts[one] for one in part.receipts)
        return inbox if isinstance(part, snapshot.Inbox) else self._recalled(part, inbox)

    def _recalled(
        self, part: snapshot.RecalledInbox, before: user.Inbox
    ) -> recalled_inbox.RecalledInbox:
        inbox = recalled_inbox.RecalledInbox(before, self._clock)
        part.copy_to(inbox, "receipts", "lately", "waiting")
        for told in part.lately:
            inbox._keep(recalled_inbox._Told(*told))
        if any(again for _, _, again in part.lately):
            self._clock.callLater(recalled_inbox.ARRIVAL_SECONDS, inbox._look_what_arrived)
        for event in part.waiting:
            inbox._waiting.append(event, text_bytes(event), recalled_inbox._lines(event))
        return inbox

    def _counted(self, part: snapshot.CountedInbox) -> counted_inbox.CountedInbox:
        inbox = counted_inbox.CountedInbox(user.LOST)
        part.copy_to(inbox, "kept")
        for event, number in part.kept:
            receipt = self._receipts[number] if number is not None else None
            inbox._kept.append((event, receipt), text_bytes(event))
            inbox._statuses += isinstance(event, Status)
        return inbox

    def _hold(self, held: HeldLines, taken: Snapshot) -> None:
        users = self._factory.users
        for ring, part in ((held._tokens, taken.tokens), (held._words, taken.words)):
            if part is not None:
                for owner, key in part.keys.items():
                    ring.add(key, users[owner])
                ring._near_misses.update({users[one]: n for one, n in part.near_misses.items()})
                ring._wrong._times = part.wrong
        for one in taken.held:
            held.count(users[one])
        held._waiting.restore((users[one], due) for one, due in taken.held.items())
