"""Tests of `callroute pull`, with requests and responses that botocore validates against the API models of AWS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import yaml
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from parliament import analyze_policy_string
from policy_sentry.analysis.analyze import analyze_by_access_level

from callroute.aws.deployment_roles import DeploymentTarget
from callroute.aws.operator_policies import pull_policy
from callroute.cli.app import app
from callroute.flows.load import load_flow
from callroute.flows.route_catalog import RouteCatalog
from callroute.local.stack_config import StackConfig, tracker_options
from tests.support.connect_instance import (
    ARN,
    BOT,
    FUNCTION,
    HOLD,
    INSTANCE,
    MENU,
    MENU_CONTENT,
    MODULE,
    PROMPT,
    QUEUE,
    Aws,
    block,
    flow,
)
from tests.support.paths import REPOSITORY


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    monkeypatch.chdir(tmp_path)
    stubbed = Aws()
    monkeypatch.setattr("callroute.cli.pull._client", lambda _session, service, *_: stubbed.clients[service])
    yield stubbed
    for stub in stubbed.stubs.values():
        stub.assert_no_pending_responses()


def pull(*arguments: str) -> Result:
    words = ["pull", "--instance", INSTANCE, "--region", "ap-northeast-1", "-o", "flows", *arguments]
    return CliRunner().invoke(app, words)


def test_a_pulled_flow_passes_the_check_and_is_deployed_with_the_same_content(aws: Aws) -> None:
    aws.pulls_menu()

    pulled = pull("Main menu")

    assert pulled.exit_code == 0, pulled.stderr
    path = Path("flows/main_menu.json")
    config = yaml.safe_load(pulled.stdout)["config"]["call-route-tracker:flows"]
    placeholders = {
        "LookUpFunctionArn": FUNCTION,
        "SalesQueueArn": f"{ARN}/queue/{QUEUE}",
        "BalanceModuleId": MODULE,
        "WelcomeWavPromptArn": f"{ARN}/prompt/{PROMPT}",
        "HoldFlowArn": f"{ARN}/contact-flow/{HOLD}",
        "OrdersBotArn": BOT,
    }
    assert config == [
        {
            "file": "main_menu.json",
            "name": "Main menu",
            "description": "First",
            "placeholders": placeholders,
            "tags": {"team": "telephony"},
        }
    ]
    flow = f"aws:connect/contactFlow:ContactFlow call-route-tracker-main-menu {INSTANCE}:{MENU}"
    options = "--generate-code=false --protect=false"
    assert pulled.stdout.endswith(f"\n# pulumi import {flow} {options}\n")
    assert "arn:" not in path.read_text(encoding="utf-8")
    loaded = load_flow(path, placeholders)
    assert loaded.content == json.dumps(json.loads(MENU_CONTENT), ensure_ascii=False, separators=(",", ":"))
    assert loaded.flow.type == "CONTACT_FLOW"
    checked = CliRunner().invoke(app, ["check", "flows", "--format", "json"])
    rules = {each["rule"] for each in json.loads(checked.stdout)["findings"]}
    assert not rules & {"undeclared-placeholder", "unlisted-route"}


def test_all_flows_and_modules_are_read_with_their_types(aws: Aws) -> None:
    aws.lists()
    aws.menu()
    aws.resources()
    aws.hold()
    aws.module()

    pulled = pull()

    assert pulled.exit_code == 0, pulled.stderr
    types = {path.name: RouteCatalog.load(path).type for path in Path("flows").glob("*.yaml")}
    assert types == {
        "main_menu.routes.yaml": "CONTACT_FLOW",
        "hold.routes.yaml": "CUSTOMER_HOLD",
        "balance.routes.yaml": "MODULE",
    }
    assert "待って" in Path("flows/hold.json").read_text(encoding="utf-8")
    menu, hold, module = yaml.safe_load(pulled.stdout)["config"]["call-route-tracker:flows"]
    assert "type" not in menu
    assert hold == {"file": "hold.json", "name": "Hold", "type": "CUSTOMER_HOLD", "tags": {}}
    assert module == {
        "file": "balance.json",
        "name": "Balance",
        "type": "MODULE",
        "description": "Plays the balance",
        "placeholders": {"WelcomeWavPromptArn": f"{ARN}/prompt/{PROMPT}"},
        "tags": {"team": "telephony"},
    }
    resource = "aws:connect/contactFlowModule:ContactFlowModule call-route-tracker-balance"
    assert f"\n# pulumi import {resource} {INSTANCE}:{MODULE} " in pulled.stdout


def test_local_edits_are_kept_without_force(aws: Aws) -> None:
    aws.pulls_menu()
    pull("Main menu")
    path = Path("flows/main_menu.json")
    original = path.read_text(encoding="utf-8")
    compact = json.dumps(json.loads(original))
    path.write_text(compact, encoding="utf-8")
    aws.pulls_menu()
    assert pull("Main menu").exit_code == 0
    assert path.read_text(encoding="utf-8") == compact, "only the whitespace differs"

    edited = original.replace('"3"', '"8"')
    path.write_text(edited, encoding="utf-8")
    aws.pulls_menu()
    refused = pull("Main menu")
    assert refused.exit_code == 1
    assert "was not overwritten. Save your changes, then use --force" in refused.stderr
    assert path.read_text(encoding="utf-8") == edited

    aws.pulls_menu()
    assert pull("Main menu", "--force").exit_code == 0
    assert path.read_text(encoding="utf-8") == original


def test_a_catalog_keeps_its_comments_and_gets_the_type_and_the_placeholders(aws: Aws) -> None:
    Path("flows").mkdir()
    path = Path("flows/main_menu.routes.yaml")
    text = "# Mine\nflow: main_menu.json\nplaceholders:\n  SalesQueueArn: Mine\nroutes:\n  - {route: a, en: A, ja: A}\n"
    path.write_text(text, encoding="utf-8")
    aws.pulls_menu()

    pull("Main menu")

    catalog = RouteCatalog.load(path)
    assert path.read_text(encoding="utf-8").startswith("# Mine\nflow: main_menu.json\nplaceholders:\n")
    assert (catalog.type, list(catalog.routes)) == ("CONTACT_FLOW", ["a"])
    assert catalog.placeholders["SalesQueueArn"] == "Mine"
    assert catalog.placeholders["HoldFlowArn"] == "ARN of the flow Hold"


def test_the_catalog_of_a_tracked_flow_contains_its_routes(aws: Aws) -> None:
    start = {"call_route": "start", "call_completed": "false"}
    aws.pulls_menu(
        flow(
            block("set", "UpdateContactAttributes", {"Attributes": start}, "hello"),
            block("hello", "MessageParticipant", {"Text": "Hello"}, "end"),
        )
    )

    assert pull("Main menu").exit_code == 0
    catalog = RouteCatalog.beside(Path("flows/main_menu.json"))
    assert catalog is not None
    assert list(catalog.routes) == ["start"]


def test_secrets_and_personal_data_are_reported_without_their_values(aws: Aws) -> None:
    attributes = {"apiKey": "hunter2hunter2", "phone": "$.CustomerEndpoint.Address"}
    aws.pulls_menu(flow(block("set", "UpdateContactAttributes", {"Attributes": attributes}, "end")))

    pulled = pull("Main menu")

    assert "$.Actions[0].Parameters.Attributes.apiKey looks like a secret" in pulled.stderr
    assert "Personal data ($.CustomerEndpoint.Address) is stored" in pulled.stderr
    assert "hunter2" not in pulled.stderr


def test_an_instance_is_found_by_its_alias(aws: Aws) -> None:
    summaries = [{"Id": INSTANCE, "InstanceAlias": "support"}]
    aws.stubs[aws.connect].add_response(
        "list_instances", {"InstanceSummaryList": summaries}, {"MaxResults": 10}
    )
    aws.lists()

    listed = pull("--instance", "support", "--list", "--json")

    assert [each["name"] for each in json.loads(listed.stdout)["flows"]] == ["Main menu", "Hold", "Balance"]


@pytest.mark.parametrize(
    ("code", "fix"),
    [
        ("AccessDeniedException", "`callroute roles` prints"),
        ("ResourceNotFoundException", "Check --instance"),
    ],
)
def test_errors_of_aws_are_reported(aws: Aws, code: str, fix: str) -> None:
    aws.stubs[aws.connect].add_client_error("list_contact_flows", code, "no", 400)

    failed = pull()

    assert failed.exit_code == 2
    assert fix in failed.stderr


def test_an_unknown_name_and_an_unpublished_flow_are_reported(aws: Aws) -> None:
    aws.lists()
    assert "has no flow or module 'Menu'" in pull("Menu").stderr

    aws.lists()
    aws.stubs[aws.connect].add_client_error(
        "describe_contact_flow", "ContactFlowNotPublishedException", "", 404
    )
    failed = pull("Main menu")

    assert failed.exit_code == 1
    assert "Main menu: the flow has never been published. Publish it in Connect" in failed.stderr


def test_names_of_bots_that_cannot_be_read_are_replaced_by_their_kind(aws: Aws) -> None:
    aws.pulls_menu()
    lex = Stubber(aws.lex)
    aws.stubs[aws.lex].deactivate()
    aws.stubs[aws.lex] = lex
    lex.add_client_error("describe_bot", "AccessDeniedException", "", 403)
    lex.activate()

    pulled = pull("Main menu", "--json")

    assert json.loads(pulled.stdout)["flows"][0]["placeholders"]["BotArn"] == BOT
    assert "the name of Lex bot ABCDEFGHIJ cannot be read (AccessDeniedException)" in pulled.stderr


def test_bots_of_lex_v1_are_named_by_their_arn(aws: Aws) -> None:
    bot = "arn:aws:lex:ap-northeast-1:111111111111:bot:Orders:prod"
    aws.stubs[aws.lex].deactivate()
    aws.stubs[aws.lex] = Stubber(aws.lex)
    aws.lists()
    aws.menu(flow(block("bot", "ConnectParticipantWithLexBot", {"LexV2Bot": {"AliasArn": bot}}, "end")))

    pulled = pull("Main menu", "--json")

    assert json.loads(pulled.stdout)["flows"][0]["placeholders"] == {"OrdersBotArn": bot}


def test_the_policy_allows_exactly_the_requests(aws: Aws) -> None:
    requested: set[str] = set()
    for client, prefix in ((aws.connect, "connect"), (aws.lex, "lex")):
        client.meta.events.register(
            "before-parameter-build",
            lambda model, prefix=prefix, **_: requested.add(f"{prefix}:{model.name}"),
        )
    summaries = [{"Id": INSTANCE, "InstanceAlias": "support"}]
    aws.stubs[aws.connect].add_response(
        "list_instances", {"InstanceSummaryList": summaries}, {"MaxResults": 10}
    )
    aws.lists()
    aws.menu()
    aws.resources()
    aws.module()
    assert pull("Main menu", "Balance", "--instance", "support").exit_code == 0

    config = StackConfig.read("dev", project=REPOSITORY)
    policy = pull_policy(
        DeploymentTarget(
            args=tracker_options(config),
            account_id="111111111111",
            region=config.region,
            stack="dev",
            repository="owner/name",
            state_bucket="state",
            state_key_arn="arn:aws:kms:ap-northeast-1:111111111111:key/1",
        )
    )

    allowed = {action for each in policy["Statement"] for action in each["Action"]}
    assert allowed == {*requested, "ds:DescribeDirectories"}, "ListInstances needs the latter for directories"
    assert [finding.issue for finding in analyze_policy_string(json.dumps(policy)).findings] == []
    for level in ("write", "permissions-management", "tagging"):
        assert analyze_by_access_level(policy, level) == []


def test_throttled_calls_are_slowed_down_and_repeated() -> None:
    from callroute.cli.pull import ATTEMPTS, _client

    client = _client(boto3.session.Session(region_name="ap-northeast-1"), "connect")

    assert client.meta.config.retries == {"mode": "adaptive", "total_max_attempts": ATTEMPTS}
