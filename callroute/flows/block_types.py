"""Catalog of the block types of flow language 2019-10-30: their parameters, branches and kinds of flow.

Every row names its sources. `doc` is the type's page in the AWS Flow language reference
(https://docs.aws.amazon.com/connect/latest/devguide/flow-language-actions.html). `live` refers to the results of live
requests published in 2026, which take precedence over the documentation. `third` refers to flows and validators
published by third parties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

FlowKind = Literal["contact", "transfer", "queue", "hold", "whisper", "outbound whisper", "module"]
"""Kind of flow. Disconnect flows count as contact flows. Transfer flows run for quick connects."""

StopKind = Literal[
    "prompt", "menu", "input", "bot", "view", "wait", "hold", "queue", "agent", "third party", "other flow"
]
"""Kind of stop: what happens in a block where callers can hang up."""

ALL: frozenset[FlowKind] = frozenset(
    ("contact", "transfer", "queue", "hold", "whisper", "outbound whisper", "module")
)
# Modules run inside contact flows and allow all of their blocks [live: modules that queue and disconnect].
INBOUND: frozenset[FlowKind] = frozenset(("contact", "transfer", "module"))
INTERACTIVE: frozenset[FlowKind] = INBOUND | {"queue"}

# Upper bound for numbers without a documented maximum.
ANY = 2**31

SPEECH = ("PromptId", "Text", "SSML", "Media")

# Source: the actions page of the AWS reference, except for KeyExists [third: a published flow builder].
EQUALS = ("Equals",)
NUMBER_OPERATORS = ("NumberGreaterThan", "NumberGreaterOrEqualTo", "NumberLessThan", "NumberLessOrEqualTo")
OPERATORS = (*EQUALS, "TextStartsWith", "TextEndsWith", "TextContains", *NUMBER_OPERATORS, "KeyExists")
"""All comparison operators that conditions can use."""

NO_MATCH = "NoMatchingError"
NO_CONDITION = "NoMatchingCondition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Expected shape of a block's parameters or of an object nested in them.

    Attributes:
        required: required members.
        one_of: members of which exactly one is required.
        any_of: members of which at least one is required.
        optional: optional members.
        refused: members that AWS is known to reject. Other unknown members may be newer than this catalog.
        values: allowed values by member. References (`$.…`) are always allowed.
        numbers: minimum and maximum of whole-number members. References are always allowed.
        references: members that must be a single reference.
        nested: shapes of nested objects by member.
        container: whether the member holds a single such object, a list of them, or a mapping from names to them.
    """

    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    nested: Mapping[str, Shape] = field(default_factory=dict)
    container: Literal["object", "list", "mapping"] = "object"

    @property
    def parameters(self) -> frozenset[str]:
        """All known members."""
        return frozenset((*self.required, *self.one_of, *self.any_of, *self.optional))


