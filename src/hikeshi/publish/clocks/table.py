# SPDX-License-Identifier: Apache-2.0
"""The clocks for people: a line each and what may start them; in detail also source, questions and items of each."""

from collections.abc import Iterator
from datetime import tzinfo

from rich.cells import cell_len

from hikeshi.cases.store.facts import Fact
from hikeshi.publish.clocks import words
from hikeshi.publish.clocks.clock import Clock, Clocks
from hikeshi.publish.clocks.submissions import Submission
from hikeshi.publish.clocks.words import Lang, moment, span, utc

_LABEL = 12


def table(told: Clocks, lang: Lang, *, detailed: bool) -> str:
    """Give the clocks as text."""
    lines = [words.TITLE.said(lang).format(now=moment(told.now, told.zone, lang)), words.NO_ADVICE.said(lang)]
    if told.as_if is not None:
        lines.append(words.AS_IF.said(lang).format(day=told.as_if))
    lines += ["", *_overview(told, lang), "", *_starts(told, lang)]
    if detailed:
        for one in told.clocks:
            lines += ["", *_details(one, told.zone, lang)]
    elif told.clocks:
        names = ", ".join(sorted({one.regime.regime for one in told.clocks}))
        lines += ["", words.MORE.said(lang).format(names=names)]
    if told.proposed:
        lines += ["", words.PROPOSED.said(lang).format(rules=", ".join(rule.id for rule in told.proposed))]
    return "\n".join(_plain(line).rstrip() for line in lines)


def _plain(line: str) -> str:
    """Give a line of what people entered as one line, without signs that would steer a terminal."""
    return "".join(sign if sign.isprintable() else " " for sign in line)


def _overview(told: Clocks, lang: Lang) -> list[str]:
    if not told.clocks:
        return [words.NOTHING.said(lang)]
    heads = [one.said(lang) for one in words.HEADS]
    rows = [heads, *(_row(one, told, lang) for one in told.clocks)]
    widths = [max(cell_len(row[column]) for row in rows) for column in range(len(heads))]
    return ["  ".join(_padded(cell, width) for cell, width in zip(row, widths, strict=True)) for row in rows]


def _row(one: Clock, told: Clocks, lang: Lang) -> list[str]:
    due = words.NO_DAYS.said(lang) if one.rule.period is None else "–"
    if one.due is not None:
        due = moment(one.due.at, one.due.at.tzinfo or told.zone, lang)
    state = words.STATES[one.state].said(lang)
    needed = "?" if one.decision is None else _choice(one.decision.choice, lang)
    known = sum(each.completeness == "complete" for each in one.items)
    items = f"{known}/{len(one.items)}" if one.items else "–"
    return [due, _left(one, told, lang), state, needed, items, one.rule.id, _what(one, lang)]


def _choice(choice: str, lang: Lang) -> str:
    return words.CHOSEN[choice].said(lang) if choice in words.CHOSEN else choice


def _left(one: Clock, told: Clocks, lang: Lang) -> str:
    left = one.remaining(told.now)
    if one.late is not None and one.state == "met":
        return words.LATE.said(lang).format(span=span(one.late, lang))
    if left is None:
        return "–"
    return span(left, lang) if left.total_seconds() >= 0 else words.OVER.said(lang).format(span=span(-left, lang))


def _what(one: Clock, lang: Lang) -> str:
    return f"{one.rule.stage.said(lang)} → {one.rule.to.said(lang)}"


def _padded(text: str, width: int) -> str:
    """Pad for a terminal, where a Japanese sign takes two places."""
    return text + " " * (width - cell_len(text))


def _starts(told: Clocks, lang: Lang) -> list[str]:
    lines = [words.STARTS.said(lang)] if told.candidates else []
    lines += [
        f"{'*' if one.knowledge else ' '} {moment(one.time, told.zone, lang)}  {one.name}: {one.says.said(lang)} [{one.source}]"
        for one in told.candidates
    ]
    if not any(one.knowledge for one in told.candidates):
        lines.append(words.NO_STARTS.said(lang))
    return lines


