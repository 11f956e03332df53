# SPDX-License-Identifier: Apache-2.0
import importlib.util
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from google.auth import crypt, jwt

from hikeshi.testing.google import Domain, Fault, serve, transport
from hikeshi.testing.google_app import ROUTES

AUTH = "https://www.googleapis.com/auth/"
USER, SECURITY, BASIC = (
    AUTH + "admin.directory.user",
    AUTH + "admin.directory.user.security",
    AUTH + "gmail.settings.basic",
)
SHARING, MODIFY, AUDIT = AUTH + "gmail.settings.sharing", AUTH + "gmail.modify", AUTH + "admin.reports.audit.readonly"
SCOPES = [USER, SECURITY, BASIC, SHARING, MODIFY, AUDIT]
ADMIN, ANNA = "admin@example.test", "anna@example.test"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN = "https://google.example.test/token"  # noqa: S105 - an address
SETTINGS = f"/gmail/v1/users/{ANNA}/settings"


def documents():
    """Google's own discovery documents, of the development dependency google-api-python-client."""
    place = Path(importlib.util.find_spec("googleapiclient").submodule_search_locations[0])
    folder = place / "discovery_cache" / "documents"
    return {
        name: json.loads((folder / f"{file}.json").read_text("utf-8"))
        for name, file in {
            "directory": "admin.directory_v1",
            "reports": "admin.reports_v1",
            "gmail": "gmail.v1",
        }.items()
    }


DOCUMENTS = documents()


def methods():
    def walk(resource):
        for method in resource.get("methods", {}).values():
            yield method["id"], method
        for inner in resource.get("resources", {}).values():
            yield from walk(inner)

    return {key: (document, method) for document in DOCUMENTS.values() for key, method in walk(document)}


METHODS = methods()


def unknown(document, schema, body, where=""):
    """Give the properties of a body that its official schema has not."""
    if isinstance(body, list):
        return [one for each in body for one in unknown(document, schema.get("items", {}), each, where)]
    if not isinstance(body, dict):
        return []
    if "$ref" in schema:
        schema = document["schemas"][schema["$ref"]]
    found = []
    for key, value in body.items():
        if key not in schema.get("properties", {}):
            found.append(f"{where}.{key}")
        else:
            found += unknown(document, schema["properties"][key], value, f"{where}.{key}")
    return found


@pytest.fixture
def domain():
    made = Domain(scopes=SCOPES)
    made.add_user(ADMIN, isAdmin=True)
    made.add_user(ANNA)
    return made


@pytest.fixture
def http(domain):
    with httpx.Client(transport=transport(domain), base_url="https://google.example.test") as client:
        yield client


def assertion(domain, subject, scope, *, at=None, aud=TOKEN, iss=None):
    key = json.loads(domain.key.text(TOKEN))
    now = int((at or domain.now()).timestamp())
    claims = {
        "iss": iss or key["client_email"],
        "sub": subject,
        "scope": scope,
        "aud": aud,
        "iat": now,
        "exp": now + 600,
    }
    return jwt.encode(crypt.RSASigner.from_service_account_info(key), claims).decode()


def ask_token(http, text):
    return http.post("/token", data={"grant_type": GRANT, "assertion": text})


