# SPDX-License-Identifier: Apache-2.0
"""Whatever must not be seen is found, in every encoding that a mail client would show; what is not there is not found."""

import base64
import quopri
from email.header import Header
from email.message import EmailMessage
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from hikeshi.wording.leaks import Known, addresses_in, leaks
from hikeshi.wording.views import parts, views

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORD = some.text(LETTERS, min_size=3, max_size=9)
JAPANESE = some.text("あいうえおかきくけこさしすせそ山川田中太郎花子", min_size=3, max_size=5)
LOCAL = some.builds("{}.{}".format, WORD, WORD) | WORD | some.builds("{}_{}".format, WORD, WORD)
DOMAIN = some.builds("{}.example".format, WORD) | some.builds("{}.{}.test".format, WORD, WORD)
UNICODE_DOMAIN = some.builds("{}.テスト".format, JAPANESE)
ADDRESS = some.builds("{}@{}".format, LOCAL, DOMAIN | UNICODE_DOMAIN)
TEXT = some.text(LETTERS + "     \n。、あいうえおメール", max_size=60)


def _wide(text):
    return "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)


def _punycode(text):
    local, at, domain = text.rpartition("@")
    return local + at + domain.encode("idna").decode()


ENCODINGS = {
    "as it is": str,
    "in capitals": str.upper,
    "percent signs": quote,
    "all percent signs": lambda text: "".join(f"%{one:02X}" for one in text.encode()),
    "a mailto": lambda text: f"mailto:{quote(text)}",
    "encoded word, base64": lambda text: Header(text, "utf-8").encode(),
    "encoded word, quoted": lambda text: "=?utf-8?q?" + "".join(f"={one:02X}" for one in text.encode()) + "?=",
    "encoded word, iso-2022-jp": lambda text: Header(text, "iso-2022-jp").encode(),
    "quoted-printable": lambda text: "".join(f"={one:02X}" for one in text.encode()),
    "quoted-printable lines": lambda text: quopri.encodestring(text.encode()).decode(),
    "soft line break": lambda text: f"{text[:4]}=\r\n{text[4:]}",
    "base64": lambda text: base64.b64encode(f"to: {text} from us".encode()).decode(),
    "base64 twice": lambda text: base64.b64encode(base64.b64encode(f"to: {text} from us".encode())).decode(),
    "entities": lambda text: "".join(f"&#{ord(one)};" for one in text),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(one):x};" for one in text),
    "one entity": lambda text: text.replace("@", "&commat;"),
    "tags": lambda text: f"{text[:3]}<b></b>{text[3:]}",
    "no width": "\u200b".join,
    "soft hyphens": "\u00ad".join,
    "wide": _wide,
    "punycode": _punycode,
    "defanged": lambda text: text.replace(".", "[.]"),
    "at in words": lambda text: text.replace("@", " (at) "),
    "broken over lines": lambda text: f"{text[:5]}\n{text[5:]}",
    "percent signs in an encoded word": lambda text: Header(quote(text), "utf-8").encode(),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(address=ADDRESS, before=TEXT, after=TEXT)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
def test_a_planted_address_is_found_in_every_encoding(encoding, address, before, after):
    planted = f"{before} {ENCODINGS[encoding](address)} {after}"
    assert [one.rule for one in leaks(planted, addresses=[address, "other@example.com"])] == ["L05"]


@given(address=ADDRESS, tag=WORD, before=JAPANESE, after=JAPANESE)
def test_an_address_is_found_with_a_tag_and_with_no_space_around_it(address, tag, before, after):
    local, _, domain = address.rpartition("@")
    planted = f"{before}{local}+{tag}@{domain}"
    assert leaks(f"{planted}\n", addresses=[address])
    if domain.isascii():
        assert leaks(f"{planted}{after}", addresses=[address])


@given(addresses=some.lists(ADDRESS, min_size=1, max_size=20, unique=True), text=TEXT, data=some.data())
def test_what_is_not_there_is_not_found(addresses, text, data):
    own = data.draw(some.sampled_from(addresses))
    others = [one for one in addresses if one not in Known([own])]
    assert leaks(f"{text} {own} {text}", addresses=others) == []
    assert leaks(f"{text} {own} {text}", addresses=addresses, allowed=[own]) == []


@pytest.mark.parametrize(
    "text",
    ["annataro@example.com", "taro@example.com.au", "taro@mail.example.com", "taro-x@example.com", "x.taro@example.com", "taro@example.commerce"],
)  # fmt: skip
def test_an_address_that_only_contains_another_is_not_it(text):
    assert leaks(f"write to {text} please", addresses=["taro@example.com"]) == []


@pytest.mark.parametrize("text", ["<taro@example.com>", "taro@example.com.", "(taro@example.com)", "'taro@example.com'", "a:taro@example.com,b", '"Taro"<taro@example.com>;'])  # fmt: skip
def test_an_address_is_found_among_the_marks_of_a_text(text):
    assert leaks(text, addresses=["TARO@Example.com"])


def test_a_quoted_local_part_is_found():
    assert leaks('to "taro yamada"@example.com', addresses=['"taro yamada"@example.com'])


@given(
    address=ADDRESS,
    cte=some.sampled_from(["base64", "quoted-printable"]),
    charset=some.sampled_from(["utf-8", "iso-2022-jp", "euc-jp"]),
)
def test_an_address_is_found_in_the_bytes_of_a_message(address, cte, charset):
    message = EmailMessage()
    message["Subject"] = "お知らせ"
    message.set_content(f"宛先は {address} です。", cte=cte, charset=charset)
    readings = {reading for one in parts(message.as_bytes()) for reading in views(one)}
    assert addresses_in(readings, [address])


