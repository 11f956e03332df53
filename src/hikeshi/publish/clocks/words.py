# SPDX-License-Identifier: Apache-2.0
"""The words of the clocks for people, in both languages, and how times and spans are written."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, Literal

from hikeshi.publish.clocks.rule import Words

Lang = Literal["en", "ja"]

_WEEKDAYS: Final = {"en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), "ja": tuple("月火水木金土日")}

STATES: Final = {
    "not started": Words("not started", "起算点なし"),
    "open": Words("open", "未了"),
    "running": Words("running", "進行中"),
    "due soon": Words("due soon", "期限間近"),
    "overdue": Words("OVERDUE", "期限超過"),
    "met": Words("met", "提出済み"),
    "not needed": Words("not needed", "不要と判断"),
}
FORCES: Final = {
    "statute": Words("statute", "法令"),
    "guideline": Words("guideline's yardstick", "ガイドラインの目安"),
    "endeavour": Words("endeavour", "努力義務"),
    "contract": Words("contract", "契約"),
    "voluntary": Words("voluntary", "任意"),
}
TITLE: Final = Words("clocks at {now}", "{now} 現在の期限")
NO_ADVICE: Final = Words(
    "Counted, not judged: whether a report is needed is for people to decide. This is no legal advice.",
    "これは計算であり判断ではありません。報告の要否は人が決めます。法的助言ではありません。",
)
AS_IF: Final = Words("HYPOTHETICAL: by the rules of {day}", "仮定: {day} 時点の規則を当てはめています")
NOTHING: Final = Words("No rule was in force then.", "当時有効な規則はありません。")
PROPOSED: Final = Words("proposed, not in force: {rules}", "提案段階で未施行: {rules}")
STARTS: Final = Words("it may run from (* shows that somebody knew)", "起算点の候補(* は誰かが知ったことを示すもの)")
NO_STARTS: Final = Words(
    "Nothing says when anybody knew: hikeshi case correct clock/start/reported TIME --case DIR --who NAME --why REASON",
    "知った時刻が登録されていません: hikeshi case correct clock/start/reported 時刻 --case DIR --who 氏名 --why 理由",
)
HEADS: Final = (
    Words("due", "期限"),
    Words("left", "残り"),
    Words("state", "状態"),
    Words("needed", "要否"),
    Words("items", "項目"),
    Words("rule", "規則"),
    Words("report → to", "報告 → 宛先"),
)
NO_DAYS: Final = Words("promptly", "速やかに")
LATE: Final = Words("late by {span}", "{span}遅れ")
OVER: Final = Words("{span} over", "{span}超過")
FROM: Final = Words("from", "起算")
BY: Final = Words("chosen by {who}: {why}", "{who} が選択: {why}")
PROVISIONAL: Final = Words("provisional, until that is handed in", "暫定(提出されるまで)")
DUE: Final = Words("due", "期限")
EARLY: Final = Words("better by {time}", "できれば {time} まで")
MOVED: Final = Words("moved from {day}, which is closed", "{day} が閉庁日のため繰り延べ")
SOURCE: Final = Words("source", "根拠")
VERIFIED: Final = Words("read on {day}", "{day} に確認")
UNSURE: Final = Words("unsure: {what}", "未確認: {what}")
NOTE: Final = Words("note", "注")
NEEDED: Final = Words("needed?", "要否")
UNDECIDED: Final = Words(
    "undecided: hikeshi clocks decide {rule} --choice needed|not-needed --case DIR --who NAME --why REASON",
    "未決定: hikeshi clocks decide {rule} --choice needed|not-needed --case DIR --who 氏名 --why 理由",
)
MORE: Final = Words(
    "questions, sources and items: hikeshi clocks --case DIR --regime NAME ({names})",
    "質問・根拠・項目: hikeshi clocks --case DIR --regime 名前 --lang ja({names})",
)
CHOSEN: Final = {"needed": Words("needed", "必要"), "not-needed": Words("not needed", "不要")}
DECIDED: Final = Words("{choice}, decided by {who} on {time}: {why}", "{choice}({who} が {time} に決定: {why})")
ITEMS: Final = Words("items", "項目")
COMPLETE: Final = Words("{known} of {all} known", "{all}件中{known}件を把握")
AS_KNOWN: Final = Words("what is known by then is enough", "その時点で把握しているもので足ります")
COMPLETENESS: Final = {
    "complete": Words("known", "把握"),
    "partial": Words("in part", "一部"),
    "said unknown": Words("said to be unknown", "不明と登録"),
    "missing": Words("missing", "不足"),
}
HANDED_IN: Final = Words("handed in", "提出")
PROOF: Final = Words("{time} by {who} ({why}); proof {proof}", "{time} {who}({why})、証跡 {proof}")
CHANGED: Final = Words("changed since", "提出後の変更")


def moment(time: datetime, zone: tzinfo, lang: Lang) -> str:
    """Write a moment to the second in a zone, with its offset and weekday."""
    local = time.astimezone(zone)
    offset = local.strftime("%z")
    return f"{local:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]} {_WEEKDAYS[lang][local.weekday()]}"


def utc(time: datetime) -> str:
    """Write a moment in UTC, to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(length: timedelta, lang: Lang) -> str:
    """Write a positive span in its two largest units; what is under a minute is one."""
    minutes = max(1, int(length.total_seconds()) // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    units = (" d", " h", " min") if lang == "en" else ("日", "時間", "分")
    parts = [f"{number}{unit}" for number, unit in zip((days, hours, minutes), units, strict=True) if number]
    return (" " if lang == "en" else "").join(parts[:2])
