# SPDX-License-Identifier: Apache-2.0
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import google_stage as stage
import httpx
import pytest
from google_stage import ADMIN, ANNA

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.google import PLUGIN
from hikeshi.contain.connectors.google.answers import ExistsError, GoneError, later, refused, wait
from hikeshi.contain.connectors.google.calls import SCOPES, TOO_MUCH
from hikeshi.contain.contract import ConnectorError, LaterError, RefusedError
from hikeshi.testing.google import Domain, Fault, serve


@pytest.fixture
def made():
    return stage.domain()


def test_with_exactly_the_scopes_that_are_needed_it_starts(made):
    with stage.connected(made) as connector:
        connector.check()


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_too_few_is_named(made, scope):
    made.scopes = [one for one in SCOPES if one != scope]
    with stage.beside(made) as connector, pytest.raises(ConnectorError) as error:
        connector.check()
    assert scope in str(error.value)
    assert not [one for one in made.scopes if f"  {one}  " in str(error.value)]


@pytest.mark.parametrize("scope", TOO_MUCH)
def test_a_scope_too_many_is_refused(made, scope):
    made.scopes = [*SCOPES, scope]
    with stage.beside(made) as connector:
        with pytest.raises(ConnectorError, match="more than hikeshi needs") as error:
            connector.check()
        assert scope in str(error.value)
        assert not [one for _, one in connector.client.tokens._held if one in TOO_MUCH]


def test_an_administrator_without_rights_is_refused(made):
    made.user(ADMIN)["user"]["isAdmin"] = False
    with stage.beside(made) as connector, pytest.raises(RefusedError, match="rights"):
        connector.check()


def test_a_check_that_google_does_not_answer_is_later_and_not_passed(made):
    with stage.beside(made) as connector:
        made.faults.append(Fault("unavailable"))
        with pytest.raises(LaterError):
            connector.check()


def test_an_access_token_that_ended_before_its_time_is_renewed_once(made):
    with stage.beside(made) as connector:
        connector.check()
        made.tokens.clear()
        connector.check()
        count = len(made.tokens)
        connector.check()
        # those for what is too much are asked for at each check, and refused; nothing else is asked for again
        assert len(made.tokens) == count


def test_one_token_does_one_thing(made):
    with stage.beside(made) as connector:
        connector.look(stage.target(copies=()))
    assert made.tokens
    assert all(len(scopes) == 1 for _, scopes in made.tokens.values())
    assert {subject for subject, _ in made.tokens.values()} == {ADMIN, ANNA}


def settings(made, url, **changes):
    return {
        "key": Secret(made.key.text(f"{url}/token")),
        "admin": ADMIN,
        "directory_url": url,
        "gmail_url": url,
        **changes,
    }


def test_setup_names_each_scope_and_the_client_and_no_secret(made):
    text = PLUGIN.setup(settings(made, "http://127.0.0.1:1"))
    assert all(scope in text for scope in SCOPES)
    assert ",".join(SCOPES) in text
    assert made.key.client_id in text
    assert "PRIVATE" not in text


def test_teardown_says_what_to_do_and_asks_nothing_unless_it_is_to_be_carried_out(made):
    text = PLUGIN.teardown(settings(made, "http://127.0.0.1:1"), False)
    assert made.key.client_id in text
    assert "Read just now" not in text


def test_teardown_proves_by_a_reading_that_nothing_is_given_any_more(made):
    with serve(made) as served:
        assert "STILL" in PLUGIN.teardown(settings(made, served.url), True)
        made.scopes = []
        text = PLUGIN.teardown(settings(made, served.url), True)
    assert "refuses every scope" in text
    assert "STILL" not in text


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "not JSON", '{"client_email": "a", "private_key": "x"}', '{"private_key": 3}']
)
def test_a_key_that_is_none_is_refused_without_being_quoted(text):
    with pytest.raises(ConnectorError, match="key") as error:
        PLUGIN.connect({"key": Secret(text or "SECRET-WORD"), "admin": ADMIN})
    assert (text or "SECRET-WORD") not in str(error.value) or text in ("{}", "[]")
    assert error.value.__cause__ is None


def test_a_missing_key_is_named():
    with pytest.raises(ConnectorError, match="key_file"):
        PLUGIN.connect({"admin": ADMIN})


@pytest.mark.parametrize("name", ["token_url", "directory_url", "gmail_url"])
@pytest.mark.parametrize("url", ["http://google.example.com", "ftp://127.0.0.1", "127.0.0.1", ""])
def test_tokens_travel_by_tls_only(made, name, url):
    if not url:
        url = "http://192.0.2.1"
    with pytest.raises(ConnectorError, match="https"):
        PLUGIN.connect(settings(made, "http://127.0.0.1:1", **{name: url}))


def test_a_key_that_google_does_not_know_is_said_so(made):
    other = Domain(scopes=list(SCOPES))
    other.add_user(ADMIN, isAdmin=True)
    held = json.loads(made.key.text("x"))
    with serve(other) as served:
        forged = {**held, "client_email": "other@example.org", "token_uri": served.token_url}
        connector = PLUGIN.connect(settings(made, served.url, key=Secret(json.dumps(forged))))
        try:
            with pytest.raises(ConnectorError, match="key"):
                connector.check()
        finally:
            connector.close()


def test_nothing_that_listens_is_later(made):
    connector = PLUGIN.connect(settings(made, "http://127.0.0.1:9"))
    try:
        with pytest.raises(LaterError, match=r"127\.0\.0\.1"):
            connector.check()
    finally:
        connector.close()


NOW = datetime(2026, 11, 25, 9, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3),
        (" 0 ", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("３", None),
        ("1.5", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(text, seconds):
    assert wait({"retry-after": text}, NOW) == seconds


def answer(status, reason="", message="", headers=None, content=None):
    body = {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}}
    return httpx.Response(status, headers=headers, content=content if content is not None else json.dumps(body))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_google_is_later(status):
    found = later(answer(status, headers={"Retry-After": "7"}))
    assert isinstance(found, LaterError)
    assert found.seconds == 7
    assert later(answer(status, content=b"<html>")).seconds is None


@pytest.mark.parametrize(
    ("reason", "is_later"),
    [
        ("rateLimitExceeded", True),
        ("userRateLimitExceeded", True),
        ("quotaExceeded", True),
        ("forbidden", False),
        ("insufficientPermissions", False),
        ("", False),
    ],
)
def test_a_403_is_later_only_where_it_was_too_often(reason, is_later):
    assert (later(answer(403, reason)) is not None) is is_later


@pytest.mark.parametrize(
    ("status", "reason", "message", "kind"),
    [
        (404, "notFound", "", GoneError),
        (409, "alreadyExists", "", ExistsError),
        (400, "failedPrecondition", "Filter already exists", ExistsError),
        (400, "invalid", "", RefusedError),
        (403, "forbidden", "", RefusedError),
        (403, "insufficientPermissions", "", ConnectorError),
        (401, "authError", "", ConnectorError),
        (302, "", "", ConnectorError),
    ],
)
def test_every_other_answer_has_its_meaning(status, reason, message, kind):
    assert type(refused(answer(status, reason, message), "x")) is kind


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'"x"', b"<html>", b'{"error": 3}', b'{"error": {"errors": 3}}', b"\xff"]
)
def test_an_answer_that_is_not_googles_raises_nothing_else(content):
    assert later(answer(503, content=content)) is not None
    assert isinstance(refused(answer(400, content=content), "x"), RefusedError)
