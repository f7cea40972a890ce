"""CallRouteTracker: from the contact records of an Amazon Connect instance to one item per call."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from callroute.aws.state_machine import RecordFormat

from .contact_flow import ContactFlow, ContactFlowArgs, stream_contact_records
from .limits import ArgumentError, age_below_retention, check
from .pipe import PipePace, RecordPipe, record_queue
from .recorder import RouteRecorder
from .stream import RecordStream
from .table import INDEX_NAME, RecordTable

TOKEN = "call-route-tracker:index:CallRouteTracker"  # noqa: S105 - a Pulumi type token, not a secret
"""Type of the component in every stack's state: changing it would replace all that the component made."""

# A pipe's name may have 64 characters, a state machine's 80 but no dots. Sources: CreatePipe, CreateStateMachine.
_PHYSICAL_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
# The name of an IAM role may have 64 characters, of which `-recorder-role` and Pulumi's random ending take 22.
_NAME_CHARACTERS = 42


@dataclass(frozen=True)
class CallRouteTrackerArgs:
    """What a CallRouteTracker is made from."""

    connect_instance_id: str
    """Id of the Amazon Connect instance."""
    flows: Sequence[ContactFlowArgs] = ()
    """Flows to put into the instance; none where they are kept elsewhere."""
    record: RecordFormat = field(default_factory=RecordFormat)
    """How a call becomes an item: time zone, phone numbers, retention. Its `salt` must stay empty."""
    phone_number_salt: pulumi.Input[str] | None = field(default=None, repr=False)
    """Secret salt, needed where `record.phone_number` is `hashed`."""
    table_name: str = "call-records"
    """Name of the table in AWS."""
    stream_contact_records: bool = True
    """Whether the instance is told to send its contact records to the stream; an instance has one such stream."""
    stream_arn: pulumi.Input[str] | None = None
    """An existing Kinesis data stream to read from; without it one is made."""
    stream_kms_key_arn: pulumi.Input[str] | None = None
    """Customer key of the existing stream, where it has one."""
    stream_mode: str = "PROVISIONED"
    """Capacity mode of the stream: `PROVISIONED` or `ON_DEMAND`."""
    shard_count: int = 1
    """Shards of a provisioned stream."""
    stream_retention_hours: int = 24
    """How long the stream keeps records; of an existing stream, what it is set to."""
    batch_size: int = 10
    """Contact records that are handed over together, at most."""
    batching_window_seconds: int = 5
    """How long the pipe waits for a full batch."""
    parallelization_factor: int = 1
    """Batches of one shard that run at the same time."""
    maximum_retry_attempts: int = 25
    """How often a failing batch is tried again before it is dead-lettered."""
    maximum_record_age_seconds: int = 43_200
    """Age at which a record is dead-lettered; must be below the stream's retention."""
    kms_key_arn: pulumi.Input[str] | None = None
    """Customer key for table, stream and queues; AWS managed keys without it."""
    permissions_boundary_arn: pulumi.Input[str] | None = None
    """Managed policy that bounds what the two roles can be allowed."""
    log_retention_days: int = 30
    """How long the logs of state machine and pipe are kept."""
    protect_data: bool = True
    """Guards table, stream and queues, whose records exist nowhere else: Pulumi keeps them, DynamoDB the table."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags of every resource that can have tags."""

    def __post_init__(self) -> None:
        """Checks the plain values, alone and together."""
        check(self)
        check(self.record)
        age = self.maximum_record_age_seconds
        if limit := age_below_retention(age, self.stream_retention_hours):
            raise ArgumentError(
                f"maximum_record_age_seconds is {age}; allowed: {limit.allowed}. {limit.fix(age)}"
            )
        if self.stream_kms_key_arn is not None and self.stream_arn is None:
            raise ArgumentError(
                "stream_kms_key_arn is set without stream_arn; allowed: both or neither."
                " A new stream is encrypted with kms_key_arn: set that."
            )
        if self.record.salt:
            raise ArgumentError(
                "record.salt is set; allowed: nothing. Give the salt as phone_number_salt, which is kept secret."
            )
        if self.record.phone_number == "hashed" and self.phone_number_salt is None:
            raise ArgumentError(
                "phone_number_salt is None; allowed: a secret where record.phone_number is 'hashed'."
                " Without it a hash can be undone by trying all phone numbers: set a random one."
            )
        for what in ("key", "name"):
            values = [getattr(flow, what) for flow in self.flows]
            if twice := sorted({value for value in values if values.count(value) > 1}):
                raise ArgumentError(
                    f"flows have the {what} {twice} twice; allowed: each once. Rename one of them."
                )


