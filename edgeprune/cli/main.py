"""The `edgeprune` command: finds the verb's file, and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
import traceback

import click

from edgeprune import __version__
from edgeprune.errors import EdgepruneError

# Written down rather than discovered, so that `edgeprune --help` imports no verb (and so no torch, no TVM).
VERBS = {
    "run": "Train, prune, compact, compile and measure: the whole way of a recipe.",
    "train": "Train the recipe's network.",
    "prune": "Prune and retrain in rounds.",
    "compact": "Remove what is dead: a smaller dense network.",
    "export": "Write dense and pruned network as ONNX.",
    "lower": "Lower an ONNX file to a fused TVM Relax module.",
    "tune": "Search fast kernels for a lowered network.",
    "build": "Compile an ONNX file into files for a board.",
    "measure": "Run a built artifact on its board and measure it.",
    "report": "Show, compare or write out the report of a run.",
    "study": "Compare arms of a recipe over operating points and seeds.",
    "recipes": "List and show recipes.",
    "targets": "List, show and check targets (boards).",
    "boards": "Work with many boards behind a tracker.",
    "data": "Fetch datasets into the cache.",
    "doctor": "Say what this machine has and lacks.",
}


_STORAGE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in pipeline order."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(f"edgeprune.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgeprune")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """From a trained PyTorch network and a named board to a small dense binary for that board.

    \b
    Example:
      edgeprune run recipes/lenet5-mnist.toml --target host --target rpi3
    """
    ctx.obj = {"debug": debug}


def entry() -> None:
    """Run the command line and exit: 0 done, 1 a failure, 2 the user's mistake, 130 interrupted."""
    # Waiting torch threads sleep rather than spin: on a busy machine spinning made an epoch three times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    debug = "--debug" in sys.argv[1:]
    argv = [argument for argument in sys.argv[1:] if argument != "--debug"]
    sys.exit(run_command(argv, debug))


def run_command(argv: list[str], debug: bool) -> int:
    """Run one command line and return its exit code; errors are shown on standard error."""
    try:
        outcome = cli.main(args=argv, prog_name="edgeprune", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except EdgepruneError as error:
        if debug:
            traceback.print_exc()
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        # Imports run code by exec(); CPython remembers an interrupt that hit one, and `python -m` would then end by a
        # signal although the interrupt was caught here. Any exec() that ends well makes it forget.
        exec("pass")
        click.echo("interrupted; the same command goes on from here", err=True)
        return 130
    except BrokenPipeError:
        # The reader (`head`, say) has what it wanted; nothing is left to write the rest to.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.errno not in _STORAGE_ERRORS:
            return _unexpected(error, debug)
        if debug:
            traceback.print_exc()
        click.echo(f"error: {error.filename or 'a file'}: cannot be written: {error.strerror}", err=True)
        return 1
    except Exception as error:
        return _unexpected(error, debug)


def _unexpected(error: Exception, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"error: unexpected {type(error).__name__}: {error}; --debug shows where", err=True)
    return 1
