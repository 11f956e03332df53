# SPDX-License-Identifier: Apache-2.0
"""The sections of a bulletin in their order, and which report must have which."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

#: first and final are one each; whatever comes between them is a second one, whatever its number
Stage = Literal["first", "second", "final"]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
#: required: the section says at least that nothing is known yet. known: it is there once a fact is. never: too early.
Need = Literal["required", "known", "never"]
Language = Literal["ja", "en"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)


@dataclass(frozen=True, slots=True)
class Section:
    """A section: its name in the ledger and on the page, its heading, and how each stage needs it."""

    id: str
    ja: str
    en: str
    first: Need = "required"
    second: Need = "required"
    final: Need = "required"

    def heading(self, language: str) -> str:
        """Give the heading in a language."""
        return self.ja if language == "ja" else self.en

    def need(self, stage: Stage) -> Need:
        """Say how a stage needs it."""
        return {"first": self.first, "second": self.second, "final": self.final}[stage]


#: after the public notices of ten organisations and the guidance of 8 March 2023 on sharing and publishing; what readers
#: must do stands before what happened
SECTIONS: Final = (
    Section("plain", "やさしい日本語", "In short"),
    Section("summary", "要旨とお詫び", "Summary and apology"),
    Section("asks", "まずお願いしたいこと", "What we ask you to do first"),
    Section("recognise", "該当するメールの見分け方", "How to recognise these mails"),
    Section("timeline", "発生・発覚と経緯", "What happened, and when"),
    Section("cause", "原因", "Cause", first="known"),
    Section("scope", "影響範囲", "Whom and what it reached", first="known"),
    Section("information", "漏えいの可能性がある情報", "Information that may have been seen"),
    Section("secondary", "二次被害", "Harm that followed"),
    Section("actions", "対応状況", "What we have done"),
    Section("authorities", "関係機関への報告", "Authorities told", first="known"),
    Section("prevention", "再発防止策", "So that it does not happen again", first="never"),
    Section("next", "今後の予定", "What comes next"),
    Section("desk", "お問い合わせ窓口", "Whom to ask"),
    Section("changes", "前報からの変更・訂正", "Changes since the report before", first="never"),
)
