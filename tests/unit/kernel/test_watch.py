from plugbay.kernel import Health, HealthPolicy, HealthState, Verdict, Vitals, Watch, WatchOutcome


def test_a_quiet_window_ends_well(clock):
    watch = Watch(clock, Vitals(), seconds=30)
    assert watch.verdict().pending
    clock.now += 29.9
    assert watch.verdict().pending
    clock.now += 0.1
    assert watch.verdict() == Verdict(WatchOutcome.GOOD)


def test_one_early_failure_is_no_verdict_but_many_are(clock):
    vitals = Vitals()
    watch = Watch(clock, vitals, seconds=30, min_calls=20, max_failure_ratio=0.05)
    vitals.calls, vitals.failures = 1, 1
    assert watch.verdict().pending
    vitals.calls, vitals.failures, vitals.last_error = 2, 2, "ValueError: no"
    verdict = watch.verdict()
    assert verdict.bad
    assert verdict.reason == "2 of 2 calls failed, more than 5.0%; the last: ValueError: no"


def test_the_ratio_counts_when_there_are_calls_enough(clock):
    vitals = Vitals()
    watch = Watch(clock, vitals, seconds=30)
    vitals.calls, vitals.failures = 1000, 20
    assert watch.verdict().pending
    vitals.failures = 21
    assert watch.verdict().bad


def test_what_was_before_does_not_count(clock):
    watch = Watch(clock, Vitals(calls=100, failures=100), seconds=30)
    clock.now += 30
    assert not watch.verdict().bad


def test_a_verdict_stays(clock):
    vitals = Vitals()
    watch = Watch(clock, vitals, seconds=30)
    watch.condemn("it crashed")
    watch.condemn("later")
    clock.now += 30
    assert watch.verdict() == Verdict(WatchOutcome.BAD, "it crashed")
    good = Watch(clock, vitals, seconds=0)
    assert not good.verdict().pending
    vitals.calls = vitals.failures = 99
    good.condemn("too late")
    assert good.verdict() == Verdict(WatchOutcome.GOOD)


def test_health_fails_after_enough_bad_answers_in_a_row():
    health = Health(HealthPolicy(failures=2))
    assert health.state is HealthState.UNKNOWN
    assert health.failed("late") is HealthState.FAILING
    assert health.passed() is HealthState.HEALTHY
    assert (health.consecutive, health.reason) == (0, "")
    health.failed("late")
    assert health.failed("dead") is HealthState.FAILED
    assert (health.consecutive, health.reason) == (2, "dead")
    assert health.passed() is HealthState.FAILED, "a failed generation does not come back"
