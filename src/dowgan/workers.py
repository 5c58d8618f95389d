"""Several processes of one torch thread each, for jobs that do not know of each other."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any

from dowgan.errors import UserError

LOOK = 2.0  # seconds between two calls of `meanwhile`


class WorkerError(UserError):
    """A worker process died."""


def _prepare() -> None:
    """One thread, and no life of its own: a worker whose parent was killed leaves too."""
    import torch

    torch.set_num_threads(1)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def each(
    function: Callable[..., Any],
    jobs: Sequence[tuple[Any, ...]],
    workers: int,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[tuple[int, Any]]:
    """Call a function with each job's arguments; give (number of the job, result) as they come.

    Args:
        function: a module's own, since another process must find it.
        jobs: arguments.
        workers: processes; with one the jobs run here, one after another.
        meanwhile: called every now and then while other processes work.

    Raises:
        WorkerError: a process died; what was given before stays given.
    """
    if workers <= 1 or len(jobs) <= 1:
        for number, job in enumerate(jobs):
            yield number, function(*job)
        return
    pool = ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _prepare)
    try:
        waiting = {pool.submit(function, *job): number for number, job in enumerate(jobs)}
        while waiting:
            for done in wait(waiting, timeout=LOOK, return_when=FIRST_COMPLETED).done:
                yield waiting.pop(done), done.result()
            meanwhile()
    except BrokenProcessPool as error:
        raise WorkerError(
            "A worker process died, perhaps for want of memory. What was finished is kept: go on with --resume, "
            "or with fewer --workers."
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
