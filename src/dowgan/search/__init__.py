"""Search for the settings with the best held-out fidelity, over what nets and objectives declare; needs Optuna.

Trials and their course are kept in an Optuna storage: a journal file in the folder, or a database that many machines
share. What is searched is never measured on rows that a network trained on, but the best of many trials is selected
on them: judge it afterwards with `dowgan report`.
"""

from dowgan.errors import OptionError

try:
    import optuna  # noqa: F401
except ImportError as error:
    raise OptionError("A search needs Optuna, which is not installed: pip install 'dowgan[search]'") from error

from dowgan.search.asking import Task, suggest
from dowgan.search.outcome import best_of
from dowgan.search.running import run_search, work
from dowgan.search.storage import JOURNAL

__all__ = ["JOURNAL", "Task", "best_of", "run_search", "suggest", "work"]
