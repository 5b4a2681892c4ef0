"""F02: kill the scheduler at each named point under each answer to "unknown" and each answer to "still running".

What exactly becomes of one run at each point is in tests/process/test_scheduler_named_kills.py.
"""

from __future__ import annotations

import itertools
import random
import signal

import pytest

from tests.fault.life_work import finish_and_judge
from tests.fault.scale import SEED, rounds
from tests.process.test_scheduler_named_kills import AT_ADOPTION, AT_WORK
from watchbell.domain.policies import Overlap, Uncertain

pytestmark = pytest.mark.fault


def test_no_promise_is_broken_at_any_point_under_any_policy(make_lab, claims):
    every = list(itertools.product([*AT_WORK, *AT_ADOPTION], Uncertain, Overlap))
    random.Random(SEED).shuffle(every)
    kills, broken, cases = 0, [], 0

    for number in rounds("POINTS", 4, len(every)):
        point, uncertain, overlap = every[number % len(every)]
        lab = make_lab(f"home-{number}")
        fields = {"every": "1s", "uncertain": uncertain, "overlap": overlap, "grace_seconds": 1, "retries": 1}
        made = [lab.add_task("job", 1.3, "own", 40_000, **fields)]
        if point in AT_ADOPTION:
            assert lab.start("before its start is heard").reap() == -signal.SIGKILL, lab.scheduler_words()
        assert lab.start(point).reap() == -signal.SIGKILL, f"it never came to {point}:\n{lab.scheduler_words()}"
        kills += 1
        verdict = finish_and_judge(lab, made)
        cases += sum(verdict.cases.values())
        broken += [f"{point}, {uncertain}, {overlap}: {words}" for words in verdict.all_violations]
        lab.close()

    claims.figure("F02", "points x policies", f"{kills} of {len(every)} combinations")
    claims.none_of("F02", "promises broken by a kill at a named point", cases, broken)