def token(http, domain, subject, scope):
    answer = ask_token(http, assertion(domain, subject, scope))
    assert answer.status_code == 200, answer.text
    return {"authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_route_is_googles_with_all_scopes_that_google_allows(route):
    _, method = METHODS[route.name]
    assert (method["httpMethod"], method.get("flatPath") or method["path"]) == (route.method, route.path)
    assert sorted(method["scopes"]) == sorted(route.scopes)


def test_every_property_that_the_fake_shows_is_googles(domain, http):
    since = datetime.now(UTC) - timedelta(days=1)
    domain.add_token(ANNA, "one.apps.example", [AUTH + "drive"], granted=since)
    domain.add_app_password(ANNA, "phone", since)
    domain.add_codes(ANNA)
    domain.add_filter(ANNA, {"from": "a@example.org"}, {"removeLabelIds": ["INBOX"]})
    domain.add_forwarding(ANNA, "b@example.org")
    domain.add_delegate(ANNA, ADMIN)
    domain.add_send_as(ANNA, "c@example.org")
    message = domain.add_message(ANNA, "m1@example.org")
    seen = set()
    for route in ROUTES:
        document, method = METHODS[route.name]
        if route.method != "GET":
            continue
        subject = ANNA if "gmail" in route.name else ADMIN
        path = route.path.format(userKey=ANNA, userId=ANNA, applicationName="token", id=message)
        query = {"q": "rfc822msgid:m1@example.org"} if route.name == "gmail.users.messages.list" else {}
        if route.name == "gmail.users.messages.get":
            query = {"format": "metadata"}
        scope = next(one for one in route.scopes if one in SCOPES)
        answer = http.get(path, headers=token(http, domain, subject, scope), params=query)
        assert answer.status_code == 200, answer.text
        assert unknown(document, method["response"], answer.json(), route.name) == []
        assert answer.json(), f"{route.name} shows nothing, so nothing was tested"
        seen.add(route.name)
    assert len(seen) == 15


def test_the_check_of_properties_finds_a_property_that_google_has_not():
    document, method = METHODS["directory.users.get"]
    assert unknown(document, method["response"], {"invented": 1, "suspended": True}, "user") == ["user.invented"]


def test_a_token_is_for_whom_and_what_it_was_asked_for(domain, http):
    user = token(http, domain, ADMIN, USER)
    assert http.get(f"/admin/directory/v1/users/{ANNA}", headers=user).status_code == 200
    refused = http.get(f"/admin/directory/v1/users/{ANNA}/tokens", headers=user)
    assert (refused.status_code, refused.json()["error"]["errors"][0]["reason"]) == (403, "insufficientPermissions")
    other = http.get(f"/gmail/v1/users/{ADMIN}/settings/imap", headers=token(http, domain, ANNA, BASIC))
    assert other.status_code == 403


@pytest.mark.parametrize(
    ("change", "status", "error"),
    [
        ({"scope": AUTH + "drive"}, 401, "unauthorized_client"),
        ({"scope": f"{USER} {AUTH}drive"}, 401, "unauthorized_client"),
        ({"scope": ""}, 401, "unauthorized_client"),
        ({"subject": "nobody@example.test"}, 400, "invalid_grant"),
        ({"iss": "other@example.org"}, 400, "invalid_grant"),
        ({"aud": "https://elsewhere.example.org/"}, 400, "invalid_grant"),
        ({"at": datetime.now(UTC) - timedelta(hours=2)}, 400, "invalid_grant"),
    ],
)
def test_the_token_endpoint_refuses_what_google_refuses(domain, http, change, status, error):
    asked = {"subject": ADMIN, "scope": USER, **change}
    answer = ask_token(http, assertion(domain, **asked))
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_a_signature_that_was_tampered_with_gets_no_token(domain, http):
    head, _, signature = assertion(domain, ADMIN, USER).split(".")
    _, other, _ = assertion(domain, ANNA, USER).split(".")
    assert ask_token(http, f"{head}.{other}.{signature}").status_code == 400
    assert ask_token(http, "no token at all").status_code == 400


def test_nobody_stands_in_for_a_suspended_person_and_a_token_of_before_ends(domain, http):
    before = token(http, domain, ANNA, BASIC)
    assert http.get(f"{SETTINGS}/imap", headers=before).status_code == 200
    admin = token(http, domain, ADMIN, USER)
    answer = http.patch(f"/admin/directory/v1/users/{ANNA}", headers=admin, json={"suspended": True})
    assert (answer.status_code, answer.json()["suspensionReason"]) == (200, "ADMIN")
    assert http.get(f"{SETTINGS}/imap", headers=before).status_code == 401
    assert ask_token(http, assertion(domain, ANNA, BASIC)).json()["error"] == "invalid_grant"


def test_a_patch_changes_what_it_names_and_nothing_that_is_read_only(domain, http):
    admin = token(http, domain, ADMIN, USER)
    path = f"/admin/directory/v1/users/{ANNA}"
    http.patch(path, headers=admin, json={"changePasswordAtNextLogin": True, "isAdmin": True})
    http.patch(path, headers=admin, json={"password": "a long enough one"})
    user = domain.user(ANNA)["user"]
    assert (user["changePasswordAtNextLogin"], user["isAdmin"]) == (True, False)
    assert http.patch(path, headers=admin, json={"password": "short"}).status_code == 400


def test_a_put_replaces_all_of_a_setting(domain, http):
    domain.add_forwarding(ANNA, "b@example.org")
    domain.user(ANNA)["autoForwarding"] = {"enabled": True, "emailAddress": "b@example.org", "disposition": "trash"}
    sharing = token(http, domain, ANNA, SHARING)
    assert http.put(f"{SETTINGS}/autoForwarding", headers=sharing, json={"enabled": False}).status_code == 200
    assert domain.user(ANNA)["autoForwarding"] == {"enabled": False}
    unknown_address = {"enabled": True, "emailAddress": "x@example.org"}
    assert http.put(f"{SETTINGS}/autoForwarding", headers=sharing, json=unknown_address).status_code == 400


def test_a_deletion_has_no_body_and_its_repetition_is_not_found(domain, http):
    made = domain.add_filter(ANNA, {"subject": "x"}, {"addLabelIds": ["TRASH"]})
    basic = token(http, domain, ANNA, BASIC)
    first, second = (http.delete(f"{SETTINGS}/filters/{made}", headers=basic) for _ in range(2))
    assert (first.status_code, first.content, second.status_code) == (204, b"", 404)


def test_a_new_password_ends_application_passwords_and_grants_over_mail_only(domain, http):
    domain.add_token(ANNA, "mail.example", ["https://mail.google.com/"])
    domain.add_token(ANNA, "drive.example", [AUTH + "drive"])
    domain.add_app_password(ANNA, "phone", datetime.now(UTC))
    admin = token(http, domain, ADMIN, USER)
    http.patch(f"/admin/directory/v1/users/{ANNA}", headers=admin, json={"password": "a long enough one"})
    assert (list(domain.user(ANNA)["tokens"]), domain.user(ANNA)["asps"]) == (["drive.example"], {})


def test_an_outside_address_waits_for_its_owner_and_an_own_one_does_not(domain, http):
    sharing = token(http, domain, ANNA, SHARING)
    for address, status in (("b@example.org", "pending"), ("bob@example.test", "accepted")):
        answer = http.post(f"{SETTINGS}/forwardingAddresses", headers=sharing, json={"forwardingEmail": address})
        assert answer.json()["verificationStatus"] == status
    domain.confirm(ANNA, "b@example.org")
    assert domain.user(ANNA)["forwardingAddresses"]["b@example.org"]["verificationStatus"] == "accepted"


def test_a_mail_brought_back_from_the_bin_is_not_in_the_inbox(domain, http):
    made = domain.add_message(ANNA, "m1@example.org")
    modify = token(http, domain, ANNA, MODIFY)
    path = f"/gmail/v1/users/{ANNA}/messages/{made}"
    assert http.post(f"{path}/trash", headers=modify).json()["labelIds"] == ["UNREAD", "TRASH"]
    assert http.post(f"{path}/untrash", headers=modify).json()["labelIds"] == ["UNREAD"]
    assert http.post(f"{path}/modify", headers=modify, json={"addLabelIds": ["INBOX"]}).json()["labelIds"] == [
        "UNREAD",
        "INBOX",
    ]


def test_long_lists_come_in_pages(domain, http):
    domain.page = 2
    for number in range(5):
        domain.log("token", ANNA, "authorize", {"client_id": str(number)})
    audit = token(http, domain, ADMIN, AUDIT)
    found, query = [], {}
    for _ in range(3):
        body = http.get(
            f"/admin/reports/v1/activity/users/{ANNA}/applications/token", headers=audit, params=query
        ).json()
        found += [one["events"][0]["parameters"][0]["value"] for one in body["items"]]
        query = {"pageToken": body.get("nextPageToken", "")}
    assert (sorted(found), query) == (list("01234"), {"pageToken": ""})


def test_what_is_not_modelled_is_not_found_in_googles_shape(domain, http):
    answer = http.get("/gmail/v1/users/me/drafts", headers=token(http, domain, ANNA, BASIC))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)


