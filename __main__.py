"""The program: settings in, one CallRouteTracker up, outputs out."""

from __future__ import annotations

import pulumi

from components.call_route_tracker.config import Settings
from components.call_route_tracker.tracker import CallRouteTracker

default_tags = {"project": pulumi.get_project(), "stack": pulumi.get_stack()}
settings = Settings.load()
tracker = CallRouteTracker(pulumi.get_project(), settings.tracker_args(default_tags))

pulumi.export("tableName", tracker.table_name)
pulumi.export("tableArn", tracker.table_arn)
pulumi.export("indexName", tracker.index_name)
pulumi.export("streamName", tracker.stream_name)
pulumi.export("streamArn", tracker.stream_arn)
pulumi.export("stateMachineArn", tracker.state_machine_arn)
pulumi.export("pipeName", tracker.pipe_name)
pulumi.export("pipeArn", tracker.pipe_arn)
pulumi.export("deadLetterQueueUrl", tracker.dead_letter_queue_url)
pulumi.export("deadLetterQueueArn", tracker.dead_letter_queue_arn)
pulumi.export("quarantineQueueUrl", tracker.quarantine_queue_url)
pulumi.export("quarantineQueueArn", tracker.quarantine_queue_arn)
pulumi.export("flowIds", tracker.flow_ids)
pulumi.export("timeZone", settings.time_zone)
pulumi.export("stateMachineLogGroup", tracker.state_machine_log_group)
pulumi.export("pipeLogGroup", tracker.pipe_log_group)
