"""F08: two schedulers are started at one instant, again and again, while tasks are due each second."""

from __future__ import annotations

import pytest

from tests.fault.life_work import finish_and_judge
from tests.fault.scale import rounds
from watchbell.errors import EXIT_ALREADY_RUNNING

pytestmark = pytest.mark.fault


def test_of_two_starts_at_one_instant_one_works_and_nothing_is_doubled(lab, claims):
    made = [lab.add_task(f"task-{number}", number * 0.3, "own", every="1s") for number in range(4)]
    wrong, done = [], 0

    for number in rounds("STARTS", 8, 100):
        pair = [lab.start(), lab.start()]
        lab.wait(lambda pair=pair: any(life.ended(0) for life in pair), "one of the two to give way")
        loser, winner = sorted(pair, key=lambda life: not life.ended(0))
        code = loser.reap()
        winner.wait_for_beat()
        living = lab.rows("SELECT pid FROM scheduler ORDER BY started_at")
        if code != EXIT_ALREADY_RUNNING or len(living) != number + 1 or living[-1]["pid"] != winner.pid:
            wrong.append(f"start {number}: exit code {code}, {len(living)} lives")
        winner.kill()
        done += 1

    claims.none_of("F08", "pairs of starts of which not exactly one worked", done, wrong)
    claims.judged("F08", finish_and_judge(lab, made))
