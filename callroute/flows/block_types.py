"""The types of block of flow language 2019-10-30, as data: what each one takes, where it leads, where it may stand.

Every row says where it is known from. `doc` is the type's page in AWS's Flow language reference
(https://docs.aws.amazon.com/connect/latest/devguide/flow-language-actions.html); `live` marks what published live
requests of 2026 showed, which goes before the documentation where the two differ; `third` is other people's published
flows and validators. What was seen live is told apart because AWS refuses or accepts it, whatever the page says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from callroute.flows.flow import Block, Flow

FlowKind = Literal["contact", "transfer", "queue", "hold", "whisper", "outbound whisper", "module"]
"""What a flow is for. Disconnect flows are contact flows; transfer flows run for quick connects."""

StopKind = Literal[
    "prompt", "menu", "input", "bot", "view", "wait", "hold", "queue", "agent", "third party", "other flow"
]
"""What goes on in a block in which a caller can be when they hang up."""

ALL: frozenset[FlowKind] = frozenset(
    ("contact", "transfer", "queue", "hold", "whisper", "outbound whisper", "module")
)
# A module runs inside contact flows, and takes every block that these take [live: modules that queue and disconnect].
INBOUND: frozenset[FlowKind] = frozenset(("contact", "transfer", "module"))
INTERACTIVE: frozenset[FlowKind] = INBOUND | {"queue"}

# AWS names no greatest value.
ANY = 2**31

SPEECH = ("PromptId", "Text", "SSML", "Media")

# Source: the reference's page on actions. KeyExists is not on it [third: a published flow builder].
EQUALS = ("Equals",)
NUMBER_OPERATORS = ("NumberGreaterThan", "NumberGreaterOrEqualTo", "NumberLessThan", "NumberLessOrEqualTo")
OPERATORS = (*EQUALS, "TextStartsWith", "TextEndsWith", "TextContains", *NUMBER_OPERATORS, "KeyExists")
"""All ways in which a condition can compare."""

NO_MATCH = "NoMatchingError"
NO_CONDITION = "NoMatchingCondition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What is known of an object: the parameters of a block, or an object among these.

    Attributes:
        required: members that must be there.
        one_of: members of which exactly one must be there.
        some_of: members of which one at least must be there.
        optional: members that may be there besides.
        refused: members that AWS was seen to refuse; any other unknown one may just be newer than this table.
        values: by member, what it may be; a reference (`$.…`) is always let through.
        numbers: by member, the least and the greatest whole number it may be; references are let through.
        references: members that must be one whole reference.
        inside: by member, the shape of the object, or of the objects, that it holds.
        holds: whether what has this shape is one object, a list of them, or an object that names them.
    """

    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()
    some_of: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    inside: Mapping[str, Shape] = field(default_factory=dict)
    holds: Literal["object", "list", "names"] = "object"

    @property
    def parameters(self) -> frozenset[str]:
        """All members that are known of it."""
        return frozenset((*self.required, *self.one_of, *self.some_of, *self.optional))


@dataclass(frozen=True, slots=True)
class BlockType(Shape):
    """What is known of one type of block: the shape of its parameters, its branches, its place.

    Attributes:
        name: the type; where a type works in two ways, the rows share it.
        source: where the row is known from.
        conditions: operands of conditions that must be there.
        conditions_optional: operands that may be there besides; None for any.
        conditions_of: a parameter that lists further operands that must be there.
        some_condition: whether at least one condition must be there.
        operators: how its conditions may compare.
        errors: error branches that must be there.
        errors_with: by parameter (`a.b` for b in a), error branches that must be there where that is.
        errors_optional: error branches that may be there besides.
        next: whether it goes on to a NextAction.
        kinds: the flows in which it may stand, by its page; a flow is taken to be of such a kind.
        kinds_besides: the flows in which another page or live requests let it stand too.
        stop: what a caller does in it, where they can hang up in it; None where it takes no time that matters.
        asks: whether it waits for the caller to do something.
    """

    name: str
    source: str
    conditions: tuple[str, ...] = ()
    conditions_optional: tuple[str, ...] | None = ()
    conditions_of: str = ""
    some_condition: bool = False
    operators: tuple[str, ...] = EQUALS
    errors: tuple[str, ...] = ()
    errors_with: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors_optional: tuple[str, ...] = ()
    next: Literal["required", "optional", "refused"] = "required"
    kinds: frozenset[FlowKind] = ALL
    kinds_besides: frozenset[FlowKind] = frozenset()
    stop: StopKind | None = None
    asks: bool = False

    @property
    def variant(self) -> str:
        """Which of its ways a GetParticipantInput works in, to be said behind its name; empty for other types."""
        if self.name != "GetParticipantInput":
            return ""
        return {"menu": " (menu)", "input": " (stored input)"}.get(self.stop or "", " (key buffer)")

    @property
    def terminal(self) -> bool:
        """Whether nothing follows it."""
        return self.next == "refused"

    def errors_needed(self, parameters: Mapping[str, Any]) -> tuple[str, ...]:
        """The error branches that a block with these parameters must have."""
        more = [errors for path, errors in self.errors_with.items() if _has(parameters, path)]
        return (*self.errors, *(error for errors in more for error in errors))


