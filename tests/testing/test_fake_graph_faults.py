# SPDX-License-Identifier: Apache-2.0
"""The fake Graph keeps state, enforces permissions, pages, batches, and misbehaves exactly as it is told."""

import ssl

import httpx
import pytest

from hikeshi.testing.graph import Fault, Tenant, bearer, serve, transport

ROLES = [
    "User.Read.All",
    "User.EnableDisableAccount.All",
    "MailboxSettings.ReadWrite",
    "Mail.ReadWrite",
    "User.RevokeSessions.All",
    "UserAuthenticationMethod.Read.All",
    "UserAuthMethod-Phone.ReadWrite.All",
]


@pytest.fixture
def tenant():
    return Tenant(roles=list(ROLES), page_size=2)


@pytest.fixture
def user(tenant):
    return tenant.add_user("anna@example.test")


@pytest.fixture
def ask(tenant):
    with httpx.Client(base_url="https://graph.example.test/v1.0", transport=transport(tenant)) as client:
        client.headers["authorization"] = f"Bearer {bearer(tenant)}"

        def asked(method, path, **more):
            return client.request(method, path, **more)

        yield asked


def enabled(tenant, user):
    return tenant.state.directory.users[user]["accountEnabled"]


def test_without_a_token_nothing_is_told(ask, user):
    answer = ask("GET", f"/users/{user}", headers={"authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_a_token_counts_with_the_roles_it_was_given(tenant, ask, user):
    less = f"Bearer {bearer(tenant, ['User.Read.All'])}"
    answer = ask("PATCH", f"/users/{user}", json={"accountEnabled": False}, headers={"authorization": less})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "Authorization_RequestDenied")
    assert enabled(tenant, user)


def test_an_error_has_graphs_shape_and_a_request_id(ask, user):
    answer = ask("DELETE", f"/users/{user}/mailFolders/inbox/messageRules/none")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (404, "ErrorItemNotFound")
    assert error["innerError"]["request-id"] == answer.headers["request-id"]


def test_select_gives_what_it_names_and_refuses_what_does_not_exist(ask, user):
    assert ask("GET", f"/users/{user}?$select=accountEnabled").json() == {"accountEnabled": True}
    assert "accountEnabled" not in ask("GET", f"/users/{user}").json()
    assert ask("GET", f"/users/{user}?$select=accountEnabeld").status_code == 400


def test_a_long_collection_comes_in_pages(tenant, ask, user):
    made = {tenant.add_rule(user, f"rule {n}", actions={"markAsRead": True}) for n in range(5)}
    answer, found, pages = ask("GET", f"/users/{user}/mailFolders/inbox/messageRules").json(), set(), 1
    found |= {one["id"] for one in answer["value"]}
    while "@odata.nextLink" in answer:
        answer = ask("GET", answer["@odata.nextLink"]).json()
        found |= {one["id"] for one in answer["value"]}
        pages += 1
    assert (found, pages) == (made, 3)


def test_a_filter_holds_over_all_pages(tenant, ask, user):
    wanted = {tenant.add_message(user, "o'brien@example.test") for _ in range(3)}
    tenant.add_message(user, "other@example.test")
    query = {"$filter": "internetMessageId eq '<o''brien@example.test>'"}
    first = ask("GET", f"/users/{user}/messages", params=query).json()
    second = ask("GET", first["@odata.nextLink"]).json()
    assert {one["id"] for one in first["value"] + second["value"]} == wanted


def test_an_immutable_id_survives_a_move_and_the_usual_id_does_not(tenant, ask, user):
    mail = tenant.add_message(user, "a@example.test")
    body = {"destinationId": "recoverableitemsdeletions"}
    kept = ask("POST", f"/users/{user}/messages/{mail}/move", json=body, headers={"Prefer": 'IdType="ImmutableId"'})
    assert kept.json()["id"] == mail
    assert ask("GET", f"/users/{user}/messages").json()["value"] == []
    assert ask("POST", f"/users/{user}/messages/{mail}/move", json={"destinationId": "inbox"}).json()["id"] != mail


def test_a_synchronised_user_refuses_to_be_changed(tenant, ask):
    synced = tenant.add_user("chie@example.test", synced=True)
    answer = ask("PATCH", f"/users/{synced}", json={"accountEnabled": False})
    assert answer.status_code == 400
    assert enabled(tenant, synced)


def test_a_default_method_stays_while_there_are_others(tenant, ask, user):
    first = tenant.add_method(user, "phone", created=tenant.clock())
    second = tenant.add_method(user, "phone", created=tenant.clock())
    tenant.state.directory.default_method[user] = first
    where = f"/users/{user}/authentication/phoneMethods"
    assert ask("DELETE", f"{where}/{first}").status_code == 400
    assert [ask("DELETE", f"{where}/{one}").status_code for one in (second, first)] == [204, 204]


def test_a_storm_of_429_ends(tenant, ask, user):
    tenant.faults.extend(Fault("throttled", seconds=7) for _ in range(3))
    answers = [ask("GET", f"/users/{user}") for _ in range(4)]
    assert [one.status_code for one in answers] == [429, 429, 429, 200]
    assert answers[0].headers["retry-after"] == "7"


@pytest.mark.parametrize(
    ("kind", "status", "stays_enabled"), [("lies", 204, True), ("fails-after", 503, False), ("unavailable", 503, True)]
)
def test_what_is_answered_and_what_is_done_are_two_things(tenant, ask, user, kind, status, stays_enabled):
    tenant.faults.append(Fault(kind))
    assert ask("PATCH", f"/users/{user}", json={"accountEnabled": False}).status_code == status
    assert enabled(tenant, user) is stays_enabled


@pytest.mark.parametrize(("kind", "stays_enabled"), [("drop-before", True), ("drop-after", False)])
def test_a_connection_breaks_before_or_after_the_effect(tenant, ask, user, kind, stays_enabled):
    tenant.faults.append(Fault(kind))
    with pytest.raises(httpx.RemoteProtocolError):
        ask("PATCH", f"/users/{user}", json={"accountEnabled": False})
    assert enabled(tenant, user) is stays_enabled


def test_a_late_write_is_done_but_not_read_at_first(tenant, ask, user):
    tenant.faults.append(Fault("late", reads=2))
    ask("PATCH", f"/users/{user}", json={"accountEnabled": False})
    seen = [ask("GET", f"/users/{user}?$select=accountEnabled").json()["accountEnabled"] for _ in range(3)]
    assert seen == [True, True, False]
    assert not enabled(tenant, user)


def test_somebody_else_was_faster(tenant, ask, user):
    rule = tenant.add_rule(user, "rule", actions={"delete": True})
    tenant.faults.append(Fault("vanishes"))
    assert ask("DELETE", f"/users/{user}/mailFolders/inbox/messageRules/{rule}").status_code == 404
    assert tenant.state.exchange.rules[user] == {}


def test_a_fault_of_writes_waits_for_a_write(tenant, ask, user):
    tenant.faults.append(Fault("lies"))
    assert ask("GET", f"/users/{user}").status_code == 200
    ask("PATCH", f"/users/{user}", json={"accountEnabled": False})
    assert enabled(tenant, user)


def test_a_batch_can_be_throttled_in_part(tenant, ask, user):
    tenant.faults.append(Fault("partial"))
    requests = [{"id": str(n), "method": "GET", "url": f"/users/{user}"} for n in range(4)]
    answers = ask("POST", "/$batch", json={"requests": requests}).json()["responses"]
    assert {one["id"]: one["status"] for one in answers} == {"0": 200, "1": 429, "2": 200, "3": 429}
    assert ask("POST", "/$batch", json={"requests": requests * 6}).status_code == 400


def test_it_is_served_with_tls_and_breaks_real_connections(tenant, user):
    tenant.faults.append(Fault("drop-after"))
    with serve(tenant) as served:
        context = ssl.create_default_context(cafile=served.ca_file)
        with httpx.Client(verify=context, headers={"authorization": f"Bearer {bearer(tenant)}"}) as client:
            where = f"{served.url}/v1.0/users/{user}"
            with pytest.raises(httpx.RemoteProtocolError):
                client.patch(where, json={"accountEnabled": False})
            assert client.get(f"{where}?$select=accountEnabled").json() == {"accountEnabled": False}