def _details(one: Clock, zone: tzinfo, lang: Lang) -> Iterator[str]:
    rule = one.rule
    yield f"{rule.id} {rule.version}: {_what(one, lang)} ({words.FORCES[rule.force].said(lang)})"
    yield from _timing(one, zone, lang)
    yield _line(words.SOURCE.said(lang), _source(one, lang))
    if rule.note is not None:
        yield _line(words.NOTE.said(lang), rule.note.said(lang))
    yield _line(words.NEEDED.said(lang), _need(one, zone, lang))
    if one.decision is None:
        for asked in one.asks.values():
            yield _line("", f"- {asked.ja if lang == 'ja' else asked.en}")
    yield from _items(one, lang)
    for each in one.submissions:
        yield _line(words.HANDED_IN.said(lang), _proof(each, zone, lang))
    for change in one.changed:
        yield _line(words.CHANGED.said(lang), f"{change.key}: {_value(change.before)} → {_value(change.after)}")


def _timing(one: Clock, zone: tzinfo, lang: Lang) -> Iterator[str]:
    if one.start is not None:
        parts = [moment(one.start.time, zone, lang), one.start.name]
        if one.start.decided is not None:
            parts.append(words.BY.said(lang).format(who=one.start.decided.who, why=one.start.decided.why))
        if one.start.provisional:
            parts.append(words.PROVISIONAL.said(lang))
        yield _line(words.FROM.said(lang), "; ".join(parts))
    if one.due is not None:
        at = one.due.at
        parts = [f"{moment(at, at.tzinfo or zone, lang)} = {utc(at)}"]
        if one.due.early is not None:
            early = moment(one.due.early, one.due.early.tzinfo or zone, lang)
            parts.append(words.EARLY.said(lang).format(time=early))
        if one.due.counted != one.due.last_day:
            parts.append(words.MOVED.said(lang).format(day=one.due.counted))
        yield _line(words.DUE.said(lang), "; ".join(parts))


def _source(one: Clock, lang: Lang) -> str:
    source = one.rule.source
    parts = [f"{source.law} {source.article}", source.guideline, source.url]
    parts.append(words.VERIFIED.said(lang).format(day=source.verified_on))
    if source.unsure is not None:
        parts.append(words.UNSURE.said(lang).format(what=source.unsure.said(lang)))
    return "; ".join(part for part in parts if part)


def _need(one: Clock, zone: tzinfo, lang: Lang) -> str:
    if one.decision is None:
        return words.UNDECIDED.said(lang).format(rule=one.rule.id)
    time = moment(one.decision.time, zone, lang)
    return words.DECIDED.said(lang).format(
        choice=_choice(one.decision.choice, lang), who=one.decision.who, time=time, why=one.decision.why
    )


def _items(one: Clock, lang: Lang) -> Iterator[str]:
    if not one.items:
        return
    known = sum(each.completeness == "complete" for each in one.items)
    parts = [words.COMPLETE.said(lang).format(known=known, all=len(one.items))]
    if one.rule.needs == "known":
        parts.append(words.AS_KNOWN.said(lang))
    yield _line(words.ITEMS.said(lang), "; ".join(parts))
    for each in one.items:
        text = each.item.ja if lang == "ja" else each.item.en
        missing = f" [{', '.join(each.missing)}]" if each.missing else ""
        yield _line("", f"- {text}: {words.COMPLETENESS[each.completeness].said(lang)}{missing}")


def _proof(one: Submission, zone: tzinfo, lang: Lang) -> str:
    what = one.proof.get("file") or one.proof.get("text")
    proof = f"{what} (SHA-256 {one.proof['sha256']})"
    return words.PROOF.said(lang).format(time=moment(one.at, zone, lang), who=one.who, why=one.why, proof=proof)


def _value(fact: Fact | None) -> str:
    if fact is None:
        return "–"
    value = ", ".join(map(str, fact.value)) if isinstance(fact.value, list) else fact.value
    unit = f" {fact.unit}" if fact.unit and fact.unit != "time" else ""
    return f"{'–' if value is None else value}{unit} ({fact.status})"


def _line(label: str, text: str) -> str:
    return f"  {_padded(label, _LABEL)} {text}"