@pytest.mark.parametrize(
    ("kind", "status", "done"),
    [
        ("throttled", 429, False),
        ("rate-limited", 403, False),
        ("over-quota", 403, False),
        ("unavailable", 503, False),
        ("drop-before", None, False),
        ("drop-after", None, True),
        ("fails-after", 503, True),
        ("lies", 204, False),
        ("late", 204, True),
        ("vanishes", 404, True),
    ],
)
def test_each_fault_answers_and_does_what_its_name_says(domain, http, kind, status, done):
    made = domain.add_filter(ANNA, {"subject": "x"}, {"addLabelIds": ["TRASH"]})
    basic = token(http, domain, ANNA, BASIC)
    domain.faults.append(Fault(kind, seconds=7))
    try:
        answer = http.delete(f"{SETTINGS}/filters/{made}", headers=basic)
    except httpx.TransportError:
        answer = None
    assert (answer.status_code if answer is not None else None) == status
    assert (made not in domain.user(ANNA)["filters"]) == done
    if status == 429:
        assert answer.headers["retry-after"] == "7"
    assert not domain.faults


def test_a_late_write_shows_what_was_before_for_so_many_reads(domain, http):
    made = domain.add_filter(ANNA, {"subject": "x"}, {"addLabelIds": ["TRASH"]})
    basic = token(http, domain, ANNA, BASIC)
    domain.faults.append(Fault("late", reads=2))
    http.delete(f"{SETTINGS}/filters/{made}", headers=basic)
    seen = [bool(http.get(f"{SETTINGS}/filters", headers=basic).json().get("filter")) for _ in range(3)]
    assert seen == [True, True, False]


def test_over_a_real_socket_it_is_the_same_and_a_break_is_no_answer(domain):
    with serve(domain) as served, httpx.Client(base_url=served.url) as http:
        made = domain.add_filter(ANNA, {"subject": "x y/z"}, {"addLabelIds": ["TRASH"]})
        answer = ask_token(http, assertion(domain, ANNA, BASIC, aud=served.token_url))
        basic = {"authorization": f"Bearer {answer.json()['access_token']}"}
        assert http.get(f"{SETTINGS}/filters", headers=basic).json()["filter"][0]["id"] == made
        for kind, there in (("drop-before", True), ("drop-after", False)):
            domain.faults.append(Fault(kind))
            with pytest.raises(httpx.TransportError):
                http.delete(f"{SETTINGS}/filters/{made}", headers=basic)
            assert (made in domain.user(ANNA)["filters"]) == there
