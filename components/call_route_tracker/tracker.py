"""CallRouteTracker, the component that combines all the others."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

import pulumi

from callroute.arn import Arn
from callroute.flows.block_types import MODULE

from .alarms import PipelineAlarms
from .constraints import ConfigError, Problem, camel_case, shown
from .contact_flow import ContactFlow, stream_contact_records
from .dashboard import pipeline_dashboard
from .options import CallRouteTrackerArgs
from .pipe import RecordPipe
from .recorder import RouteRecorder
from .shared import Account, message_queue
from .stream import RecordStream
from .table import INDEX_NAME, RecordTable

TOKEN = "call-route-tracker:index:CallRouteTracker"  # noqa: S105 - a Pulumi type token, not a secret
"""Type of the component in the state of every stack. Changing it would replace all resources of the component."""

# Pipe names can be up to 64 characters long. State machine names can be up to 80, without dots. Sources: CreatePipe,
# CreateStateMachine.
_PHYSICAL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# Role names can be up to 64 characters long. `-recorder-role` and the random suffix that Pulumi adds take up 22.
_NAME_CHARACTERS = 42


class CallRouteTracker(pulumi.ComponentResource):
    """Records where each caller leaves the menus of an Amazon Connect instance.

        contact flow ─> contact record ─> stream ─> pipe ─> state machine ─> table
                                                     └─> dead letters  └─> quarantine

    The state machine, the pipe, the alarms and the dashboard are named after this component and the stack. The trust policies
    of the roles contain the names of the state machine and the pipe before they exist.

    With a customer managed key, the key policy must allow the service-linked role of Amazon Connect to call
    `kms:GenerateDataKey`, and CloudWatch to call `kms:Decrypt` and `kms:GenerateDataKey*`.

    The resources are available as attributes: `table`, `stream` (None if `stream_arn` is set), `contact_record_streaming`
    (None if it is turned off), `flows` by key, `quarantine_queue`, `recorder`, `pipe`, and `alarms` and `dashboard` (None if
    they are turned off).

    Args:
        name: name of the resource.
        args: options of the tracker.
        opts: options of this component. They do not apply to its children.

    Raises:
        ConfigError: the name of the resource, or of the stack, is invalid.
    """

    # Pulumi treats every annotated attribute as an output, so the resources are not annotated here.
    table_name: pulumi.Output[str]
    """Name of the table of call records."""
    table_arn: pulumi.Output[str]
    """ARN of the table."""
    index_name: pulumi.Output[str]
    """Name of the table's index by day, with the keys `call_date` and `start_time`."""
    stream_name: pulumi.Output[str]
    """Name of the stream of contact records."""
    stream_arn: pulumi.Output[str]
    """ARN of the stream."""
    state_machine_arn: pulumi.Output[str]
    """ARN of the state machine."""
    pipe_name: pulumi.Output[str]
    """Name of the pipe."""
    pipe_arn: pulumi.Output[str]
    """ARN of the pipe."""
    dead_letter_queue_url: pulumi.Output[str]
    """URL of the queue with the stream positions of records that the pipe gave up on."""
    dead_letter_queue_arn: pulumi.Output[str]
    """ARN of the dead-letter queue."""
    quarantine_queue_url: pulumi.Output[str]
    """URL of the queue with the records that cannot be stored, and the reasons."""
    quarantine_queue_arn: pulumi.Output[str]
    """ARN of the quarantine queue."""
    connect_instance_id: pulumi.Output[str]
    """ID of the Amazon Connect instance."""
    flow_ids: pulumi.Output[Mapping[str, str]]
    """IDs of the flows and modules, by the key of the flow."""
    time_zone: pulumi.Output[str]
    """Time zone of the times in the table."""
    state_machine_log_group: pulumi.Output[str]
    """Log group of the state machine."""
    pipe_log_group: pulumi.Output[str]
    """Log group of the pipe."""
    alarm_topic_arn: pulumi.Output[str]
    """ARN of the topic that receives the alarms, or empty if they are turned off."""
    dashboard_name: pulumi.Output[str]
    """Name of the dashboard, or empty if it is turned off."""

    def __init__(
        self, name: str, args: CallRouteTrackerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        physical_name = _physical_name(name)
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        account = Account.look_up(self)

        self.table = RecordTable(f"{name}-table", args, child)
        self.stream = None
        stream_kms_key_arn = args.stream_kms_key_arn
        if args.stream_arn is None:
            self.stream = RecordStream(f"{name}-stream", args, child)
            self.stream_arn = account.stream_arn(self.stream.stream)
            stream_kms_key_arn = args.kms_key_arn
        else:
            self.stream_arn = pulumi.Output.from_input(args.stream_arn)
        self.contact_record_streaming = None
        if args.stream_contact_records:
            self.contact_record_streaming = stream_contact_records(
                f"{name}-contact-records",
                instance_id=args.connect_instance_id,
                stream_arn=self.stream_arn,
                opts=child,
            )
        self.flows: dict[str, ContactFlow] = {}
        modules: list[ContactFlow] = []
        for flow in sorted(args.flows, key=lambda each: each.type != MODULE):
            self.flows[flow.key] = ContactFlow(
                f"{name}-{flow.key}",
                flow,
                instance_id=args.connect_instance_id,
                tags=args.tags,
                modules=modules,
                opts=child,
            )
            if flow.type == MODULE:
                modules.append(self.flows[flow.key])
        self.quarantine_queue = message_queue(f"{name}-quarantine", args, parent=self)
        self.recorder = RouteRecorder(
            f"{name}-recorder",
            args,
            state_machine_name=physical_name,
            account=account,
            table=self.table.table,
            quarantine_queue=self.quarantine_queue,
            opts=child,
        )
        self.pipe = RecordPipe(
            f"{name}-pipe",
            args,
            pipe_name=physical_name,
            account=account,
            stream_arn=self.stream_arn,
            stream_kms_key_arn=stream_kms_key_arn,
            state_machine_arn=account.state_machine_arn(self.recorder.state_machine.name),
            opts=child,
        )

        stream_name = self.stream_arn.apply(lambda stream: Arn.parse(stream).name)
        self.alarms = None
        if args.alarms:
            self.alarms = PipelineAlarms(
                f"{name}-alarms",
                args,
                prefix=physical_name,
                account=account,
                stream_name=stream_name,
                state_machine=self.recorder.state_machine,
                pipe=self.pipe.pipe,
                table=self.table.table,
                dead_letter_queue=self.pipe.dead_letter_queue,
                quarantine_queue=self.quarantine_queue,
                opts=child,
            )
        self.dashboard = None
        if args.dashboard:
            self.dashboard = pipeline_dashboard(
                f"{name}-dashboard",
                args,
                prefix=physical_name,
                account=account,
                stream_name=stream_name,
                state_machine=self.recorder.state_machine,
                pipe=self.pipe.pipe,
                table=self.table.table,
                index_name=INDEX_NAME,
                dead_letter_queue=self.pipe.dead_letter_queue,
                quarantine_queue=self.quarantine_queue,
                opts=child,
            )

        self.table_name = self.table.table.name
        self.table_arn = self.table.table.arn
        self.index_name = pulumi.Output.from_input(INDEX_NAME)
        self.stream_name = stream_name
        self.state_machine_arn = self.recorder.state_machine.arn
        self.pipe_name = self.pipe.pipe.name
        self.pipe_arn = self.pipe.pipe.arn
        self.dead_letter_queue_url = self.pipe.dead_letter_queue.url
        self.dead_letter_queue_arn = self.pipe.dead_letter_queue.arn
        self.quarantine_queue_url = self.quarantine_queue.url
        self.quarantine_queue_arn = self.quarantine_queue.arn
        self.connect_instance_id = pulumi.Output.from_input(args.connect_instance_id)
        flow_ids: dict[str, Any] = {key: flow.flow_id for key, flow in self.flows.items()}
        self.flow_ids = pulumi.Output.from_input(flow_ids)
        self.time_zone = pulumi.Output.from_input(args.time_zone)
        self.state_machine_log_group = self.recorder.logs.name
        self.pipe_log_group = self.pipe.logs.name
        self.alarm_topic_arn = self.alarms.topic_arn if self.alarms else pulumi.Output.from_input("")
        self.dashboard_name = (
            self.dashboard.dashboard_name if self.dashboard else pulumi.Output.from_input("")
        )
        self.register_outputs(
            {
                "tableName": self.table_name,
                "streamArn": self.stream_arn,
                "stateMachineArn": self.state_machine_arn,
                "pipeArn": self.pipe_arn,
            }
        )

    @property
    def outputs(self) -> dict[str, pulumi.Output[object]]:
        """All outputs, keyed by name in camel case."""
        names = inspect.get_annotations(CallRouteTracker)
        return {camel_case(name): getattr(self, name) for name in names}


def _physical_name(name: str) -> str:
    """Returns the AWS name of the state machine and the pipe, which combines the component and stack names."""
    physical_name = f"{name}-{pulumi.get_stack()}"
    if len(name) > _NAME_CHARACTERS:
        allowed = f"up to {_NAME_CHARACTERS} characters"
        fix = f"It has {len(name)} characters: shorten it, because AWS rejects role names of more than 64 characters."
        raise ConfigError([Problem("name", shown(name), allowed, fix)])
    if not _PHYSICAL_NAME.fullmatch(physical_name):
        allowed = "up to 64 letters, digits, `_` and `-`"
        fix = "It is also the name of the pipe: change the name of the component or of the stack."
        raise ConfigError([Problem("name and stack", shown(physical_name), allowed, fix)])
    return physical_name