@dataclass(frozen=True, slots=True)
class BlockType(Shape):
    """A block type: the shape of its parameters, its branches, and the kinds of flow that allow it.

    Attributes:
        name: name of the type, shared by all its variants.
        source: evidence for the row.
        conditions: operands of the required conditions.
        conditions_optional: operands of the optional conditions; None allows any operand.
        conditions_from: name of a parameter that lists additional required operands.
        needs_condition: whether at least one condition is required.
        operators: allowed comparison operators.
        errors: required error branches.
        errors_with: error branches required if a parameter is present (`a.b` means b inside a).
        errors_unless: error branches required unless a parameter has a value, by parameter and value.
        errors_optional: optional error branches.
        next: whether the block has a NextAction.
        kinds: kinds of flow that allow the block, according to its documentation page. Used to infer a flow's kind.
        extra_kinds: additional kinds of flow that allow the block, according to another page or live requests.
        stop: kind of stop, or None if callers spend no time in the block.
        asks: whether the block waits for caller input.
    """

    name: str
    source: str
    conditions: tuple[str, ...] = ()
    conditions_optional: tuple[str, ...] | None = ()
    conditions_from: str = ""
    needs_condition: bool = False
    operators: tuple[str, ...] = EQUALS
    errors: tuple[str, ...] = ()
    errors_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors_unless: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    errors_optional: tuple[str, ...] = ()
    next: Literal["required", "optional", "refused"] = "required"
    kinds: frozenset[FlowKind] = ALL
    extra_kinds: frozenset[FlowKind] = frozenset()
    stop: StopKind | None = None
    asks: bool = False

    @property
    def variant(self) -> str:
        """Variant of a GetParticipantInput block for use in messages, such as ` (menu)`; empty for other types."""
        if self.name != "GetParticipantInput":
            return ""
        return {"menu": " (menu)", "input": " (stored input)"}.get(self.stop or "", " (key buffer)")

    @property
    def is_only_in_modules(self) -> bool:
        """True if only modules can contain the block."""
        return self.kinds | self.extra_kinds == {"module"}

    @property
    def terminal(self) -> bool:
        """True if the block ends the flow."""
        return self.next == "refused"

    def errors_needed(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """Returns the error branches required for a block with these parameters."""
        more = [errors for path, errors in self.errors_with.items() if _has(parameters, path)]
        for (name, value), errors in self.errors_unless.items():
            if str(parameters.get(name)).lower() != value.lower():
                more.append(errors)
        return (*self.errors, *(error for errors in more for error in errors))


def _has(parameters: Mapping[str, Any], path: str) -> bool:
    value: Any = parameters
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return True


def _plain(name: str, source: str, *required: str, optional: tuple[str, ...] = ()) -> BlockType:
    """Returns a block type whose only error branch is NoMatchingError."""
    return BlockType(name, source, required=required, optional=optional, errors=(NO_MATCH,))


_PROFILE_RESPONSE = ("ProfileResponseData",)

# Nested objects. Sources: the documentation pages of the types that use them, and live requests.
_BOOLEAN = ("True", "False")
_ENABLED = ("Enabled", "Disabled")
_MEDIA = Shape(
    required=("Uri",),
    optional=("SourceType", "MediaType"),
    values={"SourceType": ("S3",), "MediaType": ("Audio",)},
)
_SPOKEN = {"Media": _MEDIA}
_KEYS = Shape(
    optional=("InputTerminationSequence", "DisableCancelKey", "InterdigitTimeLimitSeconds"),
    values={"DisableCancelKey": _BOOLEAN},
    numbers={"InterdigitTimeLimitSeconds": (1, 20)},
)
_RECORDED = ("RecordedParticipants", "IVRRecordingBehavior")
_RECORDING = Shape(
    optional=(*_RECORDED, "ScreenRecordedParticipants"), values={"IVRRecordingBehavior": _ENABLED}
)
_EVENTS = (
    *("AgentHold", "AgentWhisper", "CustomerHold", "CustomerQueue", "CustomerRemaining", "CustomerWhisper"),
    *("DefaultAgentUI", "DisconnectAgentUI", "PauseContact", "ResumeContact"),
)

_MENU = BlockType(
    "GetParticipantInput",
    "live: StoreInput, time limit and all three errors are required; third: a published module uses a menu without keys "
    "to wait; doc: getparticipantinput",
    required=("StoreInput", "InputTimeLimitSeconds"),
    one_of=SPEECH,
    optional=("DTMFConfiguration", "SkipWhenDTMFBufferEnabled"),
    refused=("InputValidation", "InputEncryption"),
    nested={**_SPOKEN, "DTMFConfiguration": _KEYS},
    values={"StoreInput": _BOOLEAN},
    numbers={"InputTimeLimitSeconds": (1, ANY)},
    conditions_optional=tuple("0123456789*#"),
    errors=(NO_CONDITION, NO_MATCH, "InputTimeLimitExceeded"),
    kinds=INTERACTIVE,
    stop="menu",
    asks=True,
)
_STORED_INPUT = BlockType(
    "GetParticipantInput",
    "live: InputValidation is required; conditions, NoMatchingCondition and InputTimeLimitExceeded are refused; "
    "doc: getparticipantinput",
    required=("StoreInput", "InputTimeLimitSeconds", "InputValidation"),
    one_of=SPEECH,
    optional=("DTMFConfiguration", "InputEncryption"),
    nested={
        **_SPOKEN,
        "DTMFConfiguration": _KEYS,
        "InputEncryption": Shape(required=("EncryptionKeyId", "Key")),
        "InputValidation": Shape(
            one_of=("PhoneNumberValidation", "CustomValidation"),
            nested={
                "PhoneNumberValidation": Shape(
                    required=("NumberFormat",),
                    optional=("CountryCode",),
                    values={"NumberFormat": ("Local", "E164")},
                ),
                "CustomValidation": Shape(required=("MaximumLength",), numbers={"MaximumLength": (1, ANY)}),
            },
        ),
    },
    numbers={"InputTimeLimitSeconds": (1, ANY)},
    errors=(NO_MATCH,),
    errors_with={"InputValidation.PhoneNumberValidation": ("InvalidPhoneNumber",)},
    errors_optional=("InvalidPhoneNumber",),
    kinds=INTERACTIVE,
    stop="input",
    asks=True,
)
_KEY_BUFFER = BlockType(
    "GetParticipantInput",
    "third: the block that enables or disables the DTMF buffer",
    required=("EnableDTMFBuffer",),
    optional=("StoreInput", "InputEncryption"),
    errors=(NO_MATCH,),
    kinds=INTERACTIVE,
)

_TYPES = (
    # --- Interaction with the caller ---------------------------------------------------------------------------------
    BlockType(
        "MessageParticipant",
        "live: exactly one of the prompts, the error branch is optional; third: SkipWhenDTMFBufferEnabled; "
        "doc: messageparticipant",
        one_of=SPEECH,
        optional=("SkipWhenDTMFBufferEnabled",),
        nested=_SPOKEN,
        errors_optional=(NO_MATCH,),
        kinds=ALL - {"hold"},
        stop="prompt",
    ),
    BlockType(
        "MessageParticipantIteratively",
        "live: NextAction is optional; doc: messageparticipantiteratively",
        required=("Messages",),
        nested={"Messages": Shape(one_of=SPEECH, nested=_SPOKEN, container="list")},
        optional=("InterruptFrequencySeconds",),
        conditions_optional=("MessagesInterrupted",),
        errors_optional=(NO_MATCH,),
        next="optional",
        kinds=frozenset(("queue", "hold")),
        stop="hold",
    ),
    BlockType(
        "ConnectParticipantWithLexBot",
        "doc: connectparticipantwithlexbot",
        one_of=SPEECH,
        any_of=("LexV2Bot", "LexBot"),
        optional=(
            "LexSessionAttributes",
            "LexInitializationData",
            "LexInitilizationData",  # spelled this way in the AWS documentation
            "LexTimeoutSeconds",
        ),
        nested={
            **_SPOKEN,
            "LexV2Bot": Shape(required=("AliasArn",)),
            "LexBot": Shape(required=("Name", "Region", "Alias")),
        },
        conditions_optional=None,
        errors=(NO_CONDITION, NO_MATCH),
        errors_optional=("InputTimeLimitExceeded",),
        kinds=INTERACTIVE,
        stop="bot",
        asks=True,
    ),
    BlockType(
        "ShowView",
        "live: a time limit and three errors; doc: showview (chat only)",
        required=("ViewResource", "InvocationTimeLimitSeconds"),
        optional=("ViewData", "SensitiveDataConfiguration"),
        nested={"ViewResource": Shape(required=("Id",), optional=("Version",))},
        conditions_optional=None,
        errors=(NO_CONDITION, NO_MATCH, "TimeLimitExceeded"),
        kinds=INBOUND | {"queue"},
        stop="view",
        asks=True,
    ),
    BlockType(
        "Wait",
        "live: TimeLimitSeconds is required, the page's TimeoutSeconds refused; doc: wait (chat only)",
        required=("TimeLimitSeconds",),
        optional=("Events",),
        refused=("TimeoutSeconds",),
        numbers={"TimeLimitSeconds": (1, 604_800)},
        conditions=("WaitCompleted",),
        conditions_optional=("CustomerReturned", "BotParticipantDisconnected"),
        conditions_from="Events",
        errors=(NO_MATCH,),
        errors_optional=("ParticipantNotFound",),
        stop="wait",
        asks=True,
    ),
    BlockType(
        "AuthenticateParticipant",
        "third: published flows and validators (chat only)",
        required=("CognitoConfiguration", "CustomerProfilesConfiguration", "TimeLimitMinutes"),
        conditions_optional=("OptedOut",),
        errors=("TimeLimitExceeded", NO_MATCH),
        kinds=INTERACTIVE,
        stop="wait",
        asks=True,
    ),
    # --- Ending and transferring calls -------------------------------------------------------------------------------
    BlockType(
        "DisconnectParticipant",
        "live: no parameters and no branches, not in whisper and hold flows; doc: disconnectparticipant",
        next="refused",
        kinds=INTERACTIVE,
    ),
    BlockType(
        "EndFlowExecution",
        "live: no parameters and no branches; doc: endflowexecution (whisper and customer queue flows), and the "
        "administrator guide's End flow / Resume (all flows; it disconnects if there is no flow to return to)",
        next="refused",
        kinds=frozenset(("queue", "whisper", "outbound whisper", "module")),
        extra_kinds=ALL,
    ),
    BlockType(
        "EndFlowModuleExecution",
        "live: no branches; doc: endflowmoduleexecution",
        next="refused",
        kinds=frozenset(("module",)),
    ),
    BlockType(
        "TransferContactToQueue",
        "live: no parameters, both errors; doc: transfercontacttoqueue",
        refused=("QueueId", "AgentId"),
        errors=("QueueAtCapacity", NO_MATCH),
        kinds=INBOUND,
        stop="queue",
    ),
    BlockType(
        "DequeueContactAndTransferToQueue",
        "live: both errors; doc: dequeuecontactandtransfertoqueue",
        one_of=("QueueId", "AgentId"),
        errors=("QueueAtCapacity", NO_MATCH),
        kinds=frozenset(("queue",)),
        stop="queue",
    ),
    BlockType(
        "TransferContactToAgent",
        "live: no branches; doc: transfercontacttoagent",
        next="refused",
        kinds=frozenset(("transfer",)),
        stop="agent",
    ),
    BlockType(
        "TransferParticipantToThirdParty",
        "live: three errors; third: published flows use TimeLimit, the page uses Timeout, and an export without "
        "ContinueFlowExecution has only NoMatchingError; doc: transferparticipanttothirdparty (the time limit applies only "
        "if ContinueFlowExecution is not False)",
        one_of=("ThirdPartyPhoneNumber", "VoiceConnector"),
        optional=(
            *("ThirdPartyConnectionTimeLimitSeconds", "ThirdPartyConnectionTimeoutSeconds"),
            *("ContinueFlowExecution", "ThirdPartyDTMFDigits", "CallerId"),
        ),
        nested={"CallerId": Shape(any_of=("Number", "Name"))},
        values={"ContinueFlowExecution": _BOOLEAN},
        numbers={
            "ThirdPartyConnectionTimeLimitSeconds": (0, 600),
            "ThirdPartyConnectionTimeoutSeconds": (0, 600),
        },
        errors=(NO_MATCH,),
        errors_unless={("ContinueFlowExecution", "False"): ("CallFailed", "ConnectionTimeLimitExceeded")},
        errors_optional=("CallFailed", "ConnectionTimeLimitExceeded"),
        kinds=INTERACTIVE,
        stop="third party",
    ),
    BlockType(
        "TransferToFlow",
        "live: ContactFlowId; doc: transfertoflow",
        required=("ContactFlowId",),
        errors=(NO_MATCH,),
        kinds=INBOUND,
        stop="other flow",
    ),
    BlockType(
        "InvokeFlowModule",
        "live: FlowModuleId; doc: invoke-flow-module (contact flows and modules)",
        required=("FlowModuleId",),
        optional=("FlowModuleInput",),
        conditions_optional=None,
        errors=(NO_MATCH,),
        kinds=frozenset(("contact", "module")),
        stop="other flow",
    ),
    BlockType(
        "CompleteOutboundCall",
        "doc: completeoutboundcall",
        optional=("CallerId", "VoiceConnector", "ConnectionTimeLimitSeconds"),
        errors_optional=(NO_MATCH,),
        kinds=frozenset(("outbound whisper", "contact", "module")),
    ),
    # --- Branching ---------------------------------------------------------------------------------------------------
    BlockType(
        "Compare",
        "live: NextAction and NoMatchingCondition, no NoMatchingError; doc: compare",
        required=("ComparisonValue",),
        references=("ComparisonValue",),
        conditions_optional=None,
        needs_condition=True,
        operators=OPERATORS,
        errors=(NO_CONDITION,),
    ),
    BlockType(
        "Loop",
        "live: both conditions and NextAction, NoMatchingError allowed, LoopCount 0 to 100; doc: loop; "
        "inferred: the key of the loop name in the administrator guide",
        required=("LoopCount",),
        optional=("LoopName",),
        numbers={"LoopCount": (0, 100)},
        conditions=("ContinueLooping", "DoneLooping"),
        errors_optional=(NO_MATCH,),
    ),
    BlockType(
        "CheckHoursOfOperation",
        "live: True and False; doc: checkhoursofoperation",
        optional=("HoursOfOperationId",),
        conditions=("True", "False"),
        errors=(NO_MATCH,),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "CheckMetricData",
        "live: both errors and at least one condition; doc: checkmetricdata",
        required=("MetricType",),
        optional=("QueueId", "AgentId"),
        values={
            "MetricType": (
                "NumberOfAgentsAvailable",
                "NumberOfAgentsStaffed",
                "NumberOfAgentsOnline",
                "OldestContactInQueueAgeSeconds",
                "NumberOfContactsInQueue",
            )
        },
        conditions_optional=None,
        needs_condition=True,
        operators=(*EQUALS, *NUMBER_OPERATORS),
        errors=(NO_MATCH, NO_CONDITION),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "DistributeByPercentage",
        "live: NumberLessThan with cumulative 1 + percent; doc: distributebypercentage",
        conditions_optional=None,
        needs_condition=True,
        operators=("NumberLessThan",),
        errors=(NO_CONDITION,),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "CheckOutboundCallStatus",
        "doc: checkoutboundcallstatus (outbound campaigns only)",
        conditions_optional=("CallAnswered", "VoicemailBeep", "VoicemailNoBeep", "NotDetected"),
        needs_condition=True,
        errors=(NO_MATCH,),
    ),
    BlockType(
        "CheckVoiceId",
        "doc: checkvoiceid",
        required=("CheckVoiceIdOption",),
        values={"CheckVoiceIdOption": ("enrollmentStatus", "voiceAuthentication", "fraudDetection")},
        conditions_optional=None,
        needs_condition=True,
        errors=(NO_MATCH,),
    ),
    # --- Settings and attributes -------------------------------------------------------------------------------------
    BlockType(
        "UpdateContactAttributes",
        "live: no other parameters, and this error; third: older published flows omit TargetContact; "
        "doc: updatecontactattributes",
        required=("Attributes",),
        optional=("TargetContact",),
        values={"TargetContact": ("Current", "Related")},
        errors=(NO_MATCH,),
    ),
    BlockType(
        "UpdateFlowAttributes",
        'live: values {"Value": …}, the error branch is required; doc: updateflowattributes',
        required=("FlowAttributes",),
        nested={"FlowAttributes": Shape(required=("Value",), container="mapping")},
        errors=(NO_MATCH,),
    ),
    BlockType(
        "UpdateContactData",
        "live: at least one field, TargetContact may be missing; doc: updatecontactdata",
        optional=("TargetContact",),
        any_of=(
            "Name",
            "Description",
            "LanguageCode",
            "CustomerId",
            "References",
            "IsVoiceIdStreamingEnabled",
            "IsVoiceAuthenticationEnabled",
            "IsFraudDetectionEnabled",
            "VoiceAuthenticationThreshold",
            "VoiceAuthenticationResponseTime",
            "FraudDetectionThreshold",
            "WatchlistId",
            "WisdomSessionArn",
        ),
        values={"TargetContact": ("Current", "Related")},
        errors=(NO_MATCH,),
    ),
    BlockType(
        "UpdateContactTextToSpeechVoice",
        "live: the error branch is optional; doc: updatecontacttexttospeechvoice",
        required=("TextToSpeechVoice",),
        optional=("TextToSpeechEngine", "TextToSpeechStyle"),
        errors_optional=(NO_MATCH,),
    ),
    BlockType(
        "UpdateFlowLoggingBehavior",
        "live: no error branch; doc: updateflowloggingbehavior",
        required=("FlowLoggingBehavior",),
        values={"FlowLoggingBehavior": _ENABLED},
    ),
    BlockType(
        "UpdateContactRecordingBehavior",
        "live: NoMatchingError is refused; doc: updatecontactrecordingbehavior",
        required=("RecordingBehavior",),
        optional=("AnalyticsBehavior",),
        nested={"RecordingBehavior": _RECORDING},
        kinds=INTERACTIVE | {"outbound whisper"},
    ),
    BlockType(
        "UpdateContactRecordingAndAnalyticsBehavior",
        "live: one of the three, both errors, a third with ChatBehavior; doc: "
        "updatecontactrecordingandanalyticsbehavior",
        one_of=("VoiceBehavior", "ChatBehavior", "ScreenRecordingBehavior"),
        nested={
            "VoiceBehavior": Shape(
                optional=("VoiceRecordingBehavior", "VoiceAnalyticsBehavior"),
                nested={
                    "VoiceRecordingBehavior": Shape(
                        optional=_RECORDED, values={"IVRRecordingBehavior": _ENABLED}
                    )
                },
            ),
            "ScreenRecordingBehavior": Shape(optional=("ScreenRecordedParticipants",)),
        },
        errors=(NO_MATCH, "ChannelMismatch"),
        errors_with={"ChatBehavior": ("InFlightRedactionConfigurationFailed",)},
        errors_optional=("InFlightRedactionConfigurationFailed",),
    ),
    BlockType(
        "UpdateContactMediaStreamingBehavior",
        "doc: updatecontactmediastreamingbehavior",
        required=("MediaStreamingState", "Participants", "MediaStreamType"),
        values={"MediaStreamingState": _ENABLED},
        errors=(NO_MATCH,),
        kinds=ALL - {"hold"},
    ),
    BlockType(
        "UpdateContactMediaProcessing",
        "doc: updatecontactmediaprocessing (chat only)",
        required=("ChatProcessor",),
        errors=(NO_MATCH, "ChannelMismatch"),
    ),
    BlockType(
        "UpdateContactEventHooks",
        "doc: updatecontacteventhooks; third: EventHooksConfiguration",
        required=("EventHooks",),
        optional=("EventHooksConfiguration",),
        nested={"EventHooks": Shape(optional=_EVENTS)},
        errors=(NO_MATCH,),
    ),
    BlockType(
        "UpdateContactTargetQueue",
        "live: QueueId or AgentId; doc: updatecontacttargetqueue",
        one_of=("QueueId", "AgentId"),
        errors=(NO_MATCH,),
        kinds=INBOUND,
    ),
    BlockType(
        "UpdateContactRoutingBehavior",
        "live: an error branch with RoutingProficiencies and none without; doc: updatecontactroutingbehavior",
        one_of=("QueuePriority", "QueueTimeAdjustmentSeconds", "RoutingProficiencies"),
        errors_with={"RoutingProficiencies": (NO_MATCH,)},
        kinds=INTERACTIVE,
    ),
    BlockType(
        "UpdateContactRoutingCriteria",
        "third: published flows; doc: updateroutingcriteria",
        required=("RoutingCriteria",),
        errors=(NO_MATCH,),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "UpdateRoutingCriteria",
        "doc: updateroutingcriteria (published flows spell it UpdateContactRoutingCriteria)",
        required=("RoutingCriteria",),
        errors=(NO_MATCH,),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "UpdateContactCallbackNumber",
        "live: its two errors and no NoMatchingError; doc: updatecontactcallbacknumber",
        required=("CallbackNumber",),
        references=("CallbackNumber",),
        errors=("InvalidCallbackNumber", "CallbackNumberNotDialable"),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "UpdatePreviousContactParticipantState",
        "doc: updatepreviouscontactparticipantstate",
        required=("PreviousContactParticipantState",),
        values={"PreviousContactParticipantState": ("AgentOnHold", "CustomerOnHold", "OffHold")},
        errors=(NO_MATCH,),
        kinds=INBOUND,
    ),
    _plain("TagContact", "live: at most 6 tags, the error branch is required; doc: tagcontact", "Tags"),
    _plain(
        "UntagContact",
        "live: spelled this way, the page's UnTagContact is refused; doc: untagcontact",
        "TagKeys",
    ),
    # --- Integrations ------------------------------------------------------------------------------------------------
    BlockType(
        "InvokeLambdaFunction",
        "live: the types of response; doc: invokelambdafunction",
        required=("LambdaFunctionARN", "InvocationTimeLimitSeconds"),
        optional=("InvocationType", "LambdaInvocationAttributes", "ResponseValidation"),
        nested={
            "ResponseValidation": Shape(
                optional=("ResponseType",), values={"ResponseType": ("STRING_MAP", "JSON")}
            )
        },
        values={"InvocationType": ("SYNCHRONOUS", "ASYNCHRONOUS")},
        numbers={"InvocationTimeLimitSeconds": (1, 8)},
        errors=(NO_MATCH,),
    ),
    _plain("GetMetricData", "doc: getmetricdata", optional=("QueueId", "AgentId", "QueueChannel")),
    BlockType(
        "CreateCallbackContact",
        "doc: createcallbackcontact",
        required=("InitialCallDelaySeconds", "MaximumConnectionAttempts", "RetryDelaySeconds"),
        optional=("QueueId", "AgentId", "ContactFlowId", "CallerId"),
        numbers={
            "InitialCallDelaySeconds": (1, 259_200),
            "MaximumConnectionAttempts": (1, ANY),
            "RetryDelaySeconds": (1, 259_200),
        },
        errors=(NO_MATCH,),
        kinds=INTERACTIVE,
    ),
    _plain(
        "CreateTask",
        "doc: createtask",
        "Name",
        optional=(
            "ContactFlowId",
            "Attributes",
            "Description",
            "References",
            "DelaySeconds",
            "ScheduledTime",
            "TaskTemplateId",
        ),
    ),
    BlockType(
        "CreateCase",
        "doc: createcase",
        required=("LinkContactToCase", "CaseTemplateId"),
        optional=("CaseRequestFields",),
        errors=(NO_MATCH,),
        errors_optional=("ContactNotLinked",),
    ),
    BlockType(
        "GetCase",
        "doc: getcase",
        required=("LinkContactToCase", "GetLastUpdatedCase"),
        optional=("CustomerId", "CaseRequestFields", "CaseResponseFields"),
        errors=(NO_MATCH,),
        errors_optional=("ContactNotLinked", "MultipleFound", "NoneFound"),
    ),
    BlockType(
        "UpdateCase",
        "doc: updatecase",
        required=("LinkContactToCase", "CaseId"),
        optional=("CaseRequestFields",),
        errors=(NO_MATCH,),
        errors_optional=("ContactNotLinked",),
    ),
    _plain("CreateWisdomSession", "doc: createwisdomsession", "WisdomAssistantArn"),
    _plain(
        "StartOutboundChatContact",
        "doc: startoutboundchatcontact",
        "SourceEndpoint",
        "DestinationEndpoint",
        "ContactFlowArn",
        "ContactSubtype",
        optional=("InitialSystemMessage", "RelatedContact"),
    ),
    _plain("StartVoiceIdStream", "doc: startvoiceidstream"),
    _plain("ResumeContact", "doc: resumecontact"),
    _plain(
        "CreateCustomerProfile",
        "doc: createcustomerprofile",
        "ProfileRequestData",
        optional=_PROFILE_RESPONSE,
    ),
    _plain(
        "UpdateCustomerProfile",
        "doc: updatecustomerprofile",
        "ProfileRequestData",
        optional=_PROFILE_RESPONSE,
    ),
    _plain(
        "AssociateContactToCustomerProfile",
        "doc: associatecontacttocustomerprofile",
        "ProfileRequestData",
        optional=_PROFILE_RESPONSE,
    ),
    BlockType(
        "GetCustomerProfile",
        "doc: getcustomerprofile",
        required=("ProfileRequestData",),
        optional=_PROFILE_RESPONSE,
        errors=(NO_MATCH, "MultipleFoundError", "NoneFoundError"),
    ),
    BlockType(
        "GetCustomerProfileObject",
        "doc: getcustomerprofileobject",
        required=("ProfileRequestData",),
        optional=_PROFILE_RESPONSE,
        errors=(NO_MATCH, "NoneFoundError"),
    ),
    BlockType(
        "GetCalculatedAttributesForCustomerProfile",
        "doc: getcalculatedattributesforcustomerprofile",
        required=("ProfileRequestData",),
        optional=_PROFILE_RESPONSE,
        errors=(NO_MATCH, "NoneFoundError"),
    ),
    _plain(
        "CreatePersistentContactAssociation",
        "third: published flows and validators (chat only)",
        "RehydrationType",
        "SourceContactId",
    ),
    _plain("LoadContactContent", "third: published flows and validators (email)", "ContentType"),
    _plain("EvaluateDataTableValues", "third: published validators", "DataTableId", "Queries"),
    _plain("ListDataTableValues", "third: published validators", "DataTableId", "PrimaryKeyGroups"),
    _plain(
        "UpsertDataTableValues",
        "third: published validators",
        "DataTableId",
        "LockVersion",
        "DataTableUpsertAttributes",
    ),
)

# Types known only by name [third]. Their parameters and branches are not checked.
NAMES_ONLY = frozenset(("CreateContact", "RenderMessageTemplate", "StartOutboundEmailContact"))

# Other names for each block type, used by the flow designer, its exports and users.
_OTHER_NAMES = {
    "MessageParticipant": ("PlayPrompt",),
    "GetParticipantInput": ("GetUserInput", "GetCustomerInput", "StoreUserInput", "StoreCustomerInput"),
    "ConnectParticipantWithLexBot": ("GetParticipantWithLexV2Bot",),
    "DisconnectParticipant": ("Disconnect", "EndFlow"),
    "UpdateContactTargetQueue": ("SetQueue", "SetWorkingQueue"),
    "TransferContactToQueue": ("TransferToQueue",),
    "TransferParticipantToThirdParty": ("TransferToPhoneNumber", "TransferToThirdParty"),
    "UpdateContactAttributes": ("SetAttributes", "SetContactAttributes"),
    "Compare": ("CheckAttribute", "CheckContactAttributes"),
    "CheckMetricData": ("CheckQueueStatus", "CheckStaffing", "CheckMetric"),
    "InvokeLambdaFunction": ("InvokeExternalResource", "InvokeLambda"),
    "UpdateContactTextToSpeechVoice": ("SetVoice",),
    "UpdateContactRecordingBehavior": ("SetRecordingBehavior",),
    "UpdateFlowLoggingBehavior": ("SetLoggingBehavior",),
    "UpdateContactCallbackNumber": ("SetCallbackNumber",),
    "UpdateContactEventHooks": ("SetContactFlow", "SetEventHook"),
    "UpdateContactMediaStreamingBehavior": ("StartMediaStreaming", "StopMediaStreaming"),
    "DistributeByPercentage": ("Distribute",),
    "InvokeFlowModule": ("InvokeModule",),
    "UntagContact": ("UnTagContact",),
}
OTHER_NAMES: Mapping[str, str] = {name: type_ for type_, names in _OTHER_NAMES.items() for name in names}
"""Block type by alternative name. Connect does not accept the alternative names."""

BLOCK_TYPES: Mapping[str, BlockType] = {row.name: row for row in (*_TYPES, _MENU)}
"""All block types by name. GetParticipantInput maps to the menu; use `type_of` to get a block's variant."""


def type_of(block: Block) -> BlockType | None:
    """Returns the type of a block, or None if the type is unknown."""
    if block.type != "GetParticipantInput":
        return BLOCK_TYPES.get(block.type)
    if "EnableDTMFBuffer" in block.parameters:
        return _KEY_BUFFER
    return _STORED_INPUT if str(block.parameters.get("StoreInput")).lower() == "true" else _MENU


KINDS: Mapping[str, FlowKind] = {
    "CONTACT_FLOW": "contact",
    "CUSTOMER_QUEUE": "queue",
    "CUSTOMER_HOLD": "hold",
    "CUSTOMER_WHISPER": "whisper",
    "AGENT_HOLD": "hold",
    "AGENT_WHISPER": "whisper",
    "OUTBOUND_WHISPER": "outbound whisper",
    "AGENT_TRANSFER": "transfer",
    "QUEUE_TRANSFER": "transfer",
    "CAMPAIGN": "contact",
    "MODULE": "module",
}
"""Kind of flow by type. The types are those of CreateContactFlow, and MODULE for flow modules."""
MODULE = "MODULE"
FLOW_TYPES = tuple(type_ for type_ in KINDS if type_ != MODULE)
"""Flow types that CreateContactFlow accepts."""
DEFAULT_TYPE = "CONTACT_FLOW"
"""Type of a flow in which calls start. Stacks deploy flows as this type unless the configuration contains another."""

# Types by the value that the console writes to Metadata.type.
_CONSOLE_TYPES = {
    "contactFlow": "CONTACT_FLOW",
    "agentTransfer": "AGENT_TRANSFER",
    "queueTransfer": "QUEUE_TRANSFER",
    "customerQueue": "CUSTOMER_QUEUE",
    "customerHold": "CUSTOMER_HOLD",
    "agentHold": "AGENT_HOLD",
    "customerWhisper": "CUSTOMER_WHISPER",
    "agentWhisper": "AGENT_WHISPER",
    "outboundWhisper": "OUTBOUND_WHISPER",
}


def declared_type(flow: Flow) -> str | None:
    """Returns the type of a flow if it is known, or if the flow has Settings (modules) or the console's metadata."""
    if flow.type is not None:
        return flow.type
    if flow.is_module:
        return "MODULE"
    metadata = flow.document.get("Metadata")
    declared = metadata.get("type") if isinstance(metadata, Mapping) else None
    return _CONSOLE_TYPES.get(declared) if isinstance(declared, str) else None


def declared_kind(flow: Flow) -> FlowKind | None:
    """Returns the kind of a flow if its type is known (see `declared_type`), or None."""
    declared = declared_type(flow)
    return None if declared is None else KINDS[declared]


def kinds_of(flow: Flow) -> frozenset[FlowKind]:
    """Returns the declared kind of a flow, or every kind that allows all of its blocks.

    A flow's content does not include its type, which is a separate parameter of CreateContactFlow (see `load_flow`).
    """
    declared = declared_kind(flow)
    if declared:
        return frozenset((declared,))
    kinds = extra_kinds = ALL - {"module"}
    for block in flow.blocks.values():
        row = type_of(block)
        if row:
            kinds &= row.kinds
            extra_kinds &= row.kinds | row.extra_kinds
    return kinds or extra_kinds
