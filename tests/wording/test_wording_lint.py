# SPDX-License-Identifier: Apache-2.0
"""Every rule: documents that keep it, and what breaks it, in both languages."""

from dataclasses import replace
from email.message import EmailMessage

import pytest
from sound import LURE, careful, sound

from hikeshi.wording.facts import Said
from hikeshi.wording.lint import lint

BOTH = [(kind, language) for kind in ("bulletin", "letter") for language in ("ja", "en")]


def rules(document, severity="error"):
    return {one.rule for one in lint(document) if one.severity == severity}


def saying(kind, language, sentence, **changes):
    good = sound(kind, language, **changes)
    return replace(good, text=f"{good.text}\n\n{sentence}\n")


@pytest.mark.parametrize(("kind", "language"), BOTH)
def test_a_document_that_keeps_every_rule_has_no_problem(kind, language):
    assert lint(sound(kind, language)) == []


@pytest.mark.parametrize(
    ("rule", "language", "sentence"),
    [
        ("L01", "ja", "詳しくは添付のPDFをご確認ください。"),
        ("L01", "en", "Please see the attached file."),
        ("L01", "en", '<img src="cid:one">'),
        ("L01", "en", "More at bit.ly/abc"),
        ("L02", "ja", "詳しくは https://www.example.test/news をご覧ください。"),
        ("L02", "ja", "詳しくはwww.example.testをご覧ください。"),
        ("L02", "en", "See example.com/news"),
        ("L02", "en", "See example.com for more."),
        ("L02", "en", "See ｈｔｔｐｓ://example.com"),
        ("L02", "en", "Write to mailto:desk@example.test"),
        ("L06", "ja", "ご本人確認のため、生年月日をご返信ください。"),
        ("L06", "ja", "IDとパスワードを入力してください。"),
        ("L06", "en", "Please confirm your account."),
        ("L06", "en", "Please reply with your date of birth."),
        ("L08", "ja", "誘導先は login.example.net でした。"),
        ("L08", "en", "The page was at https://login.example.net/owa/"),
        ("L08", "en", "> Dear customer, the invoice"),
        ("L10", "ja", "情報の漏えいはありません。"),
        ("L10", "ja", "個人情報の流出はございませんでした。"),
        ("L10", "ja", "二次被害は発生していません。"),
        ("L10", "ja", "お客様の情報が漏えいしました。"),
        ("L10", "ja", "ほかの悪用は確認されていません。"),
        ("L10", "en", "There was no leak."),
        ("L10", "en", "No customer data was leaked."),
        ("L10", "en", "A leak has occurred."),
        ("L10", "en", "Further copies have not been confirmed."),
        ("L11", "ja", "ほかに300通が送信されました。"),
        ("L11", "ja", "その数は1,220です。"),
        ("L11", "ja", "1,220名の方に送信されました。"),
        ("L11", "ja", "1,220件のメールアドレスが含まれています。"),
        ("L11", "ja", "数百通が送信されました。"),
        ("L11", "ja", "三百通が送信されました。"),
        ("L11", "ja", "侵入は2026年2月27日に始まりました。"),
        ("L11", "en", "Another 300 emails were sent."),
        ("L11", "en", "1,220 people received them."),
        ("L11", "en", "The total is 1,220."),
        ("L11", "en", "Hundreds of emails were sent."),
        ("L11", "en", "It began on 27 February 2026."),
        ("L12", "ja", "2026年3月1日17時05分54秒に始まりました。"),
        ("L12", "en", "It began on 1 March 2026, 17:05:54."),
        ("L14", "ja", "赤字の箇所をご確認ください。"),
        ("L14", "en", "The part in red is new."),
    ],
)
@pytest.mark.parametrize("kind", ["bulletin", "letter"])
def test_a_sentence_that_breaks_a_rule_is_found(kind, rule, language, sentence):
    assert rules(saying(kind, language, sentence)) == {rule} | (
        {"L02"} if rule == "L08" and "login" in sentence else set()
    ) | ({"L02"} if "bit.ly" in sentence else set())


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("ja", "当社ホームページの「重要なお知らせ」をご覧ください。"),
        ("ja", "hxxps://login[.]example[.]net に誘導されます。"),
        ("ja", "送信元は incident@example.test です。"),
        ("ja", "パスワードを入力してしまった場合は、パスワードを変更してください。"),
        ("ja", "パスワードの入力を求める画面にご注意ください。"),
        ("ja", "情報の漏えいの有無を調査しています。"),
        ("ja", "漏えいはないと断定できる状況にはなく、調査を続けています。"),
        ("ja", "1,220通のメールが1,180宛先に送信されました。"),
        ("ja", "1,220件のフィッシングメールが送信されました。"),
        ("ja", "第1報としてお知らせします。"),
        ("ja", "2段階認証をご利用ください。"),
        ("ja", "Microsoft 365 を利用しています。"),
        ("ja", "お一人ずつ個別にご連絡しています。"),
        ("ja", "悪用の報告は、2026年3月3日9時00分(日本時間)現在、確認されていません。"),
        ("en", "Our page is called Important notices."),
        ("en", "The page was hxxps://login[.]example[.]net/owa."),
        ("en", "We never ask you to confirm your password."),
        ("en", "We are checking whether there was a leak."),
        ("en", "1,220 phishing emails went to 1,180 email addresses at 640 organisations."),
        ("en", "Turn on 2-step verification."),
        ("en", "As of 3 March 2026, 09:00 (JST), no misuse has been confirmed."),
    ],
)
def test_a_sentence_that_only_looks_like_it_is_not(language, sentence):
    assert rules(saying("letter", language, sentence)) == set()


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("L01", {"headers": {"From": "incident@example.test", "Content-Type": "text/html"}}),
        ("L03", {"headers": {"From": "Taro <TARO.Yamada@example.test>"}}),
        ("L03", {"headers": {"From": "incident@example.test", "Reply-To": "taro.yamada+x@example.test"}}),
        ("L03", {"headers": {"From": "Mihon <info@mihon-incident.example>"}}),
        ("L03", {"headers": {"To": "hanako@example.com"}}),
        ("L05", {"headers": {"From": "incident@example.test", "Cc": "all@example.test"}}),
        ("L05", {"headers": {"From": "incident@example.test", "bcc": "all@example.test"}}),
        ("L05", {"headers": {"From": "incident@example.test", "To": "hanako@example.com, ichiro@example.com"}}),
        ("L05", {"headers": {"From": "incident@example.test", "To": "ichiro@example.com"}}),
        ("L07", {"headers": {"From": "incident@example.test", "In-Reply-To": "<1@example.net>"}}),
        ("L07", {"subject": "お詫びとお知らせ(第1報)"}),
        ("L07", {"subject": "【見本製作所】(第1報)"}),
        ("L07", {"subject": "【見本製作所】お詫びとお知らせ"}),
        ("L07", {"subject": "【至急】見本製作所 お詫びとお知らせ(第1報)"}),
        ("L07", {"subject": "Re: 【見本製作所】お詫びとお知らせ(第1報)"}),
        ("L07", {"subject": "【見本製作所】請求書の 再送について お詫びとお知らせ(第1報)"}),
        ("L05", {"others": ["ichiro@example.com"], "headers": {"From": "incident@example.test", "X-Group": "ICHIRO@EXAMPLE.COM"}}),
    ],
)  # fmt: skip
def test_a_letter_that_is_addressed_wrongly_is_found(rule, changes):
    assert rules(sound("letter", "ja", **changes)) == {rule}


