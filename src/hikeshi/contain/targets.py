# SPDX-License-Identifier: Apache-2.0
"""Which accounts to close, derived from the case: those of takeovers, and those entered from the same places."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Store
from hikeshi.cases.store.facts import Standing, standing
from hikeshi.contain.contract import Copies, Target


def targets(store: Store, only: Sequence[str], now: datetime) -> list[Target]:
    """Give the targets of the last investigation; of `only` these accounts, where any are named.

    What people corrected counts: an incident is a takeover if its verdict stands so, and none if it is ruled out. What is
    unusual-bulk is no target unless it is named, since its owner may have sent it. An account that the case does
    not know can be named as well; it is closed as of the first incident, or as of `now` (aware) where there is none.

    Raises:
        UsageError: there is nothing to close.

    """
    last = store.entries("investigation")[-1:]
    incidents = last[0].body["incidents"] if last else []
    domains = tuple(last[0].body["org_domains"]) if last else ()
    facts = standing(store)
    derived: dict[str, Target] = {}
    named = {name.lower(): _named(name.lower(), incidents, domains, now) for name in only}
    for one in incidents:
        taken = _is_takeover(facts, one)
        for target in _of_incident(one, domains, now):
            if taken:
                derived[target.account] = (
                    _joined(derived[target.account], target) if target.account in derived else target
                )
            elif target.account in named:
                named[target.account] = _joined(named[target.account], target)
    if only:
        return [derived.get(name, target) for name, target in named.items()]
    if not derived:
        raise UsageError(
            "the case knows no takeover, so there is nothing to close; investigate first, or name an account with "
            "--account ADDRESS"
        )
    return list(derived.values())


def _is_takeover(facts: Mapping[str, Standing], incident: dict[str, Any]) -> bool:
    stands = facts.get(f"incident/{incident['id']}/verdict")
    if stands is None:
        return bool(incident["verdict"] == "takeover")
    return stands.fact.value == "takeover" and stands.fact.status not in ("ruled_out", "not_confirmed")


def _of_incident(one: dict[str, Any], domains: tuple[str, ...], now: datetime) -> list[Target]:
    """Give the incident's account, and those that were entered from the same places."""
    foothold = one["foothold"]
    main = Target(
        account=one["account"],
        since=datetime.fromisoformat(foothold["since"]).astimezone(UTC),
        until=now,
        places=tuple(one["client_ips"]),
        own_domains=domains,
        forwards=tuple(foothold["forwards"]),
        copies=tuple(Copies(mailbox, tuple(ids)) for mailbox, ids in foothold["copies"].items()),
        unnamed=foothold["unnamed"],
    )
    return [main, *(replace(main, account=name, forwards=(), copies=(), unnamed=0) for name in foothold["also"])]


def _named(name: str, incidents: Sequence[dict[str, Any]], domains: tuple[str, ...], now: datetime) -> Target:
    """Give a target for an account that only a person names."""
    own = [one for one in incidents if one["account"] == name] or incidents
    since = min((datetime.fromisoformat(one["first_message_at"]).astimezone(UTC) for one in own), default=now)
    return Target(name, since, now, own_domains=domains)


def _joined(one: Target, other: Target) -> Target:
    """Make one target of two incidents of an account."""
    copies: dict[str, tuple[str, ...]] = {each.mailbox: each.message_ids for each in one.copies}
    for each in other.copies:
        copies[each.mailbox] = tuple(sorted({*copies.get(each.mailbox, ()), *each.message_ids}))
    return replace(
        one,
        since=min(one.since, other.since),
        places=tuple(sorted({*one.places, *other.places})),
        forwards=tuple(sorted({*one.forwards, *other.forwards})),
        copies=tuple(Copies(mailbox, ids) for mailbox, ids in sorted(copies.items())),
        unnamed=one.unnamed + other.unnamed,
    )
