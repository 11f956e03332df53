# SPDX-License-Identifier: Apache-2.0
"""The connector against Google's own discovery documents, of the development dependency google-api-python-client."""

import importlib.util
import json
import re
from pathlib import Path

import google_stage as stage
import pytest

from hikeshi.contain.connectors.google import calls, listed
from hikeshi.contain.connectors.google.calls import CALLS, SCOPES, TOO_MUCH


def documents():
    place = Path(importlib.util.find_spec("googleapiclient").submodule_search_locations[0])
    for file in ("admin.directory_v1", "admin.reports_v1", "gmail.v1"):
        yield json.loads((place / "discovery_cache" / "documents" / f"{file}.json").read_text("utf-8"))


def walk(resource):
    for method in resource.get("methods", {}).values():
        yield method["id"], method
    for inner in resource.get("resources", {}).values():
        yield from walk(inner)


DOCUMENTS = list(documents())
METHODS = {key: method for document in DOCUMENTS for key, method in walk(document)}
SCHEMAS = {key: schema for document in DOCUMENTS for key, schema in document["schemas"].items()}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_every_request_is_a_method_of_googles_with_a_scope_that_it_allows(call):
    method = METHODS[call.name]
    assert (method["httpMethod"], method.get("flatPath") or method["path"]) == (call.method, call.path)
    assert call.scope in method["scopes"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_no_request_is_made_with_a_wider_scope_than_one_of_ours_that_would_do(call):
    width = [calls.AUDIT, calls.BASIC, calls.SHARING, calls.SECURITY, calls.MODIFY, calls.USER]
    allowed = [scope for scope in width if scope in METHODS[call.name]["scopes"]]
    assert call.scope == allowed[0]


def test_with_any_scope_less_some_request_would_be_refused():
    for scope in SCOPES:
        rest = set(SCOPES) - {scope}
        assert any(not rest & set(METHODS[call.name]["scopes"]) for call in CALLS), scope


def test_every_scope_is_googles_and_what_is_too_much_is_not_among_ours():
    known = {scope for document in DOCUMENTS for scope in document["auth"]["oauth2"]["scopes"]}
    assert set(SCOPES) <= known
    assert not set(SCOPES) & set(TOO_MUCH)


def schema_of(reference):
    return SCHEMAS[reference["$ref"]]["properties"]


@pytest.mark.parametrize("kind", [value for value in vars(listed).values() if isinstance(value, listed.Kind)])
def test_every_property_of_a_listed_thing_is_googles(kind):
    rows = schema_of(METHODS[kind.list.name]["response"])[kind.rows]
    properties = schema_of(rows["items"])
    assert {kind.key, *kind.kept, *kind.given} <= set(properties)
    assert f"{{{kind.name}}}" in kind.delete.path
    if kind.create:
        made = schema_of(METHODS[kind.create.name]["request"])
        assert set(kind.given) <= set(made)
        assert not [name for name in kind.given if made[name].get("readOnly")]


@pytest.mark.parametrize(
    ("schema", "names"),
    [
        (
            "User",
            "primaryEmail suspended suspensionReason changePasswordAtNextLogin password isAdmin",
        ),
        ("AutoForwarding", "enabled emailAddress disposition"),
        ("SendAs", "sendAsEmail replyToAddress isPrimary"),
        ("ImapSettings", "enabled"),
        ("PopSettings", "accessWindow"),
        ("VacationSettings", "enableAutoReply responseSubject responseBodyPlainText responseBodyHtml"),
        ("Message", "id labelIds payload"),
        ("MessagePart", "headers"),
        ("ModifyMessageRequest", "addLabelIds"),
        ("FilterCriteria", "from to subject query hasAttachment"),
        ("FilterAction", "forward addLabelIds removeLabelIds"),
        ("Activity", "id actor events ipAddress"),
    ],
)
def test_every_property_that_is_read_or_written_is_googles(schema, names):
    assert set(names.split()) <= set(SCHEMAS[schema]["properties"])


def test_the_modes_of_pop_that_are_shown_are_googles():
    assert {"fromNowOn", "allMail", "disabled"} <= set(SCHEMAS["PopSettings"]["properties"]["accessWindow"]["enum"])


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (calls.ACTIVITIES, "eventName filters startTime pageToken maxResults"),
        (calls.FIND, "q includeSpamTrash pageToken"),
        (calls.SEE, "format metadataHeaders"),
    ],
)
def test_every_query_parameter_is_googles(call, names):
    assert set(names.split()) <= set(METHODS[call.name]["parameters"])


def test_nothing_is_sent_in_a_whole_run_that_the_table_of_calls_does_not_name():
    made = stage.taken_over()
    with stage.beside(made) as connector:
        connector.check()
        for step in connector.look(stage.target()).steps:
            before = connector.probe(step)
            connector.do(step, before, stage.SINCE)
            connector.verify(step, before, stage.SINCE)
    asked = [one for one in made.requests if one != ("POST", "/token")]
    patterns = [(call.method, re.compile("/" + re.sub(r"\{\w+\}", "[^/]+", call.path))) for call in CALLS]
    assert len(asked) > 60
    for method, path in asked:
        assert any(method == known and pattern.fullmatch(path) for known, pattern in patterns), path