def test_a_letter_may_show_the_mailbox_it_is_about_and_a_bulletin_may_not():
    sentence = "送信元は taro.yamada@example.test です。"
    assert rules(saying("letter", "ja", sentence)) == set()
    assert rules(saying("bulletin", "ja", sentence)) == {"L09"}
    role = replace(LURE, account="sales@example.test")
    assert rules(saying("bulletin", "ja", "送信元は sales@example.test です。", lure=role)) == set()


@pytest.mark.parametrize(
    "sentence", ["担当は山田 太郎です。", "接続元は 192.168.10.4 です。", "mx1.corp から送信されました。"]
)
@pytest.mark.parametrize("kind", ["bulletin", "letter"])
def test_names_and_inner_machines_are_found(kind, sentence):
    assert rules(saying(kind, "ja", sentence, names=["山田太郎"])) == {"L09"}


def test_what_was_not_monitored_is_for_a_person_to_look_at():
    assert rules(saying("letter", "ja", "ログの保存期間は限られています。"), "warning") == {"L09"}


def _message(**parts):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = (
        "incident@example.test",
        "hanako@example.com",
        "お詫びとお知らせ",
    )
    message.set_content("本文です。")
    for name, content in parts.items():
        if name == "html":
            message.add_alternative(content, subtype="html")
        elif name == "mail":
            message.add_attachment(content)
        else:
            message.add_attachment(content, filename="notice.pdf", maintype="application", subtype="pdf")
    return message


def test_the_bytes_of_a_message_are_one_plain_text():
    other = EmailMessage()
    other.set_content("x")
    raws = {
        "plain": (_message(), set()),
        "html": (_message(html="<p>x</p>"), {"L01"}),
        "file": (_message(file=b"%PDF"), {"L01"}),
        "mail": (_message(mail=other), {"L01", "L08"}),
    }
    for name, (message, expected) in raws.items():
        assert rules(sound("letter", "ja", raw=message.as_bytes())) == expected, name


