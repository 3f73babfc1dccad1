from plugbay.kernel import BreakerState, CircuitBreaker


def tripped(clock):
    breaker = CircuitBreaker(clock, failures=3, ratio=0.5, window=10, rest=5)
    for _ in range(3):
        breaker.failure()
    return breaker


def test_it_opens_at_the_threshold_and_refuses(clock):
    breaker = CircuitBreaker(clock, failures=3)
    breaker.failure()
    breaker.failure()
    assert breaker.allow()
    breaker.failure()
    assert breaker.state == "open"
    assert not breaker.closed
    assert not breaker.allow()
    assert breaker.opened == 1
    assert repr(breaker) == "<CircuitBreaker open>"


def test_successes_keep_it_closed(clock):
    breaker = CircuitBreaker(clock, failures=3, ratio=0.5)
    for _ in range(10):
        breaker.success()
    for _ in range(9):
        breaker.failure()
    assert breaker.closed
    breaker.failure()
    assert not breaker.closed


def test_old_failures_are_forgotten(clock):
    breaker = CircuitBreaker(clock, failures=3, window=10)
    breaker.failure()
    breaker.failure()
    clock.now += 10
    breaker.failure()
    breaker.failure()
    assert breaker.closed


def test_the_window_reaches_back_over_its_middle(clock):
    breaker = CircuitBreaker(clock, failures=3, window=10)
    clock.now += 4
    breaker.failure()
    breaker.failure()
    clock.now += 2
    breaker.failure()
    assert not breaker.closed


def test_after_a_rest_one_call_is_on_trial(clock):
    breaker = tripped(clock)
    clock.now += 4.9
    assert not breaker.allow()
    clock.now += 0.1
    assert breaker.allow()
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.allow()


def test_a_good_trial_closes_it(clock):
    breaker = tripped(clock)
    clock.now += 5
    breaker.allow()
    breaker.success()
    assert breaker.state is BreakerState.CLOSED
    breaker.failure()
    breaker.failure()
    assert breaker.closed, "the past is forgotten"


def test_a_bad_trial_opens_it_for_another_rest(clock):
    breaker = tripped(clock)
    clock.now += 5
    breaker.allow()
    breaker.failure()
    assert breaker.state is BreakerState.OPEN
    assert breaker.opened == 2
    clock.now += 4
    assert not breaker.allow()


def test_a_trial_that_never_reports_is_given_up(clock):
    breaker = tripped(clock)
    clock.now += 5
    assert breaker.allow()
    clock.now += 5
    assert breaker.allow()


def test_late_news_from_before_it_opened_changes_nothing(clock):
    breaker = tripped(clock)
    breaker.success()
    breaker.failure()
    assert breaker.state is BreakerState.OPEN
    assert breaker.opened == 1
    clock.now += 5
    assert breaker.allow()


def test_a_success_does_not_look_at_the_clock():
    class Counting:
        looks = 0

        def monotonic(self):
            self.looks += 1
            return 0.0

        time = monotonic

    clock = Counting()
    breaker = CircuitBreaker(clock)
    before = clock.looks
    for _ in range(100):
        assert breaker.allow()
        breaker.success()
    assert clock.looks == before
