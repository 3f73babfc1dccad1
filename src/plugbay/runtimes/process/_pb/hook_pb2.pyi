from typing import Any as _Any
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DescribeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Description(_message.Message):
    __slots__ = ("failure", "id", "version", "api", "summary", "hooks", "topics", "stateful", "config_schema", "unary", "request_fields", "response_fields")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    API_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    HOOKS_FIELD_NUMBER: _ClassVar[int]
    TOPICS_FIELD_NUMBER: _ClassVar[int]
    STATEFUL_FIELD_NUMBER: _ClassVar[int]
    CONFIG_SCHEMA_FIELD_NUMBER: _ClassVar[int]
    UNARY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELDS_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELDS_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    id: str
    version: str
    api: int
    summary: str
    hooks: _containers.RepeatedScalarFieldContainer[str]
    topics: _containers.RepeatedScalarFieldContainer[str]
    stateful: bool
    config_schema: str
    unary: bool
    request_fields: FieldSelection
    response_fields: FieldSelection
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping[str, _Any]]] = ..., id: _Optional[str] = ..., version: _Optional[str] = ..., api: _Optional[int] = ..., summary: _Optional[str] = ..., hooks: _Optional[_Iterable[str]] = ..., topics: _Optional[_Iterable[str]] = ..., stateful: _Optional[bool] = ..., config_schema: _Optional[str] = ..., unary: _Optional[bool] = ..., request_fields: _Optional[_Union[FieldSelection, _Mapping[str, _Any]]] = ..., response_fields: _Optional[_Union[FieldSelection, _Mapping[str, _Any]]] = ...) -> None: ...

class FieldSelection(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, names: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Configuration(_message.Message):
    __slots__ = ("config", "generation", "secrets", "id", "version", "data_dir")
    class SecretsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SECRETS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DATA_DIR_FIELD_NUMBER: _ClassVar[int]
    config: str
    generation: int
    secrets: _containers.ScalarMap[str, str]
    id: str
    version: str
    data_dir: str
    def __init__(self, config: _Optional[str] = ..., generation: _Optional[int] = ..., secrets: _Optional[_Mapping[str, str]] = ..., id: _Optional[str] = ..., version: _Optional[str] = ..., data_dir: _Optional[str] = ...) -> None: ...

class StartRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SnapshotRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StopRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Outcome(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping[str, _Any]]] = ...) -> None: ...

