"""One thread for many small products: on a busy machine more threads make them slower."""

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def one_thread() -> AbstractContextManager[object]:
    """Hold BLAS and OpenMP to one thread inside of a `with`; the limit before it comes back after it."""
    return threadpool_limits(limits=1)
