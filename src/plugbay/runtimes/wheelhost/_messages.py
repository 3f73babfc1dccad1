"""The messages of `plugbay.hook.v1` (proto/plugbay/v1/hook.proto)."""

from __future__ import annotations

from plugbay.runtimes.wheelhost._protobuf import Field, Message, varint


def _message(name: str, message: Message, *, repeated: bool = False) -> Field:
    return Field(name, "bytes", repeated, message)


PROBLEM = Message(
    {
        1: Field("pointer", "string"),
        2: Field("detail", "string"),
        3: Field("expected", "string"),
        4: Field("found", "string"),
        5: Field("remedy", "string"),
    }
)
FAILURE = Message(
    {
        1: Field("kind", "string"),
        2: Field("detail", "string"),
        3: _message("problems", PROBLEM, repeated=True),
    }
)
OUTCOME = Message({1: _message("failure", FAILURE)})
STATE = Message({1: _message("failure", FAILURE), 2: Field("state")})
DESCRIPTION = Message(
    {
        1: _message("failure", FAILURE),
        2: Field("id", "string"),
        3: Field("version", "string"),
        4: Field("api", "uint"),
        5: Field("summary", "string"),
        6: Field("hooks", "string", repeated=True),
        7: Field("topics", "string", repeated=True),
        8: Field("stateful", "bool"),
        9: Field("config_schema", "string"),
        10: Field("unary", "bool"),
    }
)
_PAIR = Message({1: Field("key", "string"), 2: Field("value", "string")})
CONFIGURATION = Message(
    {
        1: Field("config", "string"),
        2: Field("generation", "uint"),
        3: _message("secrets", _PAIR, repeated=True),
        4: Field("id", "string"),
        5: Field("version", "string"),
        6: Field("data_dir", "string"),
    }
)
REQUEST = Message(
    {
        1: Field("method"),
        2: Field("target"),
        3: Field("fields", repeated=True),
        4: Field("authority", "string"),
        5: Field("scheme", "string"),
        6: Field("client", "string"),
        7: Field("request_id", "string"),
        8: Field("route", "string"),
        9: Field("http_version", "string"),
        10: Field("has_body", "bool"),
        11: Field("deadline_ms", "uint"),
        12: Field("state", "uint"),
    }
)
RESPONSE = Message(
    {
        1: _message("request", REQUEST),
        2: Field("status", "uint"),
        3: Field("fields", repeated=True),
    }
)
_OPEN_BODY = Message({1: _message("request", REQUEST), 2: _message("response", RESPONSE)})
_COMPLETE = Message(
    {
        1: _message("request", REQUEST),
        2: _message("response", RESPONSE),
        3: Field("total", "double"),
        4: Field("upstream", "double"),
        5: Field("plugins", "double"),
        6: Field("request_bytes", "uint"),
        7: Field("response_bytes", "uint"),
        8: Field("outcome", "string"),
    }
)
_EVENT = Message(
    {
        1: Field("topic", "string"),
        2: Field("source", "string"),
        3: Field("time", "double"),
        4: Field("data", "string"),
    }
)
_BODY = Message({1: Field("data"), 2: Field("too_large", "bool"), 3: Field("broken", "bool")})
_HOST_REPLY = Message(
    {
        1: _message("failure", FAILURE),
        2: Field("found", "bool"),
        3: Field("value"),
        4: Field("keys", "string", repeated=True),
    }
)
_CHANGE = Message({1: Field("action", "uint"), 2: Field("name"), 3: Field("value")})
_PROCEED = Message(
    {
        1: _message("changes", _CHANGE, repeated=True),
        2: Field("method"),
        3: Field("target"),
        4: Field("status", "uint"),
        5: Field("replace_fields", "bool"),
        6: Field("fields", repeated=True),
        7: Field("state", "uint"),
    }
)
_RESPOND = Message(
    {
        1: Field("status", "uint"),
        2: Field("fields", repeated=True),
        3: Field("body"),
        4: Field("keep_body", "bool"),
        5: Field("body_follows", "bool"),
        6: Field("state", "uint"),
    }
)
_HOST_CALL = Message(
    {
        1: Field("method", "uint"),
        2: Field("key", "string"),
        3: Field("value"),
        4: Field("ttl", "double"),
        5: Field("expected"),
        6: Field("expects", "bool"),
    }
)
_MEASUREMENT = Message(
    {
        1: Field("kind", "uint"),
        2: Field("name", "string"),
        3: Field("help", "string"),
        4: _message("labels", _PAIR, repeated=True),
        5: Field("value", "double"),
        6: Field("buckets", "double", repeated=True),
    }
)
_BLOCK = Message(
    {
        1: Field("reason", "string"),
        2: Field("code", "sint"),
        3: Field("violation", "string"),
        4: Field("retry_after", "double"),
        5: Field("retries", "bool"),
        6: Field("as_error", "bool"),
    }
)
_SESSION = Message(
    {
        1: Field("number", "uint"),
        2: Field("id", "string"),
        3: Field("server", "string"),
        4: Field("transport", "string"),
        5: Field("identity", "string"),
        6: Field("era", "string"),
        7: Field("protocol_version", "string"),
        8: Field("client", "string"),
    }
)
_MCP_MESSAGE = Message(
    {
        1: Field("raw"),
        2: Field("to_client", "bool"),
        3: Field("kind", "string"),
        4: Field("method", "string"),
        5: Field("request"),
        6: Field("fields", repeated=True),
        7: _message("blocked", _BLOCK),
    }
)
_MCP = Message(
    {
        1: Field("hook", "string"),
        2: _message("session", _SESSION),
        3: _message("message", _MCP_MESSAGE),
        4: Field("line", "string"),
        5: Field("code", "sint"),
        6: Field("deadline_ms", "uint"),
    }
)
_MCP_ANSWER = Message({1: Field("raw"), 2: Field("answer", "bool"), 3: _message("block", _BLOCK)})
FRAME = Message(
    {
        1: Field("id", "uint"),
        2: _message("request", REQUEST),
        3: _message("response", RESPONSE),
        4: _message("open_body", _OPEN_BODY),
        5: _message("complete", _COMPLETE),
        6: _message("event", _EVENT),
        7: _message("cancel", Message({})),
        8: _message("body", _BODY),
        9: _message("host_reply", _HOST_REPLY),
        10: _message("forget", Message({1: Field("state", "uint"), 2: Field("session", "uint")})),
        11: _message("mcp", _MCP),
        16: _message("proceed", _PROCEED),
        17: _message("respond", _RESPOND),
        18: _message("failure", FAILURE),
        19: _message("read_body", Message({1: Field("limit", "uint")})),
        20: _message("host_call", _HOST_CALL),
        21: _message("publish", _EVENT),
        22: _message("measurement", _MEASUREMENT),
        23: _message("mcp_answer", _MCP_ANSWER),
        24: _message("chunk", Message({1: Field("data"), 2: Field("end", "bool")})),
        25: _message("credit", Message({1: Field("bytes", "uint")})),
    }
)
BATCH = Message({1: _message("frames", FRAME, repeated=True)})


def batch_of(frames: list[bytes]) -> bytes:
    """Return the batch of frames that are encoded already."""
    return b"".join(part for frame in frames for part in (b"\x0a", varint(len(frame)), frame))