def test_another_recipient_in_the_bytes_is_found_in_whatever_encoding_they_are():
    message = _message()
    message["X-Note"] = "宛先 jiro@example.com"
    message.set_content("宛先は saburo@例え.テスト です。", cte="base64")
    for other in ("jiro@example.com", "saburo@xn--r8jz45g.xn--zckzah"):
        assert rules(sound("letter", "ja", raw=message.as_bytes(), others=[other, "hanako@example.com"])) == {"L05"}


def test_the_facts_decide_what_may_be_said_for_sure():
    sentence = "情報の漏えいはありません。"
    for status, expected in (
        ("ruled_out", set()),
        ("not_confirmed", {"L10"}),
        ("unknown", {"L10"}),
        ("confirmed", {"L10"}),
    ):
        facts = [Said("exposed.items", None, None, status), *sound("letter", "ja").facts_used]
        facts = [one for one in facts if one.key != "exposed.items" or one.status == status]
        assert rules(saying("letter", "ja", sentence, facts_used=facts)) == expected
    confirmed = [Said("exposed.items", ["氏名"], None, "confirmed"), *sound("letter", "ja").facts_used]
    assert rules(saying("letter", "ja", "お客様の情報が漏えいしました。", facts_used=confirmed)) == set()


def test_a_title_asserts_only_what_is_confirmed():
    subjects = {"ja": "個人情報漏えいに関するお詫びとお知らせ(第1報)", "en": "Data leak: apology and notice (Report 1)"}
    for language, subject in subjects.items():
        assert rules(sound("bulletin", language, subject=subject)) == {"L10"}
    hedged = "個人情報漏えいの可能性に関するお詫びとお知らせ(第1報)"
    assert rules(sound("bulletin", "ja", subject=hedged)) == set()


@pytest.mark.parametrize(("kind", "language"), BOTH)
@pytest.mark.parametrize("ask", ["ASK1", "ASK2", "ASK3", "ASK4", "ASK5", "ASK6", "ASK7"])
def test_an_ask_that_is_left_out_is_found(kind, language, ask):
    good = sound(kind, language)
    from hikeshi.wording.asks import TEXTS  # noqa: PLC0415 - here alone

    left_out = TEXTS[language][ask].partition("{")[0]
    lines = [one for one in good.text.splitlines() if not one.startswith(left_out)]
    if ask == "ASK7":
        lines = [one for one in lines if "0120" not in one]
    assert rules(replace(good, text="\n".join(lines))) == {ask}


def test_only_the_asks_that_a_letter_needs_are_held_against_it():
    good = sound("letter", "ja")
    text = "\n".join(one for one in good.text.splitlines() if "開かず" not in one)
    assert rules(replace(good, text=text)) == {"ASK1"}
    assert rules(replace(good, text=text, asks=("ASK5", "ASK6", "ASK7"))) == set()


@pytest.mark.parametrize("language", ["ja", "en"])
def test_wrapped_lines_are_read_as_one(language):
    import textwrap  # noqa: PLC0415 - here alone

    good = sound("letter", language)
    wide = 38 if language == "ja" else 76
    wrapped = [part for line in good.text.splitlines() for part in (textwrap.wrap(line, wide) or [""])]
    assert lint(replace(good, text="\n".join(wrapped))) == []


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("L04", {"page_live_at": None}), ("L04", {"page_report": 2}), ("L04", {"page_report": None, "report": None}),
        ("L04", {"page_phone": "0120-000-001"}), ("L04", {"page_phone": None}), ("L03", {"dkim_aligned": None}),
        ("L15", {"per_minute": None}), ("L15", {"resumable": False}), ("L15", {"in_ledger": None}),
        ("L15", {"bounces_suppressed": False}), ("L15", {"approved_by": []}),
        ("L15", {"approved_by": ["Aoi"]}),
    ],
)  # fmt: skip
def test_what_is_done_around_a_letter_is_held_to_the_rules(rule, changes):
    assert rules(sound("letter", "ja", doing=careful())) == set()
    assert rules(sound("letter", "ja", doing=careful(**changes))) == {rule}
    assert rules(sound("letter", "ja", doing=careful(send=False, **changes))) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"reports_kept": (1, 2)}, {"reports_kept": (2,)},
        {"reports_kept": (2, 1), "page_address": "/b", "page_address_before": "/a"},
    ],
)  # fmt: skip
def test_a_page_keeps_all_reports_newest_first_at_one_address(changes):
    assert rules(sound("bulletin", "ja", doing=careful(report=2, reports_kept=(2, 1)))) == set()
    assert rules(sound("bulletin", "ja", doing=careful(report=2, **changes))) == {"L16"}


def test_one_person_may_release_where_one_is_enough():
    assert rules(sound("letter", "ja", doing=careful(approved_by=["Aoi"], two_persons=False))) == set()
