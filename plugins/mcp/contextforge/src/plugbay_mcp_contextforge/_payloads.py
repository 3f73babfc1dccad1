"""Messages as the framework's payloads, and messages that changed payloads make.

A plugin is given all of a result, so what it returns is all of it: nothing that it has taken out
comes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from plugbay.sdk import Message

WRITABLE = {
    "tool_pre_invoke": ("name", "args"),
    "tool_post_invoke": ("result",),
    "prompt_pre_fetch": ("args",),
    "prompt_post_fetch": ("result",),
    "resource_pre_fetch": ("uri",),
    "resource_post_fetch": ("content",),
}
"""What a plugin may change, by hook."""


class Payloads:
    """Makes payloads by the classes of the framework."""

    def __init__(self, framework: Any, utilities: Any, shown: tuple[str, ...]) -> None:
        self._framework, self._coerce = framework, utilities.coerce_nested
        self._plain_model = utilities.StructuredData
        self._shown = shown

    def tool_call(self, message: Message) -> Any:
        """Return what `tool_pre_invoke` is given."""
        headers = {name: message.headers[name] for name in self._shown if name in message.headers}
        return self._framework.ToolPreInvokePayload(
            name=message.target, args=dict(message.arguments), headers=headers or None
        )

    def called(self, message: Message, payload: Any) -> Message:
        """Return the call that a changed payload makes."""
        params = {**message.params, "name": payload.name, "arguments": self._plain(payload.args)}
        return message.replace(params=params)

    def tool_result(self, message: Message) -> Any:
        """Return what `tool_post_invoke` is given."""
        result = dict(message.result)
        return self._framework.ToolPostInvokePayload(name=message.target, result=result)

    def prompt(self, message: Message) -> Any:
        """Return what `prompt_pre_fetch` is given."""
        return self._framework.PromptPrehookPayload(
            prompt_id=message.target, args=dict(message.arguments)
        )

    def prompt_asked(self, message: Message, payload: Any) -> Message:
        """Return the request that a changed payload makes."""
        return message.with_arguments(self._plain(payload.args))

    def prompt_result(self, message: Message) -> Any:
        """Return what `prompt_post_fetch` is given."""
        return self._framework.PromptPosthookPayload(
            prompt_id=message.target, result=dict(message.result)
        )

    def result(self, message: Message, payload: Any) -> Message:
        """Return the response that a changed result makes."""
        changed: object = self._plain(payload.result)
        if not isinstance(changed, dict):
            changed = {"content": [{"type": "text", "text": str(changed)}]}
        kind = message.result.get("resultType")
        always = {} if kind is None else {"resultType": kind}
        return message.replace(result={**always, **cast("dict[str, Any]", changed)})

    def resource(self, message: Message) -> Any:
        """Return what `resource_pre_fetch` is given."""
        return self._framework.ResourcePreFetchPayload(uri=message.target)

    def resource_asked(self, message: Message, payload: Any) -> Message:
        """Return the request that a changed payload makes."""
        return message.with_target(payload.uri)

    def content(self, item: Mapping[str, Any]) -> Any:
        """Return what `resource_post_fetch` is given: one of the contents."""
        uri = str(item.get("uri", ""))
        content = {
            "type": "resource",
            "id": uri,
            "uri": uri,
            "mime_type": item.get("mimeType"),
            "text": item.get("text"),
            "blob": item.get("blob"),
        }
        return self._framework.ResourcePostFetchPayload(uri=uri, content=self._coerce(content))

    def fetched(self, item: Mapping[str, Any], payload: Any) -> dict[str, Any]:
        """Return the content that a changed payload makes."""
        changed: object = self._plain(payload.content)
        said: dict[str, Any] = (
            cast("dict[str, Any]", changed) if isinstance(changed, dict) else {"text": changed}
        )
        kept = {name: value for name, value in item.items() if name not in ("text", "blob")}
        return kept | {name: said[name] for name in ("text", "blob") if said.get(name) is not None}

    def _plain(self, value: Any) -> Any:
        """Return plain data of models and of dictionaries that copy on write."""
        if isinstance(value, self._plain_model):
            return self._plain(dict(value))
        if hasattr(value, "model_dump"):
            return self._plain(value.model_dump(mode="json", by_alias=True, exclude_none=True))
        if isinstance(value, Mapping):
            items = cast("Mapping[str, Any]", value).items()
            return {str(name): self._plain(one) for name, one in items}
        if isinstance(value, (list, tuple)):
            return [self._plain(one) for one in cast("list[Any]", value)]
        return value
