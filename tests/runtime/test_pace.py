"""The choice of the number of workers: every number is tried, the fastest kept, the others tried again now and then."""

from itertools import pairwise

from chainrule.runtime.pace import Pace, team_sizes


def test_sizes_are_halved_down_to_one():
    assert team_sizes(1) == [1]
    assert team_sizes(6) == [6, 3, 1]


def test_one_worker_is_never_on_trial():
    pace = Pace(1)
    assert pace.next_trial() is None and pace.best() == 1


def test_each_is_tried_then_the_fastest_is_kept():
    pace = Pace(4)
    seen = []
    for seconds in (3.0, 1.0, 2.0):
        size = pace.next_trial()
        seen.append(size)
        pace.record(size, 1, seconds * 1e-6)
    assert seen == [4, 2, 1]
    assert pace.best() == 2
    assert pace.next_trial() is None


class Clock:
    """A clock that runs when a record is made."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def run(pace, size, steps, seconds):
    pace.clock.now += seconds
    pace.record(size, steps, seconds)


def test_others_are_tried_again_after_a_while():
    pace = Pace(2, Clock())
    run(pace, 2, 1, 4e-6)
    run(pace, 1, 1, 1e-6)
    runs = 0
    while pace.next_trial() is None:
        run(pace, 1, 1000, 1e-3)
        runs += 1
        assert runs < 1000
    assert runs > 1 and pace.next_trial() == 2
    run(pace, 2, 1, 0.5e-6)
    assert pace.best() == 2


def test_the_more_often_it_lost_the_longer_it_waits():
    pace = Pace(2, Clock())
    run(pace, 1, 1, 1e-6)
    gaps = []
    for _ in range(10):
        run(pace, 2, 1, 4e-6)
        began = pace.clock.now
        while pace.next_trial() is None:
            run(pace, 1, 100, 1e-4)
        gaps.append(pace.clock.now - began)
    assert all(b > 0.99 * a for a, b in pairwise(gaps)) and gaps[-1] > 10 * gaps[0] and gaps[-1] < 2.5


def test_long_steps_are_tried_with_fewer_workers_only_after_many():
    pace = Pace(2, Clock())
    run(pace, 2, 1, 0.1)
    assert pace.trial_steps(1) == 1
    for _ in range(50):
        assert pace.next_trial() is None
        run(pace, 2, 1, 0.1)
    for _ in range(100):
        run(pace, 2, 1, 0.1)
    assert pace.next_trial() == 1


def test_one_slow_step_does_not_change_the_choice():
    pace = Pace(2)
    pace.record(2, 1, 2e-3)
    pace.record(1, 1, 4e-3)
    pace.record(2, 1, 9e-3)
    assert pace.best() == 2
    for _ in range(20):
        pace.record(2, 1, 9e-3)
    assert pace.best() == 1


def test_a_trial_is_short_for_what_was_slow():
    pace = Pace(2)
    assert pace.trial_steps(2) <= 4
    pace.record(2, 1, 1e-3)
    pace.record(1, 1, 1e-6)
    assert pace.trial_steps(2) == 2
    assert pace.trial_steps(1) > 100
