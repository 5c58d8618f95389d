"""`python -m dowgan` is the command line."""

from dowgan.cli import main

main()
