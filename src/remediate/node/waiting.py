"""The one way to wait for something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from remediate.node.api import Clock

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")


def wait_until(clock: Clock, answer: Callable[[], T], *, timeout: float, every: float) -> T | None:
    """Ask again and again until the answer is true.

    Args:
        clock: whose time counts.
        answer: the question; at least asked once, and once more when the time is over.
        timeout: seconds.
        every: seconds between two questions.

    Returns:
        The first true answer; the last one, which is false or None, when the time is over.
    """
    import tenacity

    ends = clock.now() + timeout

    def last_answer(state: tenacity.RetryCallState) -> T | None:
        return state.outcome.result() if state.outcome else None

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_result(lambda result: not result),
        stop=lambda _: clock.now() >= ends,
        wait=lambda _: max(min(every, ends - clock.now()), 0.0),
        sleep=clock.sleep,
        retry_error_callback=last_answer,
    )
    return retrying(answer)