@given(address=ADDRESS)
def test_an_address_is_found_in_headers_and_names_of_files(address):
    message = EmailMessage()
    message["X-List"] = f"{address[:6]} and {address}"
    message.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=f"{address}.bin")
    for name in ("X-List", "Content-Disposition"):
        alone = EmailMessage()
        for header, value in (
            message.walk().__next__().items() if name == "X-List" else next(message.iter_attachments()).items()
        ):
            if header == name:
                alone[header] = value
        readings = {reading for one in parts(alone.as_bytes()) for reading in views(one)}
        assert addresses_in(readings, [address]), name


NAMED = {
    "as it is": str, "in capitals": str.upper, "turned around": lambda name: " ".join(reversed(name.split())),
    "with a comma": lambda name: ", ".join(reversed(name.split())), "as a local part": lambda name: name.replace(" ", "."),
    "encoded word": lambda name: Header(name, "utf-8").encode(), "percent signs": quote,
    "quoted-printable": lambda name: "".join(f"={one:02X}" for one in name.encode()),
    "over lines": lambda name: name.replace(" ", "\n"), "wide": _wide,
}  # fmt: skip


@pytest.mark.parametrize("encoding", NAMED)
@given(name=some.builds("{} {}".format, WORD, WORD) | some.builds("{} {}".format, JAPANESE, JAPANESE))
@settings(max_examples=30)
def test_a_planted_name_is_found_in_every_encoding(encoding, name):
    assert [one.rule for one in leaks(f"it was {NAMED[encoding](name)} himself", names=[name])] == ["L09"]


def test_a_name_is_found_without_its_space_in_japanese_and_as_a_whole_word_elsewhere():
    assert leaks("担当の山田太郎は", names=["山田 太郎"])
    assert leaks("担当の山田　太郎は", names=["山田太郎"])
    assert not leaks("the announcement", names=["Ann"])
    assert not leaks("Taro and Yamada", names=["Taro Yamada"])


LIVE = {
    "as it is": str, "in capitals": str.upper, "the host alone": lambda url: url.split("/")[2],
    "entities": lambda url: "".join(f"&#{ord(one)};" for one in url), "percent signs": lambda url: quote(url, safe=""),
    "encoded word": lambda url: Header(url, "utf-8").encode(), "no width": "\u200b".join, "wide": _wide,
    "base64": lambda url: base64.b64encode(f"see {url} now".encode()).decode(), "a tag": lambda url: f'<a href="{url}">x</a>',
    "over lines": lambda url: f"{url[:12]}\n{url[12:]}",
}  # fmt: skip


@pytest.mark.parametrize("encoding", LIVE)
@given(host=DOMAIN | UNICODE_DOMAIN, path=WORD)
@settings(max_examples=30)
def test_a_live_address_of_the_lure_is_found_in_every_encoding(encoding, host, path):
    url = f"https://{host}/{path}"
    assert "L08" in {one.rule for one in leaks(f"see {LIVE[encoding](url)} now", urls=[url])}


@given(host=DOMAIN, path=WORD)
def test_a_defanged_address_of_the_lure_is_none(host, path):
    safe = f"hxxps://{host.replace('.', '[.]')}/{path}"
    assert leaks(f"see {safe} now", urls=[f"https://{host}/{path}"]) == []


@pytest.mark.parametrize(
    "text",
    ["10.1.2.3", "192.168.0.1", "172.16.9.9", "172.31.0.1", "169.254.1.1", "100.64.0.1", "fd12:3456::1", "mail.corp", "dc01.example.local", "srv.internal",
     "tenant 01234567-89ab-cdef-0123-456789abcdef", "テナントID:01234567-89ab-cdef-0123-456789abcdef"],
)  # fmt: skip
def test_what_leads_into_the_house_is_found(text):
    assert [one.rule for one in leaks(f"from {text} it came")] == ["L09"]


@pytest.mark.parametrize("text", ["192.0.2.1", "172.32.0.1", "100.128.0.1", "110.1.2.3", "example.com", "urn:uuid:01234567-89ab-cdef-0123-456789abcdef", "the local desk"])  # fmt: skip
def test_what_does_not_is_not(text):
    assert leaks(f"from {text} it came") == []


def test_inner_names_that_are_given_are_found_and_longer_ones_are_not():
    assert leaks("through MX7.example.test.", inner=["mx7.example.test"])
    assert not leaks("through mx7.example.test.net and xmx7.example.test", inner=["mx7.example.test"])


def test_a_problem_does_not_repeat_what_it_found():
    (found,) = leaks("taro.yamada@example.com", addresses=["taro.yamada@example.com"])
    assert "yamada" not in repr(found)
    (found,) = leaks("Taro Yamada", names=["Taro Yamada"])
    assert "Yamada" not in repr(found)


def test_known_addresses_are_the_same_in_every_way_of_writing():
    known = Known(["Taro+x@Example.com", "hanako@例え.テスト"])
    for one in ("taro@example.com", "TARO+y@EXAMPLE.COM", "hanako@xn--r8jz45g.xn--zckzah", "hanako@例え.テスト"):
        assert one in known
    assert "jiro@example.com" not in known
    assert len(known) == len(list(known)) == 2


@given(some.text(max_size=300))
@settings(max_examples=200)
def test_no_text_is_too_odd_to_be_looked_through(text):
    leaks(text, names=["Taro Yamada"], inner=["mx.example.test"], urls=["https://a.example"], addresses=["a@b.example"])


@given(some.binary(max_size=300))
def test_no_bytes_are_too_odd_to_be_looked_through(raw):
    assert all(views(one) for one in parts(raw))
