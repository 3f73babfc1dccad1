"""Tells attacks by what requests say: a linear model over hashed n-grams of path and query."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from plugbay.sdk import (
    AdminOperation,
    AdminOperations,
    BodyTooLarge,
    EventHandler,
    OperationRefused,
    Plugin,
    RequestFilter,
    Stateful,
)
from plugbay.sdk.protection import (
    LIFT,
    THREAT,
    Guard,
    Identities,
    Networks,
    Timed,
    Verdict,
    asked_identity,
)

from ._config import Config as Config
from ._findings import Finding, Findings
from ._model import Model
from ._model import ModelRefused as ModelRefused
from ._text import pieces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugbay.sdk import Event, Host, Request, Response
    from plugbay.sdk.protection import Identity

DETECTED: Final = "ml.abuse.detected"
"""A request looks like an attack: a fact, also in monitor mode."""
_HERE = Path(__file__).resolve().parent
_FORM = "application/x-www-form-urlencoded"
_LIFTED = 10_000
_HIGHEST = 1000.0
_SHOWN = 20
_KNOWN, _SHORT = 16_384, 256


class MlAbuse(Plugin[Config], RequestFilter, EventHandler, Stateful, AdminOperations):
    """Scores each request, and answers what scores above the threshold."""

    topics = (LIFT,)
    operations = (
        AdminOperation("status", "The model, its threshold, and what it was measured to do."),
        AdminOperation("explain", "The latest findings, of `identity` or `request`, and why."),
        AdminOperation("analyze", "Score `target` (and `form`), and say which n-grams weigh."),
        AdminOperation("check", "What is held against `identity` (or `ip`)."),
        AdminOperation("threshold", "Set the `threshold` of now; 0: the usual.", changes=True),
        AdminOperation("lift", "Leave `identity` in peace for a time.", changes=True),
    )

    def __init__(self, config: Config, host: Host) -> None:
        super().__init__(config, host)
        if config.forms:
            # To read a body takes a coroutine, which all requests would pay for.
            vars(self)["on_request"] = self._on_form

    async def start(self) -> None:
        config, host = self.config, self.host
        path, digest = Path(config.model), config.model_sha256
        if not config.model:
            path = _HERE / "model.npz"
            digest = (_HERE / "model.sha256").read_text().strip()
        self._model = await asyncio.to_thread(Model.load, path, digest)
        self._usual = config.threshold or self._model.facts.threshold
        self._threshold = self._usual
        self._guard = Guard(host, config.mode)
        self._identities = Identities()
        self._allow = Networks(config.allow)
        self._exempt = frozenset(path for path in config.exempt if not path.endswith("*"))
        self._below = tuple(path[:-1] for path in config.exempt if path.endswith("*"))
        self._harmless: set[bytes] = set()
        """Targets that scored below the threshold of now: most are asked for again and again."""
        self._lifted: Timed[bool] = Timed(_LIFTED)
        self._told: Timed[bool] = Timed(_LIFTED)
        self._findings = Findings()
        self._scored = 0
        self._unread = host.metrics.counter(
            "forms_unread_total", "Bodies of forms that were longer than form_bytes."
        )
        self._scores = host.metrics.histogram(
            "finding_score", "Scores above the threshold.", buckets=(1, 2, 4, 8, 16, 32)
        )

    # --- requests

    def on_request(self, request: Request) -> Response | None:
        """Score path and query."""
        target = request.target
        if target in self._harmless or self._spared(request):
            return None
        texts = pieces(target)
        self._scored += 1
        score = self._model.score(texts)
        if score > self._threshold:
            return self._found(request, texts, score)
        if len(self._harmless) >= _KNOWN:
            self._harmless.clear()
        if len(target) <= _SHORT:
            self._harmless.add(target)
        return None

    async def _on_form(self, request: Request) -> Response | None:
        """Score path, query and a small form."""
        if self._spared(request):
            return None
        texts = pieces(request.target, await self._form(request))
        self._scored += 1
        score = self._model.score(texts)
        return None if score <= self._threshold else self._found(request, texts, score)

    async def _form(self, request: Request) -> bytes:
        if not request.has_body:
            return b""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != _FORM:
            return b""
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length[:12]) > self.config.form_bytes:
            self._unread.inc()
            return b""
        try:
            return await request.read(self.config.form_bytes)
        except BodyTooLarge:
            self._unread.inc()
            return b""

    def _spared(self, request: Request) -> bool:
        if self._allow and request.client in self._allow:
            return True
        if self._exempt or self._below:
            path = request.path
            return path in self._exempt or path.startswith(self._below)
        return False

    def _found(self, request: Request, texts: list[bytes], score: float) -> Response | None:
        who, now = self._identities.of(request), self.host.clock.time()
        if self._lifted and any(self._lifted.get(name, now) for name in who.names):
            return None
        config = self.config
        self._scores.observe(score)
        finding = Finding(
            request=request.id,
            identity=who.address,
            time=now,
            score=score,
            threshold=self._threshold,
            enforced=self._guard.enforces,
            texts=tuple(texts),
        )
        self._findings.add(finding)
        verdict = Verdict(
            action=config.action,
            identity=who.address,
            reason="payload",
            detail=f"score {score:.2f} above {self._threshold:.2f}",
            seconds=config.ban_seconds if config.action == "ban" else 0.0,
            score=score,
        )
        self._warn(verdict, who)
        return self._guard.judge(verdict, topic=DETECTED, client=who.client)

    def _warn(self, verdict: Verdict, who: Identity) -> None:
        """Tell those that listen to threats of any kind, once a second for each identity."""
        now = self.host.now()
        if self._told.get(verdict.identity, now) is None:
            self._told.put(verdict.identity, True, now + 1.0, now)
            self._guard.tell(THREAT, verdict, client=who.client)

    # --- what others say

    def on_event(self, event: Event) -> None:
        """Leave in peace whom an administrator lifts."""
        self._lift(str(event.data.get("identity", ""))[:256])

    def _lift(self, identity: str) -> int:
        now = self.host.clock.time()
        self._lifted.put(identity, True, now + self.config.lift_seconds, now)
        self._guard.forget(identity)
        return self._findings.forget(identity)

    # --- administrators

    def on_operation(self, name: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Carry out an administrator's operation."""
        match name:
            case "status":
                return self._status()
            case "explain":
                return self._explain(arguments)
            case "analyze":
                return self._analyze(arguments)
            case "threshold":
                return self._set(arguments)
            case "check":
                return self._check(asked_identity(arguments))
            case _:
                identity = asked_identity(arguments)
                forgotten = self._lift(identity)
                self._guard.lift(identity)
                return {"identity": identity, "forgotten": forgotten}

    def _status(self) -> dict[str, Any]:
        facts = self._model.facts
        return {
            "mode": self.config.mode,
            "threshold": self._threshold,
            "usual_threshold": self._usual,
            "model": {
                "version": facts.version,
                "sha256": self._model.digest,
                "trained": facts.trained,
                "measured": facts.measured,
            },
            "scored": self._scored,
            "findings": len(self._findings),
        }

    def _explain(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        identity = asked_identity(arguments) if {"identity", "ip"} & set(arguments) else ""
        request = str(arguments.get("request", ""))
        found = list(self._findings.of(identity=identity, request=request))
        return {"items": [self._told_of(one) for one in found[:_SHOWN]], "total": len(found)}

    def _told_of(self, finding: Finding) -> dict[str, Any]:
        return {
            "request": finding.request,
            "identity": finding.identity,
            "time": finding.time,
            "enforced": finding.enforced,
            **self._reasons(list(finding.texts), finding.threshold),
        }

    def _analyze(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        target, form = arguments.get("target", "/"), arguments.get("form", "")
        if not isinstance(target, str) or not isinstance(form, str) or not target.startswith("/"):
            raise OperationRefused("target is a path with a query, form the body of a form")
        texts = pieces(target.encode("utf-8", "replace"), form.encode("utf-8", "replace"))
        return self._reasons(texts, self._threshold)

    def _reasons(self, texts: list[bytes], threshold: float) -> dict[str, Any]:
        score, text, evidence = self._model.explain(texts)
        return {
            "score": round(score, 4),
            "threshold": threshold,
            "above": score > threshold,
            "text": text,
            "evidence": [{"gram": one.gram, "weight": one.weight} for one in evidence],
        }

    def _set(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        wanted = arguments.get("threshold")
        if isinstance(wanted, bool) or not isinstance(wanted, (int, float)):
            raise OperationRefused("threshold must be a number")
        if not 0 <= wanted <= _HIGHEST:
            raise OperationRefused(f"threshold must be from 0 to {_HIGHEST:g}")
        before, self._threshold = self._threshold, float(wanted) or self._usual
        self._harmless.clear()
        return {"threshold": self._threshold, "before": before}

    def _check(self, identity: str) -> dict[str, Any]:
        now = self.host.clock.time()
        return {
            "identity": identity,
            "findings": sum(1 for _ in self._findings.of(identity=identity)),
            "lifted": bool(self._lifted.get(identity, now)),
            "until": self._lifted.until(identity),
        }

    # --- state

    def snapshot(self) -> bytes:
        """Return who is left in peace; a threshold set by hand ends with its generation."""
        lifted = [[key, until] for key, until, _ in self._lifted.items(self.host.clock.time())]
        return json.dumps({"lifted": lifted}).encode()

    def restore(self, state: bytes) -> None:
        """Take over who is left in peace."""
        now = self.host.clock.time()
        for key, until in json.loads(state)["lifted"]:
            self._lifted.put(str(key), True, float(until), now)
