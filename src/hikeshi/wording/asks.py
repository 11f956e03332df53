# SPDX-License-Identifier: Apache-2.0
"""What readers are asked to do, and never to do: ASK1 to ASK7 (disclosure.md 3.5), as texts in both languages.

"Delete" comes after "tell your own IT": a mail deleted at once by everybody is evidence that nobody has any more.
"""

from typing import Final

from hikeshi.wording import words
from hikeshi.wording.facts import Facts, Language, Said

#: the facts of the desk that ASK7 prints
DESK: Final = ("desk.name", "desk.phone", "desk.hours")
TEXTS: Final = {
    "ja": {
        "ASK1": "該当するメールは開かず、直ちに削除してください。会社などの組織で受信された場合は、削除する前に、所属先の情報システム担当へご連絡ください。",
        "ASK2": "メールに記載されたURLや添付ファイルを開かないでください。",
        "ASK3": "画面が開いても、IDやパスワードを入力しないでください。",
        "ASK4": (
            "すでに入力された場合は、直ちに、別の端末からパスワードを変更してください。同じパスワードを使う他のサービスでも変更してください。"
            "多要素認証を有効にし、サインインの履歴と転送の設定をご確認のうえ、下記の窓口へご連絡ください。"
        ),
        "ASK5": "該当するメールに返信や転送をしないでください。振込先の変更などの依頼を受けた場合は、以前からご存じの電話番号で相手にご確認ください。",
        "ASK6": "当社がパスワードや暗証番号をお尋ねすることはありません。",
        "ASK7": "お問い合わせは、{name}(電話 {phone}、受付時間 {hours})へお願いいたします。",
    },
    "en": {
        "ASK1": (
            "Do not open the email. If you received it at work, tell your IT or security desk first; then delete it at once."
        ),
        "ASK2": "Do not open any links or attachments in it.",
        "ASK3": "Even if a page opens, never enter an ID or a password.",
        "ASK4": (
            "If you have already entered a password: change it at once from another device, and change it on every other "
            "service where you use the same one. Turn on multi-factor authentication, sign out all other sessions, check your "
            "sign-in history and forwarding settings, and call the desk below."
        ),
        "ASK5": (
            "Do not reply to the email or forward it. If you are asked to change bank or payment details, check it by calling "
            "a phone number that you already knew."
        ),
        "ASK6": "We never ask for your passwords.",
        "ASK7": "Please contact {name}: phone {phone}, open {hours}.",
    },
}


def asks(facts: Facts, language: Language) -> dict[str, str]:
    """Give the asks, ASK1 to ASK7.

    Raises:
        MissingFactError: the case does not know the desk's name, phone or hours.

    """
    spoken = facts.spoken(language)
    name, phone, hours = (words.plain(spoken[key], language) for key in DESK)
    return {key: text.format(name=name, phone=phone, hours=hours) for key, text in TEXTS[language].items()}


def used(facts: Facts, language: Language) -> list[Said]:
    """Give the facts that the asks print, for `Document.facts_used`."""
    spoken = facts.spoken(language)
    return [spoken[key] for key in DESK]
