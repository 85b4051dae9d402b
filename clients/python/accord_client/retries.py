"""HTTP clients that send a request again if that is safe. The generated `Client` and `AuthenticatedClient` use them."""

import random
import time
import uuid
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import anyio
import httpx

from .idempotent_posts import IDEMPOTENT_POSTS
from .models import Code

DEFAULT_RETRIES = 2
"""Retries of a client that sets no other number."""

IDEMPOTENT_METHODS = ("GET", "HEAD", "PUT", "DELETE")
"""The methods that are idempotent (RFC 9110, section 9.2.2) and in the document."""

TEMPORARY = (429, 502, 503, 504)
"""The statuses of a server or a proxy that cannot answer at the moment."""

LOST = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
"""The errors of a request that has got no response, or a part of one."""

FIRST_WAIT = 0.1
"""The upper limit of the wait before the first retry, in seconds. It doubles with each further retry."""

LONGEST_WAIT = 30.0
"""The longest wait before a retry, in seconds. A response that asks for a longer one is returned."""

IN_USE_WAIT = 1.0
"""The wait while the first request with the same `Idempotency-Key` still runs, in seconds."""


class RetryClient(httpx.Client):
    """An `httpx.Client` that sends a request again, `retries` times at most, if that is safe."""

    def __init__(self, *, retries: int = DEFAULT_RETRIES, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.retries = retries

    def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        retries = self.retries if self.retries > 0 and _is_repeatable(request) else 0
        wait: float | None
        for retry in range(retries):
            try:
                response = super().send(request, **arguments)
                if response.status_code == 409:
                    response.read()
            except LOST:
                wait = _backoff(retry)
            else:
                wait = _wait_after(response, retry)
                if wait is None:
                    return response
                response.close()
            time.sleep(wait)
        return super().send(request, **arguments)


class AsyncRetryClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` that sends a request again, `retries` times at most, if that is safe."""

    def __init__(self, *, retries: int = DEFAULT_RETRIES, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.retries = retries

    async def send(self, request: httpx.Request, **arguments: Any) -> httpx.Response:
        retries = self.retries if self.retries > 0 and _is_repeatable(request) else 0
        wait: float | None
        for retry in range(retries):
            try:
                response = await super().send(request, **arguments)
                if response.status_code == 409:
                    await response.aread()
            except LOST:
                wait = _backoff(retry)
            else:
                wait = _wait_after(response, retry)
                if wait is None:
                    return response
                await response.aclose()
            await anyio.sleep(wait)
        return await super().send(request, **arguments)


def _is_repeatable(request: httpx.Request) -> bool:
    """Returns whether a request may be sent again. Adds an `Idempotency-Key` to a create that has none."""
    try:
        _ = request.content
    except httpx.RequestNotRead:
        return False  # a stream, which can be sent only once
    if request.method != "POST":
        return request.method in IDEMPOTENT_METHODS
    if not request.url.path.endswith(IDEMPOTENT_POSTS):
        return False
    request.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
    return True


def _wait_after(response: httpx.Response, retry: int) -> float | None:
    """Returns the wait before the next retry in seconds, or `None` if the response is final."""
    if response.status_code in TEMPORARY:
        wait = _backoff(retry)
    elif response.status_code == 409 and _is_key_in_use(response):
        wait = IN_USE_WAIT
    else:
        return None
    asked = _retry_after(response)
    wait = wait if asked is None else asked
    return wait if wait <= LONGEST_WAIT else None


def _is_key_in_use(response: httpx.Response) -> bool:
    """Returns whether a 409 says that the first request with the key still runs."""
    try:
        problem = response.json()
    except ValueError:
        return False
    return isinstance(problem, dict) and problem.get("code") == Code.IDEMPOTENCY_KEY_IN_USE


def _retry_after(response: httpx.Response) -> float | None:
    """Returns the seconds to wait that `Retry-After` gives, as a number or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        wait = parsedate_to_datetime(value) - datetime.now(UTC)
    except (TypeError, ValueError):
        return None
    return max(0.0, wait.total_seconds())


def _backoff(retry: int) -> float:
    """Returns the wait before a retry: 0.1 s, 0.2 s, 0.4 s and so on, shortened at random by up to a half."""
    return min(FIRST_WAIT * 2.0**retry, LONGEST_WAIT) * random.uniform(0.5, 1.0)