def _has(parameters: Mapping[str, Any], path: str) -> bool:
    value: Any = parameters
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return False
        value = value[name]
    return True


def _plain(name: str, source: str, *required: str, optional: tuple[str, ...] = ()) -> BlockType:
    """A block that does one thing, and has an error branch for when that fails."""
    return BlockType(name, source, required=required, optional=optional, errors=(NO_MATCH,))


_PROFILE_ANSWER = ("ProfileResponseData",)

# The objects inside parameters, from the pages of the types that have them; `live` where a request showed it.
_SWITCH = ("True", "False")
_ABLE = ("Enabled", "Disabled")
_MEDIA = Shape(
    required=("Uri",),
    optional=("SourceType", "MediaType"),
    values={"SourceType": ("S3",), "MediaType": ("Audio",)},
)
_SPOKEN = {"Media": _MEDIA}
_KEYS = Shape(
    optional=("InputTerminationSequence", "DisableCancelKey", "InterdigitTimeLimitSeconds"),
    values={"DisableCancelKey": _SWITCH},
    numbers={"InterdigitTimeLimitSeconds": (1, 20)},
)
_RECORDED = ("RecordedParticipants", "IVRRecordingBehavior")
_RECORDING = Shape(
    optional=(*_RECORDED, "ScreenRecordedParticipants"), values={"IVRRecordingBehavior": _ABLE}
)
_EVENTS = (
    *("AgentHold", "AgentWhisper", "CustomerHold", "CustomerQueue", "CustomerRemaining", "CustomerWhisper"),
    *("DefaultAgentUI", "DisconnectAgentUI", "PauseContact", "ResumeContact"),
)

