"""The commands of ``chainrule``: what may be typed, and which module does the work.

    chainrule train mnist [options]                        train, evaluate, write a run folder
    chainrule evaluate RUN [DATA]                          loss and accuracy on other data
    chainrule predict RUN IMAGE_OR_FILE                    what the network sees
    chainrule show graph|gradient|kernels|llvm|program [RUN_OR_MODEL]
    chainrule profile [RUN_OR_MODEL]                       where a training step's time goes
    chainrule inspect layers|step|doctor|verify [RUN_OR_MODEL]   a network from inside, on a sample of data
    chainrule report RUN                                   one page that tells it all

A mistake is printed as ``error: …`` without a traceback, and the command ends with status 2; Ctrl-C ends with 130.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from chainrule.config import POLICIES

STATUS_MISTAKE = 2
STATUS_INTERRUPTED = 130

VIEWS = ("graph", "gradient", "kernels", "llvm", "program")
INSIDE = {
    "layers": "what each layer knows, and how it learns",
    "step": "every number of a training step, by the chain rule",
    "doctor": "mistakes in network, compilation and data",
    "verify": "gradients against differences, machine code against NumPy",
}
"""The views of ``chainrule inspect``, and what each shows."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; `arguments` are the words after ``chainrule``."""
    options = make_parser().parse_args(arguments)
    from chainrule.errors import ChainruleError

    try:
        status = run_command(options)
        sys.stdout.flush()
        return status
    except ChainruleError as error:
        print(f"error: {error}", file=sys.stderr)
        return STATUS_MISTAKE
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return STATUS_INTERRUPTED
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
        return 0


def run_command(options: argparse.Namespace) -> int:
    """Hand the options to the module of the command."""
    if options.command == "train":
        from chainrule.apps.train import train

        return train(options)
    if options.command == "evaluate":
        from chainrule.apps.predict import evaluate

        return evaluate(options)
    if options.command == "predict":
        from chainrule.apps.predict import predict

        return predict(options)
    if options.command == "profile":
        from chainrule.apps.profile import profile

        return profile(options)
    if options.command == "inspect":
        from chainrule.apps.inspect import inspect

        return inspect(options)
    if options.command == "report":
        from chainrule.apps.report import report

        return report(options)
    from chainrule.apps.show import show

    return show(options)


