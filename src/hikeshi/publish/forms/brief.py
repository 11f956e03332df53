# SPDX-License-Identifier: Apache-2.0
"""One page for the management: what is known, assumed and not known, what is due, what has to be decided now.

Numbers and times come from the facts and the clocks; what only a person can judge is left open and marked.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import jinja2

from hikeshi.publish.bulletin.blocks import one_line
from hikeshi.publish.bulletin.released import Bulletins
from hikeshi.publish.bulletin.sections import Language
from hikeshi.publish.clocks.clock import Clock, Clocks
from hikeshi.publish.clocks.words import FORCES, STATES, moment, span
from hikeshi.publish.labels import label
from hikeshi.publish.public import public_incidents
from hikeshi.wording.facts import Facts, Said
from hikeshi.wording.text import Wording, defang, environment, said

#: as many of a kind as one page holds
_MOST: Final = 9
_GAPS: Final = 14
_DUE: Final = 6
#: what a brief is about, in this order; an incident's by the last part of their keys
_KEYS: Final = (
    "occurred_at",
    "discovered_at",
    "discovery.channel",
    "contained_at",
    "cause",
    "incident.vector",
    "account.count",
    "account.role",
    "exposed.items",
    "exposed.period",
    "exposed.persons",
    "exposed.organisations",
    "recipients.kind",
    "measures.done",
)
#: one says the other, too
_EITHER: Final = dict.fromkeys(("cause", "incident.vector"), ("cause", "incident.vector"))
_OF_INCIDENT: Final = ("messages", "addresses", "delivered", "first_message_at", "last_message_at")
_HEADINGS: Final = {
    "state": ("状態", "State"),
    "known": ("分かっていること(確認済み)", "What we know (confirmed)"),
    "assumed": ("推定していること(未確認)", "What we assume (not confirmed)"),
    "unknown": ("分かっていないこと", "What we do not know"),
    "clocks": ("期限(次に来るものから)", "Deadlines, next first"),
    "decisions": ("今、決めていただきたいこと", "Decisions needed now"),
    "outside": ("社外の状況", "Outside"),
    "next": ("次回", "Next"),
}


@dataclass(frozen=True, slots=True)
class Brief:
    """The page in one language: title, and heading and text (in the form of `blocks`) of each part."""

    title: str
    parts: tuple[tuple[str, str], ...]

    def markdown(self) -> str:
        """Give it as Markdown."""
        lines = [f"# {self.title}", ""]
        for heading, text in self.parts:
            lines += [f"## {heading}", ""]
            for line in text.splitlines():
                term, bar, words = line.partition(" | ")
                lines.append(f"- {term}: {words}" if bar else line)
            lines.append("")
        return "\n".join(lines)


def brief(facts: Facts, told: Clocks, past: Bulletins, language: Language) -> Brief:
    """Draw the page as of the moment of the clocks `told`.

    Raises:
        FactError: a fact cannot be told.

    """
    wording = environment(language, facts, _loader())
    template = wording.get_template(f"brief.{language}.txt.j2")
    context = _context(wording, told, past)
    made = {name: "".join(block(template.new_context(context))).strip() for name, block in template.blocks.items()}
    column = 0 if language == "ja" else 1
    parts = [(words[column], _tidy(made[name])) for name, words in _HEADINGS.items()]
    return Brief(one_line(made["title"]), tuple(parts))


def _context(wording: Wording, told: Clocks, past: Bulletins) -> dict[str, Any]:
    facts, language = wording.facts, wording.language
    there = list(_told(facts))
    missing = [key for key in _KEYS if not any(facts.known(other) for other in _EITHER.get(key, (key,)))]
    damage = facts.get("secondary_damage")
    name = facts["incident.label"] if facts.known("incident.label") else None
    return {
        "label": wording.say(name)
        if name
        else {"ja": "メールアカウントの不正使用", "en": "Mailbox takeover"}[language],
        "date": said("brief.date", told.now.astimezone(facts.zone).isoformat(timespec="minutes"), "time"),
        "state": _state(past, language),
        "known": _first([_line(wording, one) for one in there if one.status in ("confirmed", "ruled_out")], language),
        "assumed": _first(
            [_line(wording, one) for one in there if one.status in ("suspected", "not_confirmed")], language
        ),
        "unknown": _first(list(dict.fromkeys(label(key, language) or key for key in missing)), language, _GAPS),
        "clocks": [_clock(one, told, language) for one in _next(told)][:_DUE],
        "decisions": list(_open(told, past, language)),
        "damage": damage if damage is not None and damage.status != "unknown" else None,
        "bulletins": _state(past, language),
    }


def _first(lines: list[str], language: Language, most: int = _MOST) -> list[str]:
    """Give as many lines as one page holds, and say how many more there are."""
    if len(lines) <= most:
        return lines
    more = len(lines) - most
    return [
        *lines[:most],
        {"ja": f"ほか {more} 件(hikeshi case show)", "en": f"and {more} more (hikeshi case show)"}[language],
    ]


def _told(facts: Facts) -> Iterator[Said]:
    for one in public_incidents(facts):
        yield from (one[key] for key in _OF_INCIDENT if key in one.facts and one[key].known)
    yield from (facts[key] for key in _KEYS if facts.known(key))


def _line(wording: Wording, one: Said) -> str:
    colon = ": "
    return one_line(f"{label(one.key, wording.language) or one.key}{colon}{defang(wording.say(one))}")


def _next(told: Clocks) -> list[Clock]:
    return [one for one in told.clocks if one.live and one.due is not None]


def _clock(one: Clock, told: Clocks, language: Language) -> str:
    left = one.remaining(told.now)
    due = moment(one.due.at, told.zone, language) if one.due else ""
    words = {"ja": ("残り", "超過", "要否未決定"), "en": ("left", "over", "need not decided")}[language]
    rest = "" if left is None else f"{span(abs(left), language)} {words[left.total_seconds() < 0]}"
    if language == "ja":
        rest = "" if left is None else f"{words[left.total_seconds() < 0]}{span(abs(left), language)}"
    undecided = f", {words[2]}" if one.decision is None else ""
    name = f"{one.regime.title.said(language)} {one.rule.stage.said(language)}"
    return (
        f"{due} {name} ({FORCES[one.rule.force].said(language)}, {STATES[one.state].said(language)}, {rest}{undecided})"
    )


def _open(told: Clocks, past: Bulletins, language: Language) -> Iterator[str]:
    """Give what waits for a person, with what can be chosen."""
    undecided = [one for one in told.clocks if one.live and one.decision is None]
    if undecided:
        names = ", ".join(one.rule.id for one in undecided[:_MOST])
        yield {
            "ja": f"報告の要否({len(undecided)}件): 必要・不要を、理由を付けて決定({names})",
            "en": f"whether {len(undecided)} reports are needed: needed or not, with a reason ({names})",
        }[language]
    if past.draft is not None:
        yield {
            "ja": f"第{past.draft.number}報の下書き: 承認・差し戻し",
            "en": f"the draft of report {past.draft.number}: approve or refuse",
        }[language]
    elif not past.released:
        yield {
            "ja": "第1報の公表: 公表する・時期を待つ(理由を記録)",
            "en": "publishing a first report: now, or when and why later",
        }[language]


def _state(past: Bulletins, language: Language) -> str:
    if not past.released:
        return {"ja": "未公表", "en": "nothing published"}[language]
    last = past.released[-1].bulletin
    final = last.stage == "final"
    return {
        "ja": f"第{last.number}報まで公表{'(最終報)' if final else ''}",
        "en": f"published up to report {last.number}{' (final)' if final else ''}",
    }[language]


def _tidy(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _loader() -> jinja2.BaseLoader:
    folder = files("hikeshi.publish.forms")
    return jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8"))


def headings(language: Language) -> Sequence[str]:
    """Give the headings of the page in their order."""
    return [words[0 if language == "ja" else 1] for words in _HEADINGS.values()]
