from typing import Any as _Any
import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class StringResponse(_message.Message):
    __slots__ = ("value",)
    VALUE_FIELD_NUMBER: _ClassVar[int]
    value: str
    def __init__(self, value: _Optional[str] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("success", "error")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ...) -> None: ...

class AuthenticateRequest(_message.Message):
    __slots__ = ("api_key",)
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    api_key: str
    def __init__(self, api_key: _Optional[str] = ...) -> None: ...

class AuthResponse(_message.Message):
    __slots__ = ("authorized", "user_tier", "features", "expires_at")
    AUTHORIZED_FIELD_NUMBER: _ClassVar[int]
    USER_TIER_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    authorized: bool
    user_tier: str
    features: _containers.RepeatedScalarFieldContainer[str]
    expires_at: str
    def __init__(self, authorized: _Optional[bool] = ..., user_tier: _Optional[str] = ..., features: _Optional[_Iterable[str]] = ..., expires_at: _Optional[str] = ...) -> None: ...

class AuthenticateResponse(_message.Message):
    __slots__ = ("success", "error", "auth_response")
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    AUTH_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    success: bool
    error: str
    auth_response: AuthResponse
    def __init__(self, success: _Optional[bool] = ..., error: _Optional[str] = ..., auth_response: _Optional[_Union[AuthResponse, _Mapping[str, _Any]]] = ...) -> None: ...

class PluginConfig(_message.Message):
    __slots__ = ("api_endpoint", "debug", "api_key")
    API_ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    DEBUG_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    api_endpoint: str
    debug: bool
    api_key: str
    def __init__(self, api_endpoint: _Optional[str] = ..., debug: _Optional[bool] = ..., api_key: _Optional[str] = ...) -> None: ...

class InitializeRequest(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: PluginConfig
    def __init__(self, config: _Optional[_Union[PluginConfig, _Mapping[str, _Any]]] = ...) -> None: ...

class HandleMessageRequest(_message.Message):
    __slots__ = ("data", "direction", "correlation_id")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    direction: str
    correlation_id: str
    def __init__(self, data: _Optional[bytes] = ..., direction: _Optional[str] = ..., correlation_id: _Optional[str] = ...) -> None: ...

class HandleErrorRequest(_message.Message):
    __slots__ = ("error_message", "error_type")
    ERROR_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ERROR_TYPE_FIELD_NUMBER: _ClassVar[int]
    error_message: str
    error_type: str
    def __init__(self, error_message: _Optional[str] = ..., error_type: _Optional[str] = ...) -> None: ...

class StreamEvent(_message.Message):
    __slots__ = ("type", "timestamp", "data")
    class DataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    type: str
    timestamp: _timestamp_pb2.Timestamp
    data: _containers.ScalarMap[str, str]
    def __init__(self, type: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping[str, _Any]]] = ..., data: _Optional[_Mapping[str, str]] = ...) -> None: ...

class HandleStreamEventRequest(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: StreamEvent
    def __init__(self, event: _Optional[_Union[StreamEvent, _Mapping[str, _Any]]] = ...) -> None: ...
