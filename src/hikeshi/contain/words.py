# SPDX-License-Identifier: Apache-2.0
"""A plan and its outcome for people, and as JSON. Whoever reads it at 2 a.m. sees what is touched, what is not, what is unseen.

Names of rules and the like come from far sides, so from intruders: no sign of theirs moves a terminal's cursor.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from hikeshi.cases.store.canonical import storable
from hikeshi.contain.contract import Phase, Reading, Step, Words
from hikeshi.contain.journal import Progress, State
from hikeshi.contain.plan import Plan
from hikeshi.contain.recheck import due

Language = Literal["en", "ja"]

_PHASES: Final[Mapping[Phase, Words]] = {
    Phase.STOP: {"en": "Nothing more goes out", "ja": "これ以上送らせない"},
    Phase.CLOSE: {"en": "Who is in is out", "ja": "入っている者を締め出す"},
    Phase.CLEAN: {"en": "What would let them in again is gone", "ja": "再侵入の足がかりを除く"},
    Phase.PURGE: {"en": "The lure is out of our mailboxes", "ja": "社内のメールボックスからわなのメールを除く"},
    Phase.SEAL: {"en": "The account is shut", "ja": "アカウントを停止する"},
}
_STATES: Final[Mapping[State, Words]] = {
    State.PLANNED: {"en": "planned", "ja": "予定"},
    State.BEGUN: {"en": "begun, outcome unknown", "ja": "開始済み・結果不明"},
    State.DONE: {"en": "done, not yet read", "ja": "実行済み・未確認"},
    State.VERIFIED: {"en": "VERIFIED", "ja": "確認済み"},
    State.ALREADY: {"en": "already so", "ja": "以前からその状態"},
    State.WAITING: {"en": "WAITING, run again", "ja": "待機中・再実行が必要"},
    State.REFUSED: {"en": "REFUSED", "ja": "拒否"},
    State.FAILED: {"en": "FAILED", "ja": "失敗"},
    State.NOT_VERIFIED: {"en": "NOT VERIFIED, it does not stand", "ja": "確認できず・成立していない"},
    State.REOPENED: {"en": "REOPENED, it stands no more", "ja": "再び開いている"},
    State.UNDOING: {"en": "being taken back", "ja": "取り消し中"},
    State.UNDONE: {"en": "taken back", "ja": "取り消し済み"},
    State.UNDO_FAILED: {"en": "NOT TAKEN BACK", "ja": "取り消し失敗"},
}
_SAYS: Final[Mapping[str, Words]] = {
    "plan": {"en": "Plan {id}, made {made}", "ja": "計画 {id}({made} 作成)"},
    "touched": {
        "en": "WILL BE TOUCHED: {accounts} accounts and {mailboxes} mailboxes, in {steps} steps",
        "ja": "操作の対象: アカウント {accounts} 件、メールボックス {mailboxes} 件、手順 {steps} 件",
    },
    "nothing": {"en": "NOTHING WILL BE TOUCHED", "ja": "操作の対象はありません"},
    "shown": {"en": "FOUND AND NOT TOUCHED: {count}", "ja": "見つかったが操作しないもの: {count} 件"},
    "gaps": {"en": "CANNOT BE SEEN: {count}", "ja": "確認できない範囲: {count} 件"},
    "asks": {"en": "asks   {text}", "ja": "要求   {text}"},
    "why": {"en": "why    {text}", "ja": "理由   {text}"},
    "undo": {"en": "undo   {text}", "ja": "取消   {text}"},
    "never": {"en": "undo   CANNOT BE UNDONE", "ja": "取消   元に戻せません"},
    "why_not": {"en": "left   {text}", "ja": "対象外 {text}"},
    "before": {"en": "before {text}", "ja": "以前   {text}"},
    "after": {"en": "now    {text}", "ja": "現在   {text}"},
    "says": {"en": "says   {text}", "ja": "詳細   {text}"},
    "next": {"en": "next reading {time}", "ja": "次の確認 {time}"},
    "outcome": {
        "en": "{stand} of {all} steps stand by a reading; {open} do not",
        "ja": "{all} 件中 {stand} 件が確認済み、{open} 件が未成立",
    },
}


def plan_text(plan: Plan, language: Language = "en") -> str:
    """Give the plan as lines for a terminal: first what is touched in all, last what is not and what cannot be seen."""
    return "\n".join(_plan_lines(plan, language)) + "\n"


def outcome_text(plan: Plan, progress: Mapping[str, Progress], language: Language = "en") -> str:
    """Give how far each step is, with what stood before and what stands now, as lines for a terminal."""
    stand = sum(one.stands for one in progress.values())
    lines = [_say("outcome", language, stand=stand, all=len(progress), open=len(progress) - stand)]
    for number, step in enumerate(plan.steps, 1):
        known = progress[step.key]
        lines.append(f"{number:>3}  {_STATES[known.state][language]}: {_name(step)}")
        if known.before is not None:
            lines.append(_detail("before", known.before.says, language))
        if known.after is not None and known.state not in (State.ALREADY, State.BEGUN):
            lines.append(_detail("after", known.after.says, language))
        if known.says and (known.after is None or known.says != known.after.says):
            lines.append(_detail("says", known.says, language))
    times = [time for one in progress.values() if (time := due(one)) is not None]
    if times:
        lines.append(_say("next", language, time=_time(min(times))))
    return "\n".join(lines) + "\n"


def plan_document(plan: Plan, progress: Mapping[str, Progress] | None = None) -> dict[str, Any]:
    """Give the plan as plain JSON, each step with its state, and what stood before and after where that was read."""
    document = {
        "schema": "hikeshi.plan/1",
        "id": plan.id,
        "made": plan.made.isoformat(),
        "targets": [msgspec.to_builtins(one) for one in plan.targets],
        "steps": [_step(step, (progress or {}).get(step.key, Progress())) for step in plan.steps],
        "shown": [msgspec.to_builtins(one) for one in plan.shown],
        "gaps": [msgspec.to_builtins(one) for one in plan.gaps],
    }
    found: dict[str, Any] = _storable(document)
    return found


def plain(text: str) -> str:
    """Give a text of a far side on one line, with every sign that a terminal would obey or hide written as an escape."""
    return "".join(one if one.isprintable() else _escape(one) for one in text)


def _plan_lines(plan: Plan, language: Language) -> Iterator[str]:
    yield _say("plan", language, id=plan.id, made=_time(plan.made))
    accounts = {step.account for step in plan.steps if step.phase != Phase.PURGE}
    mailboxes = {step.account for step in plan.steps if step.phase == Phase.PURGE}
    if plan.steps:
        yield _say(
            "touched", language, accounts=f"{len(accounts):,}", mailboxes=f"{len(mailboxes):,}", steps=len(plan.steps)
        )
        for account in sorted(accounts):
            yield f"  {plain(account)}"
    else:
        yield _say("nothing", language)
    yield _say("shown", language, count=f"{len(plan.shown):,}")
    yield _say("gaps", language, count=f"{len(plan.gaps):,}")
    phase = None
    for number, step in enumerate(plan.steps, 1):
        if step.phase != phase:
            phase = step.phase
            yield f"\n{_PHASES[phase][language]}"
        yield f"{number:>3}  {_name(step)}"
        yield _detail("asks", step.request, language)
        yield _detail("why", step.why[language], language)
        yield _detail("undo", step.undo[language], language) if step.undo else " " * 5 + _say("never", language)
    if plan.shown:
        yield "\n" + _say("shown", language, count=f"{len(plan.shown):,}")
    for one in plan.shown:
        yield f"  -  {plain(one.connector)}: {plain(one.account)}: {plain(one.object)}: {plain(one.what[language])}"
        yield _detail("why_not", one.why_not[language], language)
    if plan.gaps:
        yield "\n" + _say("gaps", language, count=f"{len(plan.gaps):,}")
    for gap in plan.gaps:
        yield f"  ?  {plain(gap.connector)}: {plain(gap.says[language])}"


def _step(step: Step, known: Progress) -> dict[str, Any]:
    return {
        "key": step.key,
        **msgspec.to_builtins(step),
        "phase": step.phase.name.lower(),
        "state": known.state.value,
        "says": known.says,
        "attempt": known.attempt,
        "since": None if known.since is None else known.since.isoformat(),
        "before": _reading(known.before),
        "after": _reading(known.after),
        "stands_since": None if known.stands_since is None else known.stands_since.isoformat(),
        "next_reading": None if (time := due(known)) is None else time.isoformat(),
    }


def _reading(found: Reading | None) -> Any:
    return None if found is None else msgspec.to_builtins(found)


def _name(step: Step) -> str:
    thing = f": {plain(step.object)}" if step.object else ""
    return f"{plain(step.connector)} {plain(step.operation)}: {plain(step.account)}{thing}"


def _detail(which: str, text: str, language: Language) -> str:
    return " " * 5 + _say(which, language, text=plain(text))


def _say(which: str, language: Language, **values: object) -> str:
    return _SAYS[which][language].format(**values)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"


def _escape(sign: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(sign) or f"\\u{{{ord(sign):x}}}"


def _storable(value: Any) -> Any:
    """Give plain JSON whose texts are all UTF-8: names of files on far sides need not be."""
    match value:
        case str():
            return storable(value)
        case list() | tuple():
            return [_storable(one) for one in value]
        case dict():
            return {storable(key): _storable(one) for key, one in value.items()}
        case _:
            return value
