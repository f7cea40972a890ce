"""Imports the libraries of programs and policy packs, in the process from which they are forked."""

from __future__ import annotations

import cloudsplaining.shared.constants  # noqa: F401 - only imported
import policy_sentry.querying.actions  # noqa: F401 - only imported
import pulumi.automation._server
import pulumi.policy
import pulumi.provider.experimental  # noqa: F401 - only imported
import pulumi_aws as aws
import pulumi_policy  # noqa: F401 - only imported
import pytest  # noqa: F401 - imported by multiprocessing if it is the main module

# The modules of this library are imported when they are used.
CLASSES = (
    *(aws.cloudwatch.Dashboard, aws.cloudwatch.LogGroup, aws.cloudwatch.MetricAlarm),
    *(aws.connect.ContactFlow, aws.connect.ContactFlowModule, aws.connect.InstanceStorageConfig),
    aws.connect.PhoneNumberContactFlowAssociation,
    *(aws.dynamodb.Table, aws.iam.Role, aws.iam.RolePolicy, aws.kinesis.Stream, aws.pipes.Pipe),
    *(aws.sfn.StateMachine, aws.sns.Topic, aws.sns.TopicPolicy, aws.sns.TopicSubscription, aws.sqs.Queue),
)