_MENU = BlockType(
    "GetParticipantInput",
    "live: StoreInput, time limit and all three errors are required; third: a published module waits by a menu without "
    "keys; doc: getparticipantinput",
    required=("StoreInput", "InputTimeLimitSeconds"),
    one_of=SPEECH,
    optional=("DTMFConfiguration", "SkipWhenDTMFBufferEnabled"),
    refused=("InputValidation", "InputEncryption"),
    inside={**_SPOKEN, "DTMFConfiguration": _KEYS},
    values={"StoreInput": _SWITCH},
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
    inside={
        **_SPOKEN,
        "DTMFConfiguration": _KEYS,
        "InputEncryption": Shape(required=("EncryptionKeyId", "Key")),
        "InputValidation": Shape(
            one_of=("PhoneNumberValidation", "CustomValidation"),
            inside={
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
    "third: the block that switches the buffer for keys pressed early",
    required=("EnableDTMFBuffer",),
    optional=("StoreInput", "InputEncryption"),
    errors=(NO_MATCH,),
    kinds=INTERACTIVE,
)

_TYPES = (
    # --- What the caller meets ---------------------------------------------------------------------------------------
    BlockType(
        "MessageParticipant",
        "live: exactly one of the prompts, the error branch is optional; third: SkipWhenDTMFBufferEnabled; "
        "doc: messageparticipant",
        one_of=SPEECH,
        optional=("SkipWhenDTMFBufferEnabled",),
        inside=_SPOKEN,
        errors_optional=(NO_MATCH,),
        kinds=ALL - {"hold"},
        stop="prompt",
    ),
    BlockType(
        "MessageParticipantIteratively",
        "live: may go without NextAction; doc: messageparticipantiteratively",
        required=("Messages",),
        inside={"Messages": Shape(one_of=SPEECH, inside=_SPOKEN, holds="list")},
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
        some_of=("LexV2Bot", "LexBot"),
        optional=(
            "LexSessionAttributes",
            "LexInitializationData",
            "LexInitilizationData",  # so spelt on AWS's page
            "LexTimeoutSeconds",
        ),
        inside={
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
        inside={"ViewResource": Shape(required=("Id",), optional=("Version",))},
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
        conditions_of="Events",
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
    # --- Where the caller goes ---------------------------------------------------------------------------------------
    BlockType(
        "DisconnectParticipant",
        "live: no parameters and no branches, not in whisper and hold flows; doc: disconnectparticipant",
        next="refused",
        kinds=INTERACTIVE,
    ),
    BlockType(
        "EndFlowExecution",
        "live: no parameters and no branches; doc: endflowexecution (whisper and customer queue flows), and the "
        "administrator guide's End flow / Resume (all flows; it disconnects where there is nothing to go back to)",
        next="refused",
        kinds=frozenset(("queue", "whisper", "outbound whisper", "module")),
        kinds_besides=ALL,
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
        "live: three errors; third: published flows say TimeLimit where the page says Timeout; "
        "doc: transferparticipanttothirdparty",
        one_of=("ThirdPartyPhoneNumber", "VoiceConnector"),
        optional=(
            *("ThirdPartyConnectionTimeLimitSeconds", "ThirdPartyConnectionTimeoutSeconds"),
            *("ContinueFlowExecution", "ThirdPartyDTMFDigits", "CallerId"),
        ),
        inside={"CallerId": Shape(some_of=("Number", "Name"))},
        values={"ContinueFlowExecution": _SWITCH},
        numbers={
            "ThirdPartyConnectionTimeLimitSeconds": (0, 600),
            "ThirdPartyConnectionTimeoutSeconds": (0, 600),
        },
        errors=("CallFailed", "ConnectionTimeLimitExceeded", NO_MATCH),
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
    # --- Ways through the flow ---------------------------------------------------------------------------------------
    BlockType(
        "Compare",
        "live: NextAction and NoMatchingCondition, no NoMatchingError; doc: compare",
        required=("ComparisonValue",),
        references=("ComparisonValue",),
        conditions_optional=None,
        some_condition=True,
        operators=OPERATORS,
        errors=(NO_CONDITION,),
    ),
    BlockType(
        "Loop",
        "live: both conditions and NextAction, NoMatchingError allowed, LoopCount 0 to 100; doc: loop",
        required=("LoopCount",),
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
        some_condition=True,
        operators=(*EQUALS, *NUMBER_OPERATORS),
        errors=(NO_MATCH, NO_CONDITION),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "DistributeByPercentage",
        "live: NumberLessThan with cumulative 1 + percent; doc: distributebypercentage",
        conditions_optional=None,
        some_condition=True,
        operators=("NumberLessThan",),
        errors=(NO_CONDITION,),
        kinds=INTERACTIVE,
    ),
    BlockType(
        "CheckOutboundCallStatus",
        "doc: checkoutboundcallstatus (outbound campaigns only)",
        conditions_optional=("CallAnswered", "VoicemailBeep", "VoicemailNoBeep", "NotDetected"),
        some_condition=True,
        errors=(NO_MATCH,),
    ),
    BlockType(
        "CheckVoiceId",
        "doc: checkvoiceid",
        required=("CheckVoiceIdOption",),
        values={"CheckVoiceIdOption": ("enrollmentStatus", "voiceAuthentication", "fraudDetection")},
        conditions_optional=None,
        some_condition=True,
        errors=(NO_MATCH,),
    ),
    # --- What the flow sets ------------------------------------------------------------------------------------------
    BlockType(
        "UpdateContactAttributes",
        "live: no other parameters, and this error; third: published flows of some age go without TargetContact; "
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
        inside={"FlowAttributes": Shape(required=("Value",), holds="names")},
        errors=(NO_MATCH,),
    ),
    BlockType(
        "UpdateContactData",
        "live: at least one field, TargetContact may be missing; doc: updatecontactdata",
        optional=("TargetContact",),
        some_of=(
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
        values={"FlowLoggingBehavior": _ABLE},
    ),
    BlockType(
        "UpdateContactRecordingBehavior",
        "live: NoMatchingError is refused; doc: updatecontactrecordingbehavior",
        required=("RecordingBehavior",),
        optional=("AnalyticsBehavior",),
        inside={"RecordingBehavior": _RECORDING},
        kinds=INTERACTIVE | {"outbound whisper"},
    ),
    BlockType(
        "UpdateContactRecordingAndAnalyticsBehavior",
        "live: one of the three, both errors, a third with ChatBehavior; doc: "
        "updatecontactrecordingandanalyticsbehavior",
        one_of=("VoiceBehavior", "ChatBehavior", "ScreenRecordingBehavior"),
        inside={
            "VoiceBehavior": Shape(
                optional=("VoiceRecordingBehavior", "VoiceAnalyticsBehavior"),
                inside={
                    "VoiceRecordingBehavior": Shape(
                        optional=_RECORDED, values={"IVRRecordingBehavior": _ABLE}
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
        values={"MediaStreamingState": _ABLE},
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
        inside={"EventHooks": Shape(optional=_EVENTS)},
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
        "UntagContact", "live: so spelt, the page's UnTagContact is refused; doc: untagcontact", "TagKeys"
    ),
    # --- What the flow asks of others --------------------------------------------------------------------------------
    BlockType(
        "InvokeLambdaFunction",
        "live: the types of response; doc: invokelambdafunction",
        required=("LambdaFunctionARN", "InvocationTimeLimitSeconds"),
        optional=("InvocationType", "LambdaInvocationAttributes", "ResponseValidation"),
        inside={
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
        "CreateCustomerProfile", "doc: createcustomerprofile", "ProfileRequestData", optional=_PROFILE_ANSWER
    ),
    _plain(
        "UpdateCustomerProfile", "doc: updatecustomerprofile", "ProfileRequestData", optional=_PROFILE_ANSWER
    ),
    _plain(
        "AssociateContactToCustomerProfile",
        "doc: associatecontacttocustomerprofile",
        "ProfileRequestData",
        optional=_PROFILE_ANSWER,
    ),
    BlockType(
        "GetCustomerProfile",
        "doc: getcustomerprofile",
        required=("ProfileRequestData",),
        optional=_PROFILE_ANSWER,
        errors=(NO_MATCH, "MultipleFoundError", "NoneFoundError"),
    ),
    BlockType(
        "GetCustomerProfileObject",
        "doc: getcustomerprofileobject",
        required=("ProfileRequestData",),
        optional=_PROFILE_ANSWER,
        errors=(NO_MATCH, "NoneFoundError"),
    ),
    BlockType(
        "GetCalculatedAttributesForCustomerProfile",
        "doc: getcalculatedattributesforcustomerprofile",
        required=("ProfileRequestData",),
        optional=_PROFILE_ANSWER,
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

# These are known by name alone [third]: their parameters and branches are left unchecked.
NAMES_ONLY = frozenset(("CreateContact", "RenderMessageTemplate", "StartOutboundEmailContact"))

# What the designer, its exports and people call blocks, by the flow language's type.
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
"""The flow language's type by another name for it; Connect refuses these names as types."""

BLOCK_TYPES: Mapping[str, BlockType] = {row.name: row for row in (*_TYPES, _MENU)}
"""All types by name; for GetParticipantInput the menu (`type_of` tells which of its ways a block works in)."""


def type_of(action: Block) -> BlockType | None:
    """What is known of a block's type; None where it is unknown."""
    if action.type != "GetParticipantInput":
        return BLOCK_TYPES.get(action.type)
    if "EnableDTMFBuffer" in action.parameters:
        return _KEY_BUFFER
    return _STORED_INPUT if str(action.parameters.get("StoreInput")).lower() == "true" else _MENU


# What the console writes to Metadata.type.
_CONSOLE_KINDS: Mapping[str, FlowKind] = {
    "contactFlow": "contact",
    "agentTransfer": "transfer",
    "queueTransfer": "transfer",
    "customerQueue": "queue",
    "customerHold": "hold",
    "agentHold": "hold",
    "customerWhisper": "whisper",
    "agentWhisper": "whisper",
    "outboundWhisper": "outbound whisper",
}


def declared_kind(flow: Flow) -> FlowKind | None:
    """What a flow says it is for: a module by its Settings, a flow from the console by its metadata."""
    if flow.is_module:
        return "module"
    metadata = flow.document.get("Metadata")
    declared = metadata.get("type") if isinstance(metadata, Mapping) else None
    return _CONSOLE_KINDS.get(declared) if isinstance(declared, str) else None


def kinds_of(flow: Flow) -> frozenset[FlowKind]:
    """What a flow can be for: what it says, or else wherever all of its blocks may stand; empty where nowhere.

    The content of a flow does not say its type; CreateContactFlow takes that beside the content.
    """
    declared = declared_kind(flow)
    if declared:
        return frozenset((declared,))
    kinds = kinds_besides = ALL - {"module"}
    for action in flow.blocks.values():
        row = type_of(action)
        if row:
            kinds &= row.kinds
            kinds_besides &= row.kinds | row.kinds_besides
    return kinds or kinds_besides