def make_parser() -> argparse.ArgumentParser:
    """The grammar of the command line. Options that are not given are None and take the recipe's values."""
    parser = argparse.ArgumentParser(
        prog="chainrule",
        description="Deep learning on the CPU, readable from the neuron's formula down to the machine code.",
    )
    parser.add_argument("--version", action=PrintVersion, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a network and write a run folder")
    train.add_argument("data", metavar="DATA", help="the data set: mnist")
    train.add_argument("--layers", type=widths, metavar="N,N,…", help="neurons of each hidden layer, such as 512,512")
    train.add_argument("--epochs", type=positive_integer, metavar="N", help="times through the training images")
    train.add_argument("--batch-size", type=positive_integer, metavar="B", help="images a step")
    train.add_argument("--optimizer", metavar="NAME", help="sgd, rmsprop, adam or adamw")
    train.add_argument("--learning-rate", type=positive_number, metavar="R", help="the highest learning rate")
    train.add_argument("--seed", type=seed_number, metavar="S", help="seed of weights, order and dropout")
    train.add_argument("--validation-split", type=fraction, metavar="F", help="part of the images to hold out")
    train.add_argument("--dtype", choices=POLICIES, help="mixed_bfloat16 rounds the factors of matrix products")
    train.add_argument("--out", metavar="RUN", help="the run folder to write (default: a new one under runs/)")
    train.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")

    evaluate = commands.add_parser("evaluate", help="loss and accuracy of a run on a data set")
    evaluate.add_argument("run", metavar="RUN", help="a run folder, or a saved model")
    evaluate.add_argument(
        "data", metavar="DATA", nargs="?", default="mnist", help="mnist (its test images), or an .npz with x and y"
    )
    evaluate.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")

    predict = commands.add_parser("predict", help="what a run's network sees in images")
    predict.add_argument("run", metavar="RUN", help="a run folder, or a saved model")
    predict.add_argument(
        "images", metavar="IMAGE_OR_FILE", help="a picture, .npy, .npz or idx file, or mnist:7 for a test image"
    )
    predict.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")

    show = commands.add_parser("show", help="print a stage of the compiler for a network's training step")
    show.add_argument("view", choices=VIEWS, help="what to print")
    show.add_argument(
        "run",
        metavar="RUN_OR_MODEL",
        nargs="?",
        help="a run folder or a saved model (default: the network of `train mnist`)",
    )

    profile = commands.add_parser("profile", help="time a training step kernel by kernel against the machine's limits")
    profile.add_argument(
        "run",
        metavar="RUN_OR_MODEL",
        nargs="?",
        help="a run folder or a saved model (default: the network of `train mnist`)",
    )
    profile.add_argument("--batch-size", type=positive_integer, metavar="B", help="rows a step (default 128)")
    profile.add_argument("--steps", type=positive_integer, metavar="N", help="steps to time (default 200)")
    profile.add_argument("--workers", type=positive_integer, metavar="W", help="threads (default: the fastest number)")
    profile.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")

    inspect = commands.add_parser(
        "inspect",
        help="look into a network on a sample of data",
        epilog="example: chainrule inspect step runs/mine --layer dense --neuron 3",
    )
    inspect.add_argument("view", choices=INSIDE, help="; ".join(f"{name}: {shows}" for name, shows in INSIDE.items()))
    inspect.add_argument(
        "run",
        metavar="RUN_OR_MODEL",
        nargs="?",
        help="a run folder or a saved model (default: the network of `train mnist`, untrained)",
    )
    inspect.add_argument("--data", metavar="DATA", default="mnist", help="mnist, or an .npz with x and y")
    inspect.add_argument("--rows", type=positive_integer, metavar="N", help="rows to look at, evenly over the data")
    inspect.add_argument("--layer", metavar="NAME", help="of a step: this layer alone")
    inspect.add_argument("--neuron", type=seed_number, metavar="N", help="of a step: this neuron of the layer")
    inspect.add_argument("--html", metavar="FILE", help="write it as a page too")

    report = commands.add_parser("report", help="write one page of HTML that tells how good a run is, and why")
    report.add_argument("run", metavar="RUN", help="a run folder, or a saved model")
    report.add_argument(
        "--data", metavar="DATA", default="mnist", help="mnist (its test images), or an .npz with x and y"
    )
    report.add_argument("--out", metavar="FILE", help="the page to write (default: report.html in the run folder)")
    report.add_argument("--json", action="store_true", help="print one line of JSON and nothing else")
    return parser


class PrintVersion(argparse.Action):
    """``--version``, which looks the version up only when asked."""

    def __call__(self, parser: argparse.ArgumentParser, *unused: Any) -> None:
        print(f"chainrule {installed_version()}")
        parser.exit()


def installed_version() -> str:
    """The version of the installed package."""
    from importlib import metadata

    try:
        return metadata.version("chainrule")
    except metadata.PackageNotFoundError:
        return "(not installed)"


# -- kinds of option values: argparse prints the message of ArgumentTypeError ------------------------------------


def widths(text: str) -> tuple[int, ...]:
    """``512,512`` as (512, 512); an empty text is a network without hidden layers."""
    return tuple(positive_integer(part.strip()) for part in text.split(",")) if text.strip() else ()


def positive_integer(text: str) -> int:
    value = _number(text, int, "a whole number of at least 1")
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(value)


def seed_number(text: str) -> int:
    value = _number(text, int, "a whole number of at least 0")
    if value < 0:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 0, got {text!r}")
    return int(value)


def positive_number(text: str) -> float:
    value = _number(text, float, "a number above 0")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def fraction(text: str) -> float:
    value = _number(text, float, "a number from 0 to below 1")
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return value


def _number(text: str, kind: type[int] | type[float], expected: str) -> float:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
