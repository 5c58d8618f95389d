"""Work of the web page in the background: given up wherever it is, and the next one's turn then."""

import time

import numpy as np
import pandas as pd

from dowgan.app.jobs import ENGINE, Fit, Job
from dowgan.config import resolve
from dowgan.table import read


class Endless(Job):
    """Computes without ever telling how it gets on."""

    def work(self) -> None:
        while True:
            np.linalg.svd(np.ones((40, 40)))


def ended(job: Job, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while not job.done and time.monotonic() < until:
        time.sleep(0.02)
    return job.done


def test_work_that_tells_nothing_can_be_given_up() -> None:
    job = Endless()
    job.start()
    assert not ended(job, 0.3)
    job.abandon()
    assert ended(job)
    assert job.error == "The work was given up."
    assert not ENGINE.locked()


def test_a_fit_in_closed_form_is_given_up_and_the_next_one_runs() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((4_000, 12)).cumsum(axis=0), columns=list("abcdefghijkl"))
    table = read(frame)
    long, short = Fit(table, resolve("flagship"), 0), Fit(read(frame[["a"]][:60]), resolve("prior"), 0)
    long.start()
    assert not ended(long, 0.5)
    short.start()
    long.abandon()
    assert ended(long)
    assert long.model is None
    assert ended(short, 60)
    assert short.model is not None


def test_what_waits_is_given_up_at_once() -> None:
    first, second = Endless(), Endless()
    first.start()
    assert not ended(first, 0.2)
    second.start()
    second.abandon()
    assert ended(second)
    first.abandon()
    assert ended(first)
