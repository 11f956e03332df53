# SPDX-License-Identifier: Apache-2.0
"""What must not go out in public or to an authority: whose addresses, which names, which machines, which live links."""

import csv
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hikeshi.cases.store import Store
from hikeshi.wording.facts import Facts, Said
from hikeshi.wording.leaks import Known, leaks
from hikeshi.wording.lint import Lure, Problem

#: what stands where a name is asked for and names nobody
_OFFICES: Final = re.compile(r"(?:部|課|室|係|班|局|者|長|担当|窓口|システム|チーム)$")


@dataclass(frozen=True, slots=True)
class Private:
    """What a text must not show. `allowed` are addresses that may stand in it: the one that letters come from."""

    addresses: Known
    names: Collection[str]
    inner: Collection[str]
    lure: Lure
    allowed: Collection[str]

    def shown_in(self, text: str, *, where: str = "", indicators: bool = False) -> list[Problem]:
        """Give what of it a text shows; `where` says which text. `indicators`: its reader may see where it came from."""
        inner = () if indicators else self.inner
        found = leaks(text, self.names, inner, self.lure.urls, self.addresses, allowed=self.allowed)
        return [
            Problem(one.rule, one.severity, f"{where}: {one.where}" if where else one.where, one.says) for one in found
        ]


def private(store: Store, case: Path, facts: Facts) -> Private:
    """Give what of a case is for nobody outside: recipients, the account and its owner, who decided, inner machines."""
    accounts = [one.account for one in facts.incidents()]
    sender = facts.get("org.sender")
    subjects, urls = facts.get("lure.subject"), facts.get("lure.url")
    return Private(
        Known([*_recipients(case), *accounts]),
        sorted({*_people(store), *filter(None, map(_owner, accounts)), *_texts(facts.get("account.person"))}),
        sorted({ip for one in facts.incidents() for ip in _texts(one.get("client_ips"))}),
        Lure(_texts(subjects), accounts[0] if accounts else None, _texts(urls)),
        _texts(sender),
    )


def _recipients(case: Path) -> list[str]:
    path = case / "recipients.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8-sig", newline="") as file:
        # A cell that a spreadsheet would run as a formula has an apostrophe in front.
        return [row["address"].removeprefix("'") for row in csv.DictReader(file) if row.get("address")]


def _owner(account: str) -> str | None:
    """Give the name that an account's address spells, taro.yamada@… for example; None for a role."""
    parts = [one for one in re.split(r"[._-]+", account.partition("@")[0]) if one.isalpha() and len(one) > 1]
    return " ".join(parts) if len(parts) > 1 else None


def _people(store: Store) -> set[str]:
    """Give the names of those who decided and corrected; one word in Latin letters may be any word, and is let be."""
    names = {entry.who.strip() for entry in store.entries("decision", "fact", "bulletin", "submission")}
    return {
        name
        for name in names
        if (len(name.split()) > 1 or (not name.isascii() and len(name) > 1)) and not _OFFICES.search(name)
    }


def _texts(said: Said | None) -> list[str]:
    if said is None or not said.known:
        return []
    return [str(one) for one in (said.value if isinstance(said.value, list) else [said.value])]
