"""Guards against pulled flows that Pulumi would create a second time, in place of adopting them."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from callroute.cli.app import app
from tests.engine.aws_resources import CONTACT_FLOW
from tests.engine.project import Project
from tests.support.connect_instance import INSTANCE, MENU, MENU_CONTENT, QUEUE, Aws


def test_a_pulled_flow_is_configured_and_adopted(previews: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    previews.stack("dev")
    for name, value in previews.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(previews.folder)
    aws = Aws()
    monkeypatch.setattr("callroute.cli.pull._client", lambda _session, service, *_: aws.clients[service])
    aws.pulls_menu()

    options = ["--instance", INSTANCE, "--stack", "dev", "--import-file", "import.json"]
    pulled = CliRunner().invoke(app, ["pull", "Main menu", *options])

    assert pulled.exit_code == 0, pulled.stderr
    configuration = (previews.folder / "Pulumi.dev.yaml").read_text(encoding="utf-8")
    sample, menu = yaml.safe_load(configuration)["config"]["call-route-tracker:flows"]
    assert "# Replace with the ID or ARN of your instance." in configuration
    assert (sample["file"], menu["file"], menu["name"]) == ("call_route.json", "main_menu.json", "Main menu")
    assert menu["placeholders"]["SalesQueueArn"].endswith(f"/queue/{QUEUE}")

    in_connect = {
        "instanceId": INSTANCE,
        "name": "Main menu",
        "description": "First",
        "type": "CONTACT_FLOW",
        "content": json.dumps(json.loads(MENU_CONTENT), separators=(",", ":")),
    }
    previews.cloud.connect[f"{INSTANCE}:{MENU}"] = {**in_connect, "contactFlowId": MENU, "arn": "arn"}
    imports = ("import", "--file", "import.json", "--generate-code=false", "--protect=false")
    previews.succeed(*imports, "--yes", "--skip-preview")

    steps = json.loads(previews.succeed("preview", "--json").out)["steps"]
    flows = {each["urn"].rpartition("::")[2]: each for each in steps if f"${CONTACT_FLOW}::" in each["urn"]}
    assert flows["call-route-tracker-call-route"]["op"] == "create"
    adopted = flows["call-route-tracker-main-menu"]
    assert (adopted["op"], adopted.get("diffReasons")) == ("update", ["tags"])
    assert json.loads(adopted["newState"]["inputs"]["content"]) == json.loads(MENU_CONTENT)
