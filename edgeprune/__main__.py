"""`python -m edgeprune` is the `edgeprune` command."""

from edgeprune.cli.main import entry

if __name__ == "__main__":
    entry()