class CallRouteTracker(pulumi.ComponentResource):
    """Records, per call, where in the menus of an Amazon Connect instance the caller stopped.

        contact flow ─> contact record ─> stream ─> pipe ─> state machine ─> table
                                                     └─> dead letters  └─> quarantine

    State machine and pipe are named after this component and the stack, since the trust policies of their roles name
    them before they exist. With a customer key, its policy must let Amazon Connect's service-linked role call
    `kms:GenerateDataKey` before the contact records are streamed.

    Args:
        name: the resource's name.
        args: what it is made from.
        opts: options of this component; they do not reach its children.

    Raises:
        ArgumentError: an argument, or name and stack together, are outside their limits.
    """

    table: RecordTable
    stream: RecordStream | None
    """None where an existing stream was given."""
    contact_record_streaming: aws.connect.InstanceStorageConfig | None
    """None where it was switched off."""
    flows: dict[str, ContactFlow]
    """By the key of the flow."""
    quarantine_queue: aws.sqs.Queue
    recorder: RouteRecorder
    pipe: RecordPipe

    table_name: pulumi.Output[str]
    table_arn: pulumi.Output[str]
    index_name: str
    stream_name: pulumi.Output[str]
    stream_arn: pulumi.Output[str]
    state_machine_arn: pulumi.Output[str]
    pipe_name: pulumi.Output[str]
    pipe_arn: pulumi.Output[str]
    dead_letter_queue_url: pulumi.Output[str]
    dead_letter_queue_arn: pulumi.Output[str]
    quarantine_queue_url: pulumi.Output[str]
    quarantine_queue_arn: pulumi.Output[str]
    flow_ids: dict[str, pulumi.Output[str]]
    """By the key of the flow."""
    state_machine_log_group: pulumi.Output[str]
    pipe_log_group: pulumi.Output[str]

    def __init__(
        self, name: str, args: CallRouteTrackerArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        physical_name = _physical_name(name)
        super().__init__(TOKEN, name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        where = pulumi.InvokeOutputOptions(parent=self)
        account_id = aws.get_caller_identity_output(opts=where).apply(lambda caller: caller.account_id)
        region = aws.get_region_output(opts=where).apply(lambda found: found.region)
        partition = aws.get_partition_output(opts=where).apply(lambda found: found.partition)

        def arn(service: str, resource: str) -> pulumi.Output[str]:
            return pulumi.Output.format(
                "arn:{}:{}:{}:{}:{}", partition, service, region, account_id, resource
            )

        self.table = RecordTable(
            f"{name}-table",
            table_name=args.table_name,
            expires=args.record.retention_days > 0,
            kms_key_arn=args.kms_key_arn,
            protect_data=args.protect_data,
            tags=args.tags,
            opts=child,
        )
        self.stream = None
        stream_kms_key_arn = args.stream_kms_key_arn
        if args.stream_arn is None:
            stream_kms_key_arn = args.kms_key_arn
            self.stream = RecordStream(
                f"{name}-stream",
                mode=args.stream_mode,
                shard_count=args.shard_count,
                retention_hours=args.stream_retention_hours,
                kms_key_arn=args.kms_key_arn,
                protect_data=args.protect_data,
                tags=args.tags,
                opts=child,
            )
        self.stream_arn = (
            self.stream.stream.arn if self.stream else pulumi.Output.from_input(args.stream_arn or "")
        )
        self.contact_record_streaming = None
        if args.stream_contact_records:
            self.contact_record_streaming = stream_contact_records(
                f"{name}-contact-records",
                instance_id=args.connect_instance_id,
                stream_arn=self.stream_arn,
                opts=child,
            )
        self.flows = {
            flow.key: ContactFlow(
                f"{name}-{flow.key}",
                instance_id=args.connect_instance_id,
                args=flow,
                tags=args.tags,
                opts=child,
            )
            for flow in args.flows
        }
        self.quarantine_queue = record_queue(
            f"{name}-quarantine",
            kms_key_arn=args.kms_key_arn,
            protect_data=args.protect_data,
            tags=args.tags,
            opts=child,
        )
        self.recorder = RouteRecorder(
            f"{name}-recorder",
            state_machine_name=physical_name,
            state_machine_arn=arn("states", f"stateMachine:{physical_name}"),
            account_id=account_id,
            record=args.record,
            # Whether or not it came as a secret: the definition that holds it has to be one.
            salt=None if args.phone_number_salt is None else pulumi.Output.secret(args.phone_number_salt),
            table=self.table.table,
            quarantine_queue=self.quarantine_queue,
            kms_key_arn=args.kms_key_arn,
            permissions_boundary_arn=args.permissions_boundary_arn,
            log_retention_days=args.log_retention_days,
            tags=args.tags,
            opts=child,
        )
        self.pipe = RecordPipe(
            f"{name}-pipe",
            pipe_name=physical_name,
            pipe_arn=arn("pipes", f"pipe/{physical_name}"),
            account_id=account_id,
            stream_arn=self.stream_arn,
            state_machine_arn=self.recorder.state_machine.arn,
            pace=PipePace(
                batch_size=args.batch_size,
                batching_window_seconds=args.batching_window_seconds,
                parallelization_factor=args.parallelization_factor,
                maximum_retry_attempts=args.maximum_retry_attempts,
                maximum_record_age_seconds=args.maximum_record_age_seconds,
            ),
            kms_key_arn=args.kms_key_arn,
            stream_kms_key_arn=stream_kms_key_arn,
            permissions_boundary_arn=args.permissions_boundary_arn,
            log_retention_days=args.log_retention_days,
            protect_data=args.protect_data,
            tags=args.tags,
            opts=child,
        )

        self.table_name = self.table.table.name
        self.table_arn = self.table.table.arn
        self.index_name = INDEX_NAME
        self.stream_name = self.stream_arn.apply(lambda arn: arn.rpartition("/")[2])
        self.state_machine_arn = self.recorder.state_machine.arn
        self.pipe_name = self.pipe.pipe.name
        self.pipe_arn = self.pipe.pipe.arn
        self.dead_letter_queue_url = self.pipe.dead_letter_queue.url
        self.dead_letter_queue_arn = self.pipe.dead_letter_queue.arn
        self.quarantine_queue_url = self.quarantine_queue.url
        self.quarantine_queue_arn = self.quarantine_queue.arn
        self.flow_ids = {key: flow.flow.contact_flow_id for key, flow in self.flows.items()}
        self.state_machine_log_group = self.recorder.logs.name
        self.pipe_log_group = self.pipe.logs.name
        self.register_outputs(
            {
                "tableName": self.table_name,
                "streamArn": self.stream_arn,
                "stateMachineArn": self.state_machine_arn,
                "pipeArn": self.pipe_arn,
            }
        )


def _physical_name(name: str) -> str:
    """What state machine and pipe are called in AWS: the component's name and the stack's."""
    if len(name) > _NAME_CHARACTERS:
        raise ArgumentError(
            f"name is {name!r}, {len(name)} characters; allowed: up to {_NAME_CHARACTERS}. Shorten it: AWS refuses roles"
            " whose name would be longer than 64."
        )
    physical_name = f"{name}-{pulumi.get_stack()}"
    if not _PHYSICAL_NAME.fullmatch(physical_name):
        raise ArgumentError(
            f"name and stack give {physical_name!r} as the pipe's name; allowed: up to 64 letters, digits, `_` and `-`."
            " Shorten or respell the component's name or the stack's."
        )
    return physical_name
