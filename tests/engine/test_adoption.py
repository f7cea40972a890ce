"""Guards against pulled flows that Pulumi would create a second time, in place of adopting them."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml
from click.testing import CliRunner

from callroute.cli.app import app
from tests.engine.aws_resources import CONTACT_FLOW, CONTACT_FLOW_MODULE
from tests.engine.project import Project
from tests.support.connect_instance import (
    HOLD,
    HOLD_CONTENT,
    INSTANCE,
    MENU,
    MENU_CONTENT,
    MODULE,
    MODULE_CONTENT,
    QUEUE,
    Aws,
)


def test_pulled_flows_and_modules_are_configured_and_adopted(
    previews: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews.stack("dev")
    # Both flows were pulled before, one without tags and one with a tag that it no longer has.
    earlier = (
        "flows[1].file=main_menu.json",
        "flows[1].tags={}",
        "flows[2].file=hold.json",
        "flows[2].tags.old=x",
    )
    previews.succeed(
        "config", "set-all", "--path", *(word for each in earlier for word in ("--plaintext", each))
    )
    for name, value in previews.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(previews.folder)
    aws = Aws()
    monkeypatch.setattr("callroute.cli.pull._client", lambda _session, service, *_: aws.clients[service])
    aws.pulls_menu()
    aws.hold()
    aws.module()

    options = ["--instance", INSTANCE, "--stack", "dev"]
    pulled = CliRunner().invoke(app, ["pull", "Main menu", "Hold", "Balance", *options])

    assert pulled.exit_code == 0, pulled.stderr
    configuration = (previews.folder / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    sample, menu, hold, module = yaml.safe_load(configuration)["config"]["call-route-tracker:flows"]
    assert "# Replace with the ID or ARN of your instance." in configuration
    assert (sample["file"], menu["file"], menu["name"]) == ("call_route.json", "main_menu.json", "Main menu")
    assert menu["placeholders"]["SalesQueueArn"].endswith(f"/queue/{QUEUE}")

    assert (menu["tags"], hold["tags"]) == ({"team": "telephony"}, "{}")
    assert (hold["type"], module["type"]) == ("CUSTOMER_HOLD", "MODULE")

    tags = menu["tags"]
    for identifier, text, properties in (
        (
            MENU,
            MENU_CONTENT,
            {"name": "Main menu", "type": "CONTACT_FLOW", "description": "First", "tags": tags},
        ),
        (HOLD, HOLD_CONTENT, {"name": "Hold", "type": "CUSTOMER_HOLD"}),
        (MODULE, MODULE_CONTENT, {"name": "Balance", "description": "Plays the balance", "tags": tags}),
    ):
        in_connect = {"instanceId": INSTANCE, **properties}
        # The provider ignores differences of whitespace. The provider of these tests does not.
        content = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
        id_ = "contactFlowModuleId" if identifier == MODULE else "contactFlowId"
        outputs = {**in_connect, "content": content, id_: identifier, "arn": "arn"}
        previews.cloud.connect[f"{INSTANCE}:{identifier}"] = outputs
    commands = pulled.stdout.splitlines()
    assert len(commands) == 3
    for command in commands:
        pulumi, *words = shlex.split(command)
        assert pulumi == "pulumi"
        previews.succeed(*words, "--yes", "--skip-preview")

    steps = json.loads(previews.succeed("preview", "--json", "--show-sames").out)["steps"]
    types = (f"{CONTACT_FLOW}::", f"{CONTACT_FLOW_MODULE}::")
    flows = [each for each in steps if any(type_ in each["urn"] for type_ in types)]
    assert {each["urn"].rpartition("::")[2]: each["op"] for each in flows} == {
        "call-route-tracker-call-route": "create",
        "call-route-tracker-main-menu": "same",
        "call-route-tracker-hold": "same",
        "call-route-tracker-balance": "same",
    }
    assert {each["op"] for each in steps} == {"create", "same"}
    (content,) = (each["newState"]["inputs"]["content"] for each in flows if "main-menu" in each["urn"])
    assert json.loads(content) == json.loads(MENU_CONTENT)
