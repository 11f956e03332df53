# SPDX-License-Identifier: Apache-2.0
"""The fake Graph says nothing that Microsoft's metadata does not know, and asks for no other permissions."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hikeshi.testing.graph import Tenant
from hikeshi.testing.graph_directory import METHOD_KINDS
from hikeshi.testing.graph_directory import ROUTES as DIRECTORY
from hikeshi.testing.graph_mail import ROUTES as MAIL

FACTS = json.loads((Path(__file__).parent.parent / "data" / "graph" / "facts.json").read_text("utf-8"))
PROPERTIES = {name: set(properties) for name, properties in FACTS["properties"].items()}


@pytest.fixture
def things():
    """Something of everything that the fake can hold, by its type."""
    tenant = Tenant(roles=["User.Read.All"])
    user = tenant.add_user("anna@example.test")
    for kind, _ in METHOD_KINDS.values():
        tenant.add_method(user, kind, created=datetime(2026, 11, 1, tzinfo=UTC))
    app = tenant.add_app("Calendar")
    tenant.add_grant(user, app)
    tenant.add_assignment(user, app)
    tenant.add_rule(user, "rule", actions={"delete": True}, conditions={"subjectContains": ["x"]})
    tenant.add_message(user, "a@example.test")
    directory, exchange = tenant.state.directory, tenant.state.exchange
    return [
        ("user", directory.users[user]),
        *(
            (method["@odata.type"].removeprefix("#microsoft.graph."), method)
            for method in directory.methods[user].values()
        ),
        *(("oAuth2PermissionGrant", one) for one in directory.grants.values()),
        *(("appRoleAssignment", one) for one in directory.assignments.values()),
        *(("servicePrincipal", one) for one in directory.principals.values()),
        *(("appRole", role) for one in directory.principals.values() for role in one["appRoles"]),
        *(("messageRule", one) for one in exchange.rules[user].values()),
        *(("messageRuleActions", one["actions"]) for one in exchange.rules[user].values()),
        *(("messageRulePredicates", one["conditions"]) for one in exchange.rules[user].values()),
        *(("mailFolder", one) for one in exchange.folders[user].values()),
        *(("message", one) for one in exchange.messages[user].values()),
    ]


def test_every_property_of_the_fake_is_one_of_the_metadata(things):
    kinds = {kind for kind, _ in things}
    assert len(kinds) == 18
    unknown = {
        (kind, name) for kind, thing in things for name in thing if name not in PROPERTIES[kind] and "@" not in name
    }
    assert unknown == set()


def test_every_kind_of_method_is_a_type_of_the_metadata():
    assert {f"{kind}AuthenticationMethod" for kind, _ in METHOD_KINDS.values()} <= set(PROPERTIES)


@pytest.mark.parametrize("fact", FACTS["permissions"], ids=lambda fact: fact["request"] + fact.get("property", ""))
def test_the_least_permission_is_enough_for_the_request(fact):
    method, path = fact["request"].split(" ")
    asked = re.sub(r"\{\w+\}", "x", path)
    routes = [one for one in (*DIRECTORY, *MAIL) if one.method == method and one.pattern.match(asked)]
    assert routes
    allowed = routes[0].permissions
    assert set(fact["least"]) & allowed
    assert set(fact.get("also", ())) <= allowed


def test_no_route_takes_a_permission_that_microsoft_does_not_name_for_it():
    more = {
        "User.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
        "UserAuthenticationMethod.ReadWrite.All",
    }
    for fact in FACTS["permissions"]:
        method, path = fact["request"].split(" ")
        asked = re.sub(r"\{\w+\}", "x", path)
        route = next(one for one in (*DIRECTORY, *MAIL) if one.method == method and one.pattern.match(asked))
        same = [one for one in FACTS["permissions"] if one["request"] == fact["request"]]
        named = {name for one in same for name in (*one["least"], *one.get("also", ()))}
        assert route.permissions - named <= more, fact["request"]
