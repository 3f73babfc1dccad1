import pytest

from plugbay.kernel import Backoff, Quarantine, Restart, RestartBudget, RestartPolicy


class Always:
    def __init__(self, value):
        self.value = value

    def random(self):
        return self.value


def test_delays_double_up_to_the_ceiling():
    backoff = Backoff(Always(0.0), first=0.5, factor=2, ceiling=60)
    assert [backoff.delay(n) for n in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_jitter_takes_off_a_share():
    assert Backoff(Always(0.5), first=2, jitter=0.5).delay(0) == 1.5
    assert Backoff(Always(0.999), first=2, jitter=0).delay(0) == 2


@pytest.mark.parametrize("attempt", [10**3, 10**9])
def test_no_attempt_is_too_late_to_compute(attempt):
    assert 30 <= Backoff(Always(0.9)).delay(attempt) <= 60


def test_a_factor_of_one_never_grows():
    assert Backoff(Always(0), first=3, factor=1).delay(10**9) == 3


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"factor": 0.5}, {"ceiling": 0.1}, {"jitter": 2}, {"jitter": -1}]
)
def test_senseless_figures_are_refused(wrong):
    with pytest.raises(ValueError, match="first > 0"):
        Backoff(Always(0), **wrong)


def test_the_budget_is_spent_and_comes_back(clock):
    budget = RestartBudget(clock, restarts=2, window=10)
    assert budget.spend()
    clock.now += 5
    assert budget.spend()
    assert not budget.spend()
    assert budget.left == 0
    clock.now += 5
    assert budget.left == 1
    assert budget.spend()
    assert not budget.spend()


def test_refilling_forgets_what_was_spent(clock):
    budget = RestartBudget(clock, restarts=1)
    assert budget.spend()
    budget.refill()
    assert budget.spend()


def policy(clock, restarts=2):
    return RestartPolicy(Backoff(Always(0)), RestartBudget(clock, restarts=restarts))


def test_failures_are_restarted_with_growing_delays_and_then_quarantined(clock):
    restarts = policy(clock)
    assert restarts.failed("a") == Restart(0.5, 1)
    assert restarts.failed("b") == Restart(1.0, 2)
    end = restarts.failed("boom")
    assert end == Quarantine("failed too often; the last time: boom")
    clock.now += 10_000
    assert restarts.failed("c") is end, "only an operator ends a quarantine"


def test_what_runs_well_begins_with_a_short_delay_again(clock):
    restarts = policy(clock, restarts=5)
    restarts.failed("a")
    restarts.failed("b")
    restarts.steady()
    assert restarts.failed("c") == Restart(0.5, 1)


def test_a_retry_ends_the_quarantine(clock):
    restarts = policy(clock, restarts=0)
    assert isinstance(restarts.failed("a"), Quarantine)
    restarts = policy(clock, restarts=1)
    restarts.failed("a")
    assert isinstance(restarts.failed("a"), Quarantine)
    restarts.retry()
    assert restarts.quarantined is None
    assert restarts.failed("b") == Restart(0.5, 1)
