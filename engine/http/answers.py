"""What responses mean, as ``answers`` in streams.yaml declares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

from engine.failures import ChangesExpired, EmptyList, Failure, RequestRejected, SkippedList, Unauthorized
from engine.http.decoding import NotJson, decode
from engine.http.error_body import words_of
from engine.http.errors import ErrorMapping, RequestError
from engine.http.response import RawResponse
from engine.http.waits import wait_in
from engine.requests import Request
from engine.spec.answers import Answer
from engine.spec.dialect import Spec
from engine.spec.secrets import Secrets


class DeclaredAnswers:
    """The rules of an API and its streams.

    Args:
        spec: Declares them.
        secrets: Must not be in messages.
        errors: Composes messages.
    """

    def __init__(self, spec: Spec, secrets: Secrets, errors: ErrorMapping) -> None:
        self._of_api = spec.api.answers
        self._of_streams = {name: stream.answers for name, stream in spec.streams.items() if stream.answers}
        self._secrets = secrets
        self._errors = errors

    def status(self, stream: str, response: RawResponse) -> int:
        """The status that a response stands for: 401 if the server rejects the credentials with another."""
        rules = self._rules(stream)
        if any(rule.means == "unauthorized" for rule in rules):
            applying = _first(rules, response)
            if applying is not None and applying.means == "unauthorized":
                return 401
        return response.status

    def _rules(self, stream: str) -> Sequence[Answer]:
        return (*self._of_streams.get(stream, ()), *self._of_api)

    def error(self, stream: str, request: Request, url: str, response: RawResponse) -> RequestError | Failure | None:
        """What a response means; None if no rule applies to it."""
        rule = _first(self._rules(stream), response)
        if rule is None:
            return None
        if rule.means == "wait":
            return self._wait(rule, response)
        what = f"{response.returned}: {self._errors.excerpt(self._words(rule, response))}"
        is_unauthorized = rule.means == "unauthorized"
        remedy = self._errors.credentials_remedy(401) if is_unauthorized else ""
        message = self._errors.message(stream, request, url, what, remedy)
        if rule.means == "empty":
            return EmptyList(message)
        if rule.means == "skip":
            return SkippedList(message)
        if rule.means == "expired":
            return ChangesExpired(message)
        if is_unauthorized:
            return Unauthorized(message, 401)
        if response.status == 401:
            return Unauthorized(message, response.status)
        return RequestRejected(message) if response.status in (400, 422) else Failure(message)

    def _words(self, rule: Answer, response: RawResponse) -> str:
        """The server's message: what is at the path of the rule, or the whole body."""
        found = rule.words.get(_document(response)) if rule.words is not None else None
        return words_of(self._secrets.redacted(found)) if found else response.text

    def _wait(self, rule: Answer, response: RawResponse) -> RequestError:
        until = response.headers.get(rule.until, "") if rule.until else ""
        wait = wait_in(until, response.now)
        return self._errors.throttled(response, response.throttled_wait if wait is None else wait, is_declared=True)


def _first(rules: Sequence[Answer], response: RawResponse) -> Answer | None:
    """The first rule that applies."""
    if not rules:
        return None
    document = cache(partial(_document, response))  # decoded once, and only if a rule looks at it
    return next((rule for rule in rules if _applies(rule, response, document)), None)


def _applies(rule: Answer, response: RawResponse, document: Callable[[], Any]) -> bool:
    return (
        (not rule.status or response.status in rule.status)
        and rule.fits_header(response.headers)
        and (rule.text is None or rule.text.casefold() in response.text.casefold())
        and (rule.path is None or rule.fits_body(document()))
    )


def _document(response: RawResponse) -> Any:
    """The body; null if it is not JSON."""
    try:
        return decode(response.body)[0]
    except NotJson:
        return None
