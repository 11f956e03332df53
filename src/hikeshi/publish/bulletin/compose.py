# SPDX-License-Identifier: Apache-2.0
"""Draws a bulletin out of the facts. What the case does not know stays unknown, and is said to be so."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

import jinja2

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Store
from hikeshi.publish.bulletin.blocks import one_line
from hikeshi.publish.bulletin.bulletin import Bulletin, Text
from hikeshi.publish.bulletin.changes import changes, frozen
from hikeshi.publish.bulletin.released import Bulletins, Released, tracked
from hikeshi.publish.bulletin.sections import LANGUAGES, SECTIONS, Language, Stage
from hikeshi.publish.public import public_incidents
from hikeshi.wording.asks import asks
from hikeshi.wording.asks import used as used_by_asks
from hikeshi.wording.facts import Facts, IncidentFacts, Said
from hikeshi.wording.text import Wording, environment, said
from hikeshi.wording.words import as_of as written_as_of
from hikeshi.wording.words import named

_ASKS: Final = ("ASK1", "ASK2", "ASK3", "ASK4", "ASK5", "ASK6", "ASK7")


def compose(store: Store, facts: Facts, past: Bulletins, *, stage: Stage, as_of: datetime) -> Bulletin:
    """Draw the next report of a case as of an aware time, in both languages.

    Raises:
        FactError: a fact that it needs is not in the case (the desk, for example), or cannot be told.
        UsageError: `as_of` lies before the last release; an earlier moment has its report already.

    """
    if past.released and as_of < past.released[-1].at:
        raise UsageError(f"{as_of.isoformat()}: lies before the report before, of {past.released[-1].at.isoformat()}")
    texts: dict[str, Text] = {}
    used: list[Said] = []
    for language in LANGUAGES:
        texts[language], printed = _written(facts, past, language, stage, as_of)
        used += printed
    drawn = Bulletin(past.next_number, stage, as_of, texts, frozen(used), past.corrections, {})
    return replace(drawn, tracking=tracked(store, past, drawn, as_of, "draft"))


def _written(
    facts: Facts, past: Bulletins, language: Language, stage: Stage, as_of: datetime
) -> tuple[Text, list[Said]]:
    wording = environment(language, facts, _loader())
    for name in ("n", "time"):
        wording.filters[name] = _dated(wording.filters[name])
    wording.filters["words"] = _dated(_words)
    template = wording.get_template(f"bulletin.{language}.txt.j2")
    wording.used.clear()
    context = _context(wording, past, stage, as_of)
    title = one_line("".join(template.blocks["title"](template.new_context(context))))
    sections: dict[str, str] = {}
    for section in SECTIONS:
        need = section.need(stage)
        if need == "never":
            continue
        context["required"] = need == "required"
        if section.id == "changes":
            before = past.before.facts if past.before else ()
            context["changes"] = changes(before, list(wording.used), language, lambda one: _told(wording, one))
        text = _tidy("".join(template.blocks[section.id](template.new_context(context))))
        if text:
            sections[section.id] = text
    for one in used_by_asks(facts, language):
        wording.take(one)
    return Text(title, sections), list(wording.used)


def _context(wording: Wording, past: Bulletins, stage: Stage, as_of: datetime) -> dict[str, Any]:
    facts, language = wording.facts, wording.language
    incidents = public_incidents(facts)
    exposed = facts.get("exposed.items")
    hours = facts.get("desk.hours")
    meaning = facts.get("occurred_at.meaning")
    damage = facts.get("secondary_damage")
    texts = asks(facts, language)
    return {
        "stage": stage,
        "number": said("report.number", past.next_number, "report"),
        "date": said("report.date", _iso(as_of, facts), "time"),
        "before": _before(past.released, facts),
        "incidents": incidents,
        "certain": _certain(facts, incidents),
        "exposed": "unknown" if exposed is None else exposed.status,
        "asks": [texts[name] for name in _ASKS],
        "domains": sorted({one.account.rpartition("@")[2] for one in incidents if "@" in one.account}),
        "lure_hosts": _hosts(facts, wording.take),
        "meaning": "" if meaning is None or not meaning.known or _unspecified(meaning) else _words(wording, meaning),
        "unspecified": meaning is not None and _unspecified(meaning),
        "always": hours is not None and "24" in str(hours.value) and "365" in str(hours.value),
        "zone_name": named(as_of.astimezone(facts.zone), language),
        "secondary_is_old": _is_old(damage, past.before),
        "uncertain": any(one.bounds and not one.corrected for each in incidents for one in each.facts.values()),
        "points": lambda key: _points(wording, key),
        "described": lambda key: isinstance(facts[key].value, str) and facts.known(key),
        "corrections": [{name: one_line(one[name]) for name in LANGUAGES} for one in past.corrections],
    }


def _certain(facts: Facts, incidents: Sequence[IncidentFacts]) -> bool:
    """Say whether people have confirmed that it was another hand: the tool itself only suspects (law 5)."""
    said_so = [facts.get("cause"), facts.get("incident.vector"), *(one.get("verdict") for one in incidents)]
    return any(one is not None and one.known and one.status == "confirmed" for one in said_so)


def _before(released: Sequence[Released], facts: Facts) -> dict[str, Said] | None:
    if not released:
        return None
    last = released[-1]
    return {
        "number": said("before.number", last.bulletin.number, "report"),
        "date": said("before.date", _iso(last.at, facts)[:10], "time"),
    }


def _is_old(damage: Said | None, before: Bulletin | None) -> bool:
    """Say whether nobody has looked at it since the report before: what was so then is not told as so now."""
    if damage is None or before is None or damage.as_of is None:
        return False
    return damage.as_of <= before.as_of


def _hosts(facts: Facts, take: Callable[[Said], Said]) -> list[str]:
    """Give the hosts that the lure leads to; the rest of an address may name its reader."""
    found = facts.get("lure.url")
    if found is None or not found.known:
        return []
    addresses = found.value if isinstance(found.value, list) else [found.value]
    take(found)
    return sorted({host for one in addresses if (host := _host(str(one)))})


def _host(address: str) -> str:
    whole = address.replace("hxxp", "http").replace("[.]", ".")
    try:
        return urlsplit(whole if "://" in whole else f"//{whole}").hostname or ""
    except ValueError:
        return ""


def _unspecified(meaning: Said) -> bool:
    return not meaning.known or str(meaning.value).strip().lower() == "unspecified"


def _points(wording: Wording, key: str) -> list[str]:
    one = wording.take(wording.facts[key])
    return [one_line(str(each)) for each in (one.value if isinstance(one.value, list) else [one.value])]


def _iso(time: datetime, facts: Facts) -> str:
    return time.astimezone(facts.zone).isoformat(timespec="minutes")


@jinja2.pass_environment
def _words(wording: Wording, one: Said) -> str:
    return one_line(wording.say(one))


def _dated(written: Callable[[Wording, Said], str]) -> Callable[[Wording, Said], str]:
    """Let a filter say as of when something is not confirmed: without a day that means nothing (L10)."""

    @jinja2.pass_environment
    def filtered(wording: Wording, one: Said) -> str:
        return _since(wording, one, written(wording, one))

    return filtered


def _since(wording: Wording, one: Said, text: str) -> str:
    if one.status != "not_confirmed" or one.as_of is None or not one.known:
        return text
    time = written_as_of(one, wording.facts.zone, wording.language)
    return f"{text}({time}現在)" if wording.language == "ja" else f"{text} as of {time}"


def _told(wording: Wording, one: Said) -> str:
    """Write a fact among the changes."""
    return _since(wording, one, one_line(wording.say(one)))


def _tidy(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _loader() -> jinja2.BaseLoader:
    folder = files("hikeshi.publish.bulletin")
    return jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8"))
