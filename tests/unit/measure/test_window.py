"""Two scrapes of etcd's metrics as figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.facts.base import FactError, Frame
from remediate.measure.model import Latency, Rates
from remediate.measure.window import COMMIT, FSYNC, EtcdMetricsWindow, LeadersSeen, MetricsWindow, between
from tests.unit.measure.data import captured

NOTHING = Latency(None, None, None, "etcd", 0)


def window(text: str) -> MetricsWindow:
    (found,) = EtcdMetricsWindow(3).parse(Frame(text))
    return found


@pytest.mark.parametrize(
    ("name", "fsync", "commit"),
    [
        ("window-3.4-write.txt", ((8.0, 16.0), 151), ((16.0, 32.0), 29)),
        ("window-3.5-write.txt", ((32.0, 64.0), 152), ((32.0, 64.0), 29)),
        ("window-3.5-slow.txt", ((256.0, 512.0), 25), ((256.0, 512.0), 6)),
    ],
)
def test_p99_is_the_bucket_of_what_was_observed_meanwhile(
    name: str, fsync: tuple[tuple[float, float], int], commit: tuple[tuple[float, float], int]
) -> None:
    found = window(captured(name))
    assert found.fsync == Latency(None, None, fsync[0], "etcd", fsync[1])
    assert found.commit == Latency(None, None, commit[0], "etcd", commit[1])
    assert found.error == ""


def test_a_member_that_syncs_nothing_has_no_data() -> None:
    found = window(captured("window-3.5-idle.txt"))
    assert (found.fsync, found.commit) == (NOTHING, NOTHING)


def test_a_new_process_gives_no_figures() -> None:
    found = window(captured("window-3.5-restart.txt"))
    assert (found.fsync, found.commit, found.rates) == (None, None, None)
    assert "restarted" in found.error


def test_a_new_process_that_has_done_more_than_the_old_one_is_noticed_by_its_start_time() -> None:
    text = captured("window-3.5-write.txt")
    head, started, tail = text.rpartition("process_start_time_seconds ")
    later = f"{float(tail) + 2}\n"
    assert "restarted" in window(head + started + later).error
    assert window(text).error == ""


def test_what_went_wrong_meanwhile_is_counted_over_the_node_s_own_seconds() -> None:
    found = window(captured("window-3.5-slow.txt"))
    assert found.rates is not None
    assert found.rates.seconds == pytest.approx(3.09)
    assert (found.rates.slow_applies, found.rates.failed_proposals, found.rates.leader_changes) == (5, 0, 0)
    assert found.rates.per_second(found.rates.slow_applies) == pytest.approx(1.618, abs=0.001)


def test_leader_changes_are_those_of_the_window() -> None:
    text = captured("window-3.5-write.txt")
    head, name, tail = text.rpartition("leader_changes_seen_total ")
    found = window(head + name + f"{int(tail.split()[0]) + 3}" + tail[1:])
    assert found.rates is not None
    assert found.rates.leader_changes == 3


def test_a_silent_server_says_why() -> None:
    complaint = ":curl: (7) Failed to connect to 127.0.0.1 port 2381: Connection refused"
    text = f"@server 7 etcd\n@before 1\n:node_uptime 5.5\n{complaint}\n" * 2
    found = window(text.replace("@before", "@after", 2).replace("@after", "@before", 1))
    assert "connection refused" in found.error


def test_two_servers_of_a_node_are_told_apart() -> None:
    text = captured("window-3.5-write.txt")
    other = captured("window-3.4-write.txt").replace(" etcd\n", " etcd-events\n")
    found = EtcdMetricsWindow(3).parse(Frame(text + other))
    assert [(one.instance, one.fsync.samples) for one in found if one.fsync] == [
        ("etcd", 152),
        ("etcd-events", 151),
    ]


@pytest.mark.parametrize("fact", [EtcdMetricsWindow(1), LeadersSeen()])
def test_a_node_without_curl_says_how_to_get_it(fact: EtcdMetricsWindow | LeadersSeen) -> None:
    with pytest.raises(FactError, match="curl is not installed: apt-get install curl"):
        fact.parse(Frame("@missing curl debian \n"))


def test_a_window_must_fit_into_a_look() -> None:
    with pytest.raises(ValueError, match="31 s"):
        EtcdMetricsWindow(31)


def scrape(seconds: list[float], uptime: float) -> dict[str, float]:
    """Both histograms as etcd would show them for these observations."""
    edges = [0.001 * 2**n for n in range(14)] + [math.inf]
    counts = {
        f'{name}_bucket{{le="{"+Inf" if math.isinf(edge) else edge}"}}': float(
            sum(s <= edge for s in seconds)
        )
        for name in (FSYNC, COMMIT)
        for edge in edges
    }
    return counts | {"node_uptime{}": uptime}


OBSERVED = st.lists(st.floats(min_value=0.0, max_value=20.0), max_size=300)


def test_a_histogram_that_has_fallen_is_a_new_process_s() -> None:
    before, after = scrape([0.001, 0.001, 0.03], 1.0), scrape([0.001], 11.0)
    assert "restarted" in between("etcd", before, after).error


@given(OBSERVED, OBSERVED)
def test_the_bucket_holds_the_p99_of_the_window_whatever_was_before(
    earlier: list[float], during: list[float]
) -> None:
    found = between("etcd", scrape(earlier, 1.0), scrape([*earlier, *during], 11.0))
    assert found.fsync is not None
    assert found.fsync.samples == len(during)
    assert found.rates == Rates(10.0, 0, 0, 0, 0, 0)
    if not during:
        assert found.fsync == NOTHING
        return
    exact = 1000 * sorted(during)[math.ceil(0.99 * len(during)) - 1]
    assert found.fsync.p99_bucket_ms is not None
    lower, upper = found.fsync.p99_bucket_ms
    assert lower <= exact
    assert exact <= (upper or math.inf)
    assert exact > lower or lower == 0


def test_leaders_seen_by_instance() -> None:
    values = ":etcd_server_has_leader 1\n:etcd_server_leader_changes_seen_total 4\n"
    text = f"@server 7 etcd\n@now 0\n:node_uptime 5.5\n{values}"
    silent = "@server 8 etcd-events\n@now 1\n:curl: (28) Operation timed out\n"
    assert LeadersSeen().parse(Frame(text + silent)) == {"etcd": (True, 4)}
