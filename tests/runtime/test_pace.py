"""The choice of the number of workers: every number is tried, the fastest kept, the others tried again now and then."""

from itertools import pairwise

import pytest

from chainrule.runtime.pace import Pace, team_sizes


def test_sizes_are_halved_down_to_one():
    assert team_sizes(1) == [1]
    assert team_sizes(6) == [6, 3, 1]


def run(pace, seconds, most=1_000_000):
    """One run as the pace wants it, a step taking `seconds` of its size; what it chose."""
    size, steps = pace.next_run(most)
    pace.record(size, steps, steps * seconds[size])
    return size, steps


def test_one_worker_is_never_on_trial():
    pace = Pace(1)
    assert pace.next_run(7) == (1, 7)


def test_each_is_tried_then_the_fastest_is_kept():
    pace = Pace(4)
    seen = [run(pace, {4: 3e-6, 2: 1e-6, 1: 2e-6}, most=100)[0] for _ in range(20)]
    assert set(seen) == {4, 2, 1} and pace.best() == 2
    assert pace.next_run(1000) == (2, 1000)


def test_the_first_steps_of_a_trial_do_not_count():
    pace = Pace(2)
    size, steps = pace.next_run(1000)
    pace.record(size, steps, steps * 1.0)  # asleep, or cold
    while not pace.seconds:
        run(pace, {2: 1e-5})
    assert pace.seconds == {2: pytest.approx(1e-5)}


def run_for(pace, seconds, least, most):
    """Run until so much time has passed; the part of it that each number of workers ran."""
    spent = dict.fromkeys(seconds, 0.0)
    while sum(spent.values()) < least:
        size, steps = run(pace, seconds, most)
        spent[size] += steps * seconds[size]
    return spent


@pytest.mark.parametrize("most", [1, 10, 1000, 100_000])
@pytest.mark.parametrize("seconds", [{2: 8e-6, 1: 12e-6}, {2: 12e-6, 1: 8e-6}])
def test_a_slow_first_trial_does_not_mislead_for_long(seconds, most):
    pace = Pace(2)
    while not pace.seconds:
        run(pace, {2: 650e-6})  # asleep, or cold
    spent = run_for(pace, seconds, 0.3, most)
    best, other = sorted(seconds, key=seconds.get)
    assert pace.best() == best and pace.seconds[best] == pytest.approx(8e-6, rel=0.01)
    assert spent[other] < 0.03


def test_the_fastest_keeps_the_mean_of_its_last_steps():
    pace = Pace(1)
    pace.record(1, 3, 3 * 20e-6)
    pace.record(1, 997, 997 * 15e-6)
    assert pace.seconds[1] == pytest.approx(15.015e-6)
    for _ in range(20):
        pace.record(1, 5000, 5000 * 12e-6)
    assert pace.seconds[1] == pytest.approx(12e-6, rel=1e-3)


def test_runs_that_are_held_do_not_count_for_the_choice():
    pace = Pace(4)
    run_for(pace, {4: 1e-5, 2: 2e-5, 1: 3e-5}, 0.01, 100)
    known, now = dict(pace.seconds), pace.now
    with pace.hold(3) as held:
        assert pace.next_run(70) == (3, 70)
        pace.record(3, 70, 7e-3)
    assert (held.counted, held.seconds) == (70, 7e-3)
    assert pace.seconds == known and pace.now == now and pace.next_run(10)[0] != 3


def test_a_trial_goes_on_over_calls_of_one_step():
    pace = Pace(2)
    seconds = {2: 3e-4, 1: 5e-4}
    sizes = [run(pace, seconds, most=1)[0] for _ in range(500)]
    assert pace.best() == 2 and pace.seconds[1] == pytest.approx(5e-4)
    assert sizes.count(1) < 50
    assert any(a == b == 1 for a, b in pairwise(sizes))


def test_others_are_tried_again_after_a_while():
    pace = Pace(2)
    while len(pace.seconds) < 2:
        run(pace, {2: 4e-6, 1: 1e-6}, most=1000)
    assert pace.best() == 1
    runs = 0
    while run(pace, {2: 5e-7, 1: 1e-6}, most=1000)[0] != 2:
        runs += 1
        assert runs < 1000
    assert runs > 1
    while pace.trial:
        run(pace, {2: 5e-7, 1: 1e-6}, most=1000)
    assert pace.best() == 2


def test_the_more_often_it_lost_the_longer_it_waits():
    pace = Pace(2)
    seconds = {2: 4e-6, 1: 1e-6}
    gaps = []
    for _ in range(10):
        while run(pace, seconds, most=100)[0] != 2:
            pass
        while run(pace, seconds, most=100)[0] == 2:
            pass
        began = pace.now
        while pace.next_run(100)[0] != 2:
            run(pace, seconds, most=100)
        gaps.append(pace.now - began)
    assert all(b > 0.9 * a for a, b in pairwise(gaps)) and gaps[-1] > 10 * gaps[0] and gaps[-1] < 2.5


def test_long_steps_are_tried_with_fewer_workers_only_after_many():
    pace = Pace(2)
    seconds = {2: 0.1, 1: 0.2}
    sizes = [run(pace, seconds, most=1)[0] for _ in range(300)]
    assert 1 in sizes and sizes.index(1) > 70
    assert sizes.count(1) <= 2


def test_one_slow_step_does_not_change_the_choice():
    pace = Pace(2)
    while len(pace.seconds) < 2:
        run(pace, {2: 2e-3, 1: 4e-3}, most=1)
    pace.record(2, 1, 9e-3)
    assert pace.best() == 2
    for _ in range(20):
        pace.record(2, 1, 9e-3)
    assert pace.best() == 1


def test_a_trial_is_short_for_what_was_far_slower():
    pace = Pace(2)
    seconds = {2: 1e-3, 1: 1e-6}
    while len(pace.seconds) < 2:
        run(pace, seconds, most=10)
    spent = {1: 0.0, 2: 0.0}
    for _ in range(20_000):
        size, steps = run(pace, seconds, most=1000)
        spent[size] += steps * seconds[size]
    assert spent[2] < 0.03 * spent[1]
