# SPDX-License-Identifier: Apache-2.0
"""The asks of ours, and those of others in other words: what they mean is what is looked for."""

import pytest
from sound import FACTS

from hikeshi.wording.asked import PARTS, asked, whole
from hikeshi.wording.asks import TEXTS, asks, used
from hikeshi.wording.document import ASKS
from hikeshi.wording.facts import Facts, MissingFactError


@pytest.mark.parametrize("language", ["ja", "en"])
def test_each_of_our_asks_asks_all_that_it_is_for(language):
    texts = asks(FACTS, language)
    assert tuple(texts) == ASKS
    there = asked("\n".join(texts.values()), language)
    assert there == {(part.ask, part.name) for part in PARTS}


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("ask", ASKS)
def test_each_ask_stands_alone(language, ask):
    assert whole(asked(asks(FACTS, language)[ask], language), ask)


def test_the_desk_comes_from_the_facts_in_the_language():
    assert "0120-000-000" in asks(FACTS, "ja")["ASK7"]
    assert "the customer desk" in asks(FACTS, "en")["ASK7"]
    assert [one.key for one in used(FACTS, "en")] == ["desk.name.en", "desk.phone", "desk.hours.en"]
    with pytest.raises(MissingFactError, match=r"desk\.name"):
        asks(Facts.made({}), "ja")


def test_no_ask_tells_to_delete_before_telling_the_own_it():
    assert TEXTS["en"]["ASK1"].index("IT") < TEXTS["en"]["ASK1"].index("delete")
    assert "削除する前に" in TEXTS["ja"]["ASK1"]


@pytest.mark.parametrize(
    ("ask", "language", "text"),
    [
        ("ASK1", "ja", "不審なメールは開封せずに、そのまま破棄くださいますようお願いいたします。破棄してください。"),
        ("ASK1", "en", "Please don't open these messages; delete them straight away."),
        ("ASK2", "ja", "本文のリンクはクリックしないようお願いいたします。"),
        ("ASK2", "ja", "添付ファイルは絶対に開かず、"),
        ("ASK2", "en", "Never click on any link, and do not open attachments."),
        ("ASK3", "ja", "認証情報の入力はお控えください。"),
        ("ASK3", "ja", "パスワードを入力することがないようご注意ください。"),
        ("ASK3", "en", "Please avoid entering your credentials on any page."),
        ("ASK4", "ja", "万一パスワードを入力してしまった場合には、速やかにパスワードを変更してください。"),
        ("ASK4", "en", "If you typed your password there, please change your password right now."),
        ("ASK5", "ja", "返信・転送はなさらないでください。"),
        ("ASK5", "ja", "返信はお控えください。"),
        ("ASK5", "en", "Please do not respond to it."),
        ("ASK6", "ja", "弊社よりパスワードをお聞きすることは一切ございません。"),
        ("ASK6", "en", "We will not ask you for your password."),
        ("ASK7", "ja", "お問い合わせ窓口 03-0000-0000 平日9時から17時(日本時間)"),
        ("ASK7", "en", "Helpline: +81 3 0000 0000, hours 9:00 to 17:00 (Japan time)"),
    ],
)
def test_other_words_for_an_ask_are_taken(ask, language, text):
    assert whole(asked(text, language), ask)


@pytest.mark.parametrize(
    ("ask", "language", "text"),
    [
        ("ASK1", "ja", "該当するメールを開いて、内容をご確認のうえ削除してください。"),
        ("ASK1", "ja", "当該メールは削除しました。"),
        ("ASK2", "ja", "URLを開いてください。"),
        ("ASK2", "en", "Please click the link."),
        ("ASK3", "ja", "IDとパスワードを入力してください。"),
        ("ASK3", "ja", "パスワードを入力しない場合はご利用になれません。"),
        ("ASK3", "en", "Please enter your password."),
        ("ASK4", "ja", "パスワードを変更しました。"),
        ("ASK4", "ja", "入力された場合でも、当社でパスワードを変更しました。"),
        ("ASK5", "ja", "このメールに返信してください。"),
        ("ASK5", "ja", "新たな不正な転送が起きないように対処しました。"),
        ("ASK5", "en", "Please reply to this email."),
        ("ASK6", "ja", "当社がパスワードをお尋ねすることがあります。"),
        ("ASK6", "en", "We may ask you for your password."),
        ("ASK7", "ja", "お問い合わせ窓口 03-0000-0000"),
        ("ASK7", "ja", "お問い合わせ窓口 平日9時から17時(日本時間)"),
        ("ASK7", "ja", "お問い合わせ窓口 03-0000-0000 平日9時から17時"),
        ("ASK7", "en", "Helpline: +81 3 0000 0000, hours 9:00 to 17:00"),
    ],
)
def test_the_opposite_of_an_ask_and_half_of_one_are_not(ask, language, text):
    assert not whole(asked(text, language), ask)
