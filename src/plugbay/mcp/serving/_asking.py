"""What the members of a federation are asked together, and who of them is asked alone."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from plugbay.mcp._json import as_array, as_object
from plugbay.mcp.serving._checks import INVALID_PARAMS, METHOD_NOT_FOUND, UNSUPPORTED_VERSION
from plugbay.mcp.serving._member import MemberDown, MemberRefused
from plugbay.mcp.serving._merging import (
    LISTS,
    capability_of,
    decode_cursor,
    merged_discovery,
    merged_handshake,
    merged_list,
    split_name,
)
from plugbay.mcp.serving._resources import ResourceMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.mcp.serving._member import FederationMember
    from plugbay.mcp.serving._merging import Answers
    from plugbay.mcp.serving._spec import FederationSpec


class Asking:
    """Answers a client's requests by what the members say. All methods raise `MemberDown` and
    `MemberRefused`."""

    def __init__(self, spec: FederationSpec, members: Mapping[str, FederationMember]) -> None:
        self._spec, self._members = spec, members
        self.resources = ResourceMap()

    async def shake_hands(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Greet all, and return one greeting."""
        answers, missing = await self.all(method, params)
        if not answers:
            raise MemberDown("; ".join(f"{name}: {why}" for name, why in missing.items()))
        for name, answer in answers.items():
            self._members[name].capabilities = as_object(answer.get("capabilities"))
        if method == "initialize":
            return merged_handshake(self._spec.name, answers, missing)
        result = merged_discovery(self._spec.name, answers, missing)
        if not result["supportedVersions"]:
            # The client goes on with `initialize`, which all members know.
            raise MemberRefused({"code": METHOD_NOT_FOUND, "message": "Method not found"})
        return result

    async def list(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Return one page of a list, of all that have one."""
        cursors = decode_cursor(str(params["cursor"])) if params.get("cursor") else None
        plain = {key: value for key, value in params.items() if key != "cursor"}
        each = None
        if cursors is not None:
            each = {name: {**plain, "cursor": cursor} for name, cursor in cursors.items()}
        answers, missing = await self.all(
            method, plain, capability=capability_of(method), each=each
        )
        if missing and self._spec.when_down == "refuse":
            raise MemberDown("; ".join(f"{name}: {why}" for name, why in missing.items()))
        for name, answer in answers.items():
            self._learn(method, name, answer)
        return merged_list(method, answers, missing)

    def _learn(self, method: str, member: str, answer: dict[str, Any]) -> None:
        found = [as_object(item) for item in as_array(answer.get(LISTS[method]))]
        if method == "resources/list":
            self.resources.learn(member, (item.get("uri") for item in found))
        elif method == "resources/templates/list":
            self.resources.learn_templates(member, (i.get("uriTemplate") for i in found))

    async def all(
        self,
        method: str,
        params: dict[str, Any],
        *,
        capability: str = "",
        each: Mapping[str, dict[str, Any]] | None = None,
    ) -> tuple[Answers, dict[str, str]]:
        """Ask all members, or those of `each`; return results, and why there is none."""
        asked = [
            member
            for name, member in self._members.items()
            if (each is None or name in each) and (not capability or has(member, capability))
        ]
        shared = _without_progress(params)
        found = await asyncio.gather(
            *(
                m.request(method, _without_progress(each[m.name]) if each else shared)
                for m in asked
            ),
            return_exceptions=True,
        )
        answers: Answers = {}
        missing: dict[str, str] = {}
        for member, one in zip(asked, found, strict=True):
            if isinstance(one, dict):
                answers[member.name] = one
            elif isinstance(one, MemberRefused) and one.code == METHOD_NOT_FOUND:
                if method == "server/discover":
                    raise one
            elif isinstance(one, MemberRefused) and one.code == UNSUPPORTED_VERSION:
                raise one  # a federation speaks what all of its members do
            elif isinstance(one, (MemberRefused, MemberDown)):
                missing[member.name] = str(one)
            else:
                raise one
        return answers, missing

    def named(self, method: str, params: Mapping[str, Any]) -> tuple[FederationMember, str]:
        """Return whose tool or prompt it is, and its name there."""
        name = str(params.get("name", ""))
        prefix, rest = split_name(name)
        member = self._members.get(prefix)
        if member is None:
            kind = "tool" if method == "tools/call" else "prompt"
            raise MemberRefused({"code": INVALID_PARAMS, "message": f"Unknown {kind}: {name}"})
        return member, rest

    async def about_uri(self, method: str, params: dict[str, Any], uri: str) -> dict[str, Any]:
        """Ask who has the resource; where nobody knows, one after the other."""
        last: Exception = MemberRefused(
            {"code": INVALID_PARAMS, "message": "Resource not found", "data": {"uri": uri}}
        )
        able = [name for name, member in self._members.items() if has(member, "resources")]
        for name in self.resources.order(uri, able):
            try:
                result = await self._members[name].request(method, params)
            except (MemberRefused, MemberDown) as error:
                last = error
            else:
                self.resources.learn(name, (uri,))
                return result
        raise last

    async def complete(self, params: dict[str, Any]) -> dict[str, Any]:
        """Complete an argument of a prompt or of a resource's template."""
        reference = as_object(params.get("ref"))
        if reference.get("type") == "ref/prompt":
            member, name = self.named("prompts/get", reference)
            return await member.request(
                "completion/complete", {**params, "ref": {**reference, "name": name}}
            )
        uri = str(reference.get("uri", ""))
        return await self.about_uri("completion/complete", params, uri)


def has(member: FederationMember, capability: str) -> bool:
    """Whether it may have it: where no handshake was seen, nobody knows."""
    return not member.capabilities or capability in member.capabilities


def _without_progress(params: Mapping[str, Any]) -> dict[str, Any]:
    """Several members would report the progress of one request."""
    meta = as_object(params.get("_meta"))
    if "progressToken" not in meta:
        return dict(params)
    return {**params, "_meta": {k: v for k, v in meta.items() if k != "progressToken"}}