class State(_message.Message):
    __slots__ = ("failure", "state")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    state: bytes
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping[str, _Any]]] = ..., state: _Optional[bytes] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("kind", "detail", "problems")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    detail: str
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    def __init__(self, kind: _Optional[str] = ..., detail: _Optional[str] = ..., problems: _Optional[_Iterable[_Union[Problem, _Mapping[str, _Any]]]] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("pointer", "detail", "expected", "found", "remedy")
    POINTER_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    pointer: str
    detail: str
    expected: str
    found: str
    remedy: str
    def __init__(self, pointer: _Optional[str] = ..., detail: _Optional[str] = ..., expected: _Optional[str] = ..., found: _Optional[str] = ..., remedy: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("frames",)
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    frames: _containers.RepeatedCompositeFieldContainer[Frame]
    def __init__(self, frames: _Optional[_Iterable[_Union[Frame, _Mapping[str, _Any]]]] = ...) -> None: ...

class Frame(_message.Message):
    __slots__ = ("id", "request", "response", "open_body", "complete", "event", "cancel", "body", "host_reply", "forget", "mcp", "proceed", "respond", "failure", "read_body", "host_call", "publish", "measurement", "mcp_answer", "chunk", "credit")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    OPEN_BODY_FIELD_NUMBER: _ClassVar[int]
    COMPLETE_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    HOST_REPLY_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    MCP_FIELD_NUMBER: _ClassVar[int]
    PROCEED_FIELD_NUMBER: _ClassVar[int]
    RESPOND_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    READ_BODY_FIELD_NUMBER: _ClassVar[int]
    HOST_CALL_FIELD_NUMBER: _ClassVar[int]
    PUBLISH_FIELD_NUMBER: _ClassVar[int]
    MEASUREMENT_FIELD_NUMBER: _ClassVar[int]
    MCP_ANSWER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    CREDIT_FIELD_NUMBER: _ClassVar[int]
    id: int
    request: RequestHead
    response: ResponseHead
    open_body: OpenBody
    complete: Complete
    event: Event
    cancel: Cancel
    body: Body
    host_reply: HostReply
    forget: Forget
    mcp: McpCall
    proceed: Proceed
    respond: Respond
    failure: Failure
    read_body: ReadBody
    host_call: HostCall
    publish: Event
    measurement: Measurement
    mcp_answer: McpAnswer
    chunk: Chunk
    credit: Credit
    def __init__(self, id: _Optional[int] = ..., request: _Optional[_Union[RequestHead, _Mapping[str, _Any]]] = ..., response: _Optional[_Union[ResponseHead, _Mapping[str, _Any]]] = ..., open_body: _Optional[_Union[OpenBody, _Mapping[str, _Any]]] = ..., complete: _Optional[_Union[Complete, _Mapping[str, _Any]]] = ..., event: _Optional[_Union[Event, _Mapping[str, _Any]]] = ..., cancel: _Optional[_Union[Cancel, _Mapping[str, _Any]]] = ..., body: _Optional[_Union[Body, _Mapping[str, _Any]]] = ..., host_reply: _Optional[_Union[HostReply, _Mapping[str, _Any]]] = ..., forget: _Optional[_Union[Forget, _Mapping[str, _Any]]] = ..., mcp: _Optional[_Union[McpCall, _Mapping[str, _Any]]] = ..., proceed: _Optional[_Union[Proceed, _Mapping[str, _Any]]] = ..., respond: _Optional[_Union[Respond, _Mapping[str, _Any]]] = ..., failure: _Optional[_Union[Failure, _Mapping[str, _Any]]] = ..., read_body: _Optional[_Union[ReadBody, _Mapping[str, _Any]]] = ..., host_call: _Optional[_Union[HostCall, _Mapping[str, _Any]]] = ..., publish: _Optional[_Union[Event, _Mapping[str, _Any]]] = ..., measurement: _Optional[_Union[Measurement, _Mapping[str, _Any]]] = ..., mcp_answer: _Optional[_Union[McpAnswer, _Mapping[str, _Any]]] = ..., chunk: _Optional[_Union[Chunk, _Mapping[str, _Any]]] = ..., credit: _Optional[_Union[Credit, _Mapping[str, _Any]]] = ...) -> None: ...

class RequestHead(_message.Message):
    __slots__ = ("method", "target", "fields", "authority", "scheme", "client", "request_id", "route", "http_version", "has_body", "deadline_ms", "state")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    HTTP_VERSION_FIELD_NUMBER: _ClassVar[int]
    HAS_BODY_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    method: bytes
    target: bytes
    fields: _containers.RepeatedScalarFieldContainer[bytes]
    authority: str
    scheme: str
    client: str
    request_id: str
    route: str
    http_version: str
    has_body: bool
    deadline_ms: int
    state: int
    def __init__(self, method: _Optional[bytes] = ..., target: _Optional[bytes] = ..., fields: _Optional[_Iterable[bytes]] = ..., authority: _Optional[str] = ..., scheme: _Optional[str] = ..., client: _Optional[str] = ..., request_id: _Optional[str] = ..., route: _Optional[str] = ..., http_version: _Optional[str] = ..., has_body: _Optional[bool] = ..., deadline_ms: _Optional[int] = ..., state: _Optional[int] = ...) -> None: ...

class ResponseHead(_message.Message):
    __slots__ = ("request", "status", "fields")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    request: RequestHead
    status: int
    fields: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, request: _Optional[_Union[RequestHead, _Mapping[str, _Any]]] = ..., status: _Optional[int] = ..., fields: _Optional[_Iterable[bytes]] = ...) -> None: ...

class OpenBody(_message.Message):
    __slots__ = ("request", "response")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    request: RequestHead
    response: ResponseHead
    def __init__(self, request: _Optional[_Union[RequestHead, _Mapping[str, _Any]]] = ..., response: _Optional[_Union[ResponseHead, _Mapping[str, _Any]]] = ...) -> None: ...

class Complete(_message.Message):
    __slots__ = ("request", "response", "total", "upstream", "plugins", "request_bytes", "response_bytes", "outcome")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    PLUGINS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    request: RequestHead
    response: ResponseHead
    total: float
    upstream: float
    plugins: float
    request_bytes: int
    response_bytes: int
    outcome: str
    def __init__(self, request: _Optional[_Union[RequestHead, _Mapping[str, _Any]]] = ..., response: _Optional[_Union[ResponseHead, _Mapping[str, _Any]]] = ..., total: _Optional[float] = ..., upstream: _Optional[float] = ..., plugins: _Optional[float] = ..., request_bytes: _Optional[int] = ..., response_bytes: _Optional[int] = ..., outcome: _Optional[str] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("topic", "source", "time", "data")
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    topic: str
    source: str
    time: float
    data: str
    def __init__(self, topic: _Optional[str] = ..., source: _Optional[str] = ..., time: _Optional[float] = ..., data: _Optional[str] = ...) -> None: ...

class Cancel(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Forget(_message.Message):
    __slots__ = ("state", "session")
    STATE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    state: int
    session: int
    def __init__(self, state: _Optional[int] = ..., session: _Optional[int] = ...) -> None: ...

class ReadBody(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class Body(_message.Message):
    __slots__ = ("data", "too_large", "broken")
    DATA_FIELD_NUMBER: _ClassVar[int]
    TOO_LARGE_FIELD_NUMBER: _ClassVar[int]
    BROKEN_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    too_large: bool
    broken: bool
    def __init__(self, data: _Optional[bytes] = ..., too_large: _Optional[bool] = ..., broken: _Optional[bool] = ...) -> None: ...

class FieldChange(_message.Message):
    __slots__ = ("action", "name", "value")
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SET: _ClassVar[FieldChange.Action]
        ADD: _ClassVar[FieldChange.Action]
        REMOVE: _ClassVar[FieldChange.Action]
    SET: FieldChange.Action
    ADD: FieldChange.Action
    REMOVE: FieldChange.Action
    ACTION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    action: FieldChange.Action
    name: bytes
    value: bytes
    def __init__(self, action: _Optional[_Union[FieldChange.Action, str]] = ..., name: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class Proceed(_message.Message):
    __slots__ = ("changes", "method", "target", "status", "replace_fields", "fields", "state")
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELDS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[FieldChange]
    method: bytes
    target: bytes
    status: int
    replace_fields: bool
    fields: _containers.RepeatedScalarFieldContainer[bytes]
    state: int
    def __init__(self, changes: _Optional[_Iterable[_Union[FieldChange, _Mapping[str, _Any]]]] = ..., method: _Optional[bytes] = ..., target: _Optional[bytes] = ..., status: _Optional[int] = ..., replace_fields: _Optional[bool] = ..., fields: _Optional[_Iterable[bytes]] = ..., state: _Optional[int] = ...) -> None: ...

class Respond(_message.Message):
    __slots__ = ("status", "fields", "body", "keep_body", "body_follows", "state")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    KEEP_BODY_FIELD_NUMBER: _ClassVar[int]
    BODY_FOLLOWS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    status: int
    fields: _containers.RepeatedScalarFieldContainer[bytes]
    body: bytes
    keep_body: bool
    body_follows: bool
    state: int
    def __init__(self, status: _Optional[int] = ..., fields: _Optional[_Iterable[bytes]] = ..., body: _Optional[bytes] = ..., keep_body: _Optional[bool] = ..., body_follows: _Optional[bool] = ..., state: _Optional[int] = ...) -> None: ...

class Chunk(_message.Message):
    __slots__ = ("data", "end")
    DATA_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    end: bool
    def __init__(self, data: _Optional[bytes] = ..., end: _Optional[bool] = ...) -> None: ...

class Credit(_message.Message):
    __slots__ = ("bytes",)
    BYTES_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    def __init__(self, bytes: _Optional[int] = ...) -> None: ...

class HostCall(_message.Message):
    __slots__ = ("method", "key", "value", "ttl", "expected", "expects")
    class Method(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        UNKNOWN: _ClassVar[HostCall.Method]
        KV_GET: _ClassVar[HostCall.Method]
        KV_SET: _ClassVar[HostCall.Method]
        KV_DELETE: _ClassVar[HostCall.Method]
        KV_KEYS: _ClassVar[HostCall.Method]
        KV_SWAP: _ClassVar[HostCall.Method]
    UNKNOWN: HostCall.Method
    KV_GET: HostCall.Method
    KV_SET: HostCall.Method
    KV_DELETE: HostCall.Method
    KV_KEYS: HostCall.Method
    KV_SWAP: HostCall.Method
    METHOD_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    TTL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    EXPECTS_FIELD_NUMBER: _ClassVar[int]
    method: HostCall.Method
    key: str
    value: bytes
    ttl: float
    expected: bytes
    expects: bool
    def __init__(self, method: _Optional[_Union[HostCall.Method, str]] = ..., key: _Optional[str] = ..., value: _Optional[bytes] = ..., ttl: _Optional[float] = ..., expected: _Optional[bytes] = ..., expects: _Optional[bool] = ...) -> None: ...

class HostReply(_message.Message):
    __slots__ = ("failure", "found", "value", "keys")
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    FOUND_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    found: bool
    value: bytes
    keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping[str, _Any]]] = ..., found: _Optional[bool] = ..., value: _Optional[bytes] = ..., keys: _Optional[_Iterable[str]] = ...) -> None: ...

class McpCall(_message.Message):
    __slots__ = ("hook", "session", "message", "line", "code", "deadline_ms")
    HOOK_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    hook: str
    session: McpSession
    message: McpMessage
    line: str
    code: int
    deadline_ms: int
    def __init__(self, hook: _Optional[str] = ..., session: _Optional[_Union[McpSession, _Mapping[str, _Any]]] = ..., message: _Optional[_Union[McpMessage, _Mapping[str, _Any]]] = ..., line: _Optional[str] = ..., code: _Optional[int] = ..., deadline_ms: _Optional[int] = ...) -> None: ...

class McpSession(_message.Message):
    __slots__ = ("number", "id", "server", "transport", "identity", "era", "protocol_version", "client")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    SERVER_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_FIELD_NUMBER: _ClassVar[int]
    ERA_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_VERSION_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    number: int
    id: str
    server: str
    transport: str
    identity: str
    era: str
    protocol_version: str
    client: str
    def __init__(self, number: _Optional[int] = ..., id: _Optional[str] = ..., server: _Optional[str] = ..., transport: _Optional[str] = ..., identity: _Optional[str] = ..., era: _Optional[str] = ..., protocol_version: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class McpMessage(_message.Message):
    __slots__ = ("raw", "to_client", "kind", "method", "request", "fields", "blocked")
    RAW_FIELD_NUMBER: _ClassVar[int]
    TO_CLIENT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    raw: bytes
    to_client: bool
    kind: str
    method: str
    request: bytes
    fields: _containers.RepeatedScalarFieldContainer[bytes]
    blocked: McpBlock
    def __init__(self, raw: _Optional[bytes] = ..., to_client: _Optional[bool] = ..., kind: _Optional[str] = ..., method: _Optional[str] = ..., request: _Optional[bytes] = ..., fields: _Optional[_Iterable[bytes]] = ..., blocked: _Optional[_Union[McpBlock, _Mapping[str, _Any]]] = ...) -> None: ...

class McpAnswer(_message.Message):
    __slots__ = ("raw", "answer", "block")
    RAW_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    raw: bytes
    answer: bool
    block: McpBlock
    def __init__(self, raw: _Optional[bytes] = ..., answer: _Optional[bool] = ..., block: _Optional[_Union[McpBlock, _Mapping[str, _Any]]] = ...) -> None: ...

class McpBlock(_message.Message):
    __slots__ = ("reason", "code", "violation", "retry_after", "retries", "as_error")
    REASON_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    VIOLATION_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    AS_ERROR_FIELD_NUMBER: _ClassVar[int]
    reason: str
    code: int
    violation: str
    retry_after: float
    retries: bool
    as_error: bool
    def __init__(self, reason: _Optional[str] = ..., code: _Optional[int] = ..., violation: _Optional[str] = ..., retry_after: _Optional[float] = ..., retries: _Optional[bool] = ..., as_error: _Optional[bool] = ...) -> None: ...

class Measurement(_message.Message):
    __slots__ = ("kind", "name", "help", "labels", "value", "buckets")
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        COUNTER: _ClassVar[Measurement.Kind]
        GAUGE: _ClassVar[Measurement.Kind]
        HISTOGRAM: _ClassVar[Measurement.Kind]
    COUNTER: Measurement.Kind
    GAUGE: Measurement.Kind
    HISTOGRAM: Measurement.Kind
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    HELP_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    kind: Measurement.Kind
    name: str
    help: str
    labels: _containers.ScalarMap[str, str]
    value: float
    buckets: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, kind: _Optional[_Union[Measurement.Kind, str]] = ..., name: _Optional[str] = ..., help: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., value: _Optional[float] = ..., buckets: _Optional[_Iterable[float]] = ...) -> None: ...
