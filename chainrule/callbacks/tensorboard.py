"""`TensorBoard`: the course of training as event files, which TensorBoard shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.callbacks.callback import WHENEVER, BatchCount, Callback, Logs, check_stride
from chainrule.callbacks.log_file import LogFile
from chainrule.callbacks.rates import log_rates
from chainrule.errors import ChainruleError
from chainrule.interop import events
from chainrule.layers import Embedding, Layer
from chainrule.naming import free_name


class TensorBoard(Callback):
    """Write what training logs to event files: ``tensorboard --logdir logs`` shows them.

    Below `log_dir`, ``train`` holds ``epoch_NAME`` an epoch, the learning rate among them, and ``batch_NAME`` a batch
    where asked for; ``validation`` holds the numbers of validation under the same names, and
    ``evaluation_NAME_vs_iterations``. A run that `BackupAndRestore` takes up goes on in the same files.

    Args:
        log_dir: a folder; each run should have its own.
        histogram_freq: after how many epochs to write histograms of the weights; 0: never.
        write_graph: whether to write the network's layers and what flows between them.
        write_images: whether to write weights as pictures, whenever their histograms are written.
        write_steps_per_second: whether to write how fast training is.
        update_freq: ``"epoch"``, ``"batch"``, or after how many batches to write their numbers.
        profile_batch: 0; `model.profile` times the steps.
        embeddings_freq: after how many epochs to write the embeddings for the projector; 0: never.
        embeddings_metadata: the file that names the rows of an embedding, or a dict of such, by the layers' names.
    """

    def __init__(
        self,
        log_dir: Any = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: Any = "epoch",
        profile_batch: Any = 0,
        embeddings_freq: int = 0,
        embeddings_metadata: str | Mapping[str, str] | None = None,
    ):
        super().__init__()
        if profile_batch:
            raise ChainruleError(
                "batches are not profiled here",
                where="TensorBoard, profile_batch",
                expected=0,
                got=profile_batch,
                fix="call model.profile(x, y), which times every kernel",
            )
        self.log_dir = Path(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        freq = 1 if update_freq == "batch" else update_freq
        self.update_freq = check_stride("TensorBoard", "update_freq", freq, "epoch")
        self.batch_stride = WHENEVER if freq == "epoch" else freq
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self.files: dict[str, LogFile] = {}
        self.count = BatchCount(1 if freq == "epoch" else freq)
        self._began = (0.0, 0)  # of the epoch: when, and how many steps were done

    # -- moments --------------------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Logs = None) -> None:
        self._close()
        self.files = {}
        self.count.restart()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        self._began = (time.perf_counter(), self._iterations())
        if self.write_graph and "train" not in self.files:
            self._write("train", 0, events.graph(describe_layers(self.model)))

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        if self.update_freq != "epoch" and self.count.reached(batch):
            named = {f"batch_{name}": value for name, value in (logs or {}).items()}
            if self.write_steps_per_second:
                named["batch_steps_per_second"] = self._steps_per_second()
            self._write_scalars("train", self.count.total, named)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        logs = dict(logs or {})
        tested = {f"epoch_{name[4:]}": value for name, value in logs.items() if name.startswith("val_")}
        trained = {name: value for name, value in logs.items() if not name.startswith("val_")}
        log_rates(self.model.optimizer, trained)
        if self.write_steps_per_second:
            trained["steps_per_second"] = self._steps_per_second()
        self._write_scalars("train", epoch, {f"epoch_{name}": value for name, value in trained.items()})
        self._write_scalars("validation", epoch, tested)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()

    def on_test_end(self, logs: Logs = None) -> None:
        named = {f"evaluation_{name}_vs_iterations": value for name, value in (logs or {}).items()}
        self._write_scalars("validation", self._iterations(), named)

    def on_train_end(self, logs: Logs = None) -> None:
        self._close()

    def on_train_abort(self, error: BaseException) -> None:
        self._close()

    # -- what is written ------------------------------------------------------------------------------------------

    def _write(self, folder: str, step: int, contents: bytes) -> None:
        if folder not in self.files:
            self.files[folder] = LogFile(events.new_path(self.log_dir / folder))
        file = self.files[folder]
        file.write((events.version() if file.is_empty else b"") + events.event(step, contents))

    def _write_scalars(self, folder: str, step: int, named: Mapping[str, Any]) -> None:
        values = [events.scalar(name, float(np.asarray(value))) for name, value in named.items()]
        if values:
            self._write(folder, step, events.summary(values))

    def _write_weights(self, epoch: int) -> None:
        values = []
        for weight in self.model.weights:
            values.append(events.histogram(f"{weight.name}/histogram", weight.numpy()))
            picture = as_picture(weight.numpy()) if self.write_images else None
            if picture is not None:
                values.append(events.image(f"{weight.name}/image", picture))
        self._write("train", epoch, events.summary(values))

    def _write_embeddings(self) -> None:
        """The embeddings as tables, and the file by which the projector finds them."""
        folder = self.log_dir / "train"
        folder.mkdir(parents=True, exist_ok=True)
        lines = []
        for layer in self.model.layers:
            if not isinstance(layer, Embedding):
                continue
            name = f"{layer.name}.tsv"
            np.savetxt(folder / name, layer.weights[0].numpy(), "%.7g", "\t")
            given = self.embeddings_metadata
            names = given.get(layer.name) if isinstance(given, Mapping) else given
            metadata = "" if names is None else f'  metadata_path: "{names}"\n'
            lines.append(f'embeddings {{\n  tensor_name: "{layer.name}"\n  tensor_path: "{name}"\n{metadata}}}\n')
        (folder / "projector_config.pbtxt").write_text("".join(lines), "utf-8")

    def _iterations(self) -> int:
        iterations = getattr(self.model.optimizer, "iterations", None)
        return 0 if iterations is None else int(np.asarray(iterations))

    def _steps_per_second(self) -> float:
        began, before = self._began
        return (self._iterations() - before) / max(time.perf_counter() - began, 1e-9)

    def _close(self) -> None:
        for file in self.files.values():
            file.close()

    def get_state(self) -> dict[str, Any]:
        files = {folder: {"path": str(file.path), "size": file.get_state()} for folder, file in self.files.items()}
        return {"files": files, "count": self.count.get_state()}

    def set_state(self, state: dict[str, Any]) -> None:
        self._close()
        self.files = {}
        for folder, kept in state["files"].items():
            self.files[folder] = LogFile(kept["path"])
            self.files[folder].set_state(kept["size"])
        self.count.set_state(state["count"])


def as_picture(weight: np.ndarray) -> np.ndarray | None:
    """A vector or matrix as gray values from its least to its largest number, the longer side across."""
    found = np.squeeze(weight)
    if found.ndim == 1:
        found = found[None]
    if found.ndim != 2 or not np.isfinite(found).all():
        return None
    if found.shape[0] > found.shape[1]:
        found = found.T
    low, high = float(found.min()), float(found.max())
    return np.round((found - low) * (255 / max(high - low, 1e-30))).astype(np.uint8)


def describe_layers(model: Any) -> list[events.GraphNode]:
    """The layers, each with those that it takes from."""
    network = getattr(model, "network", None)
    if network is not None:
        return describe_calls(network)
    nodes: list[events.GraphNode] = []
    for layer in model.layers:
        inputs = (nodes[-1].name,) if nodes and hasattr(model, "add") else ()
        nodes.append(as_node(layer, layer.name, inputs))
    return nodes


def describe_calls(network: Any) -> list[events.GraphNode]:
    """The calls of a network: a layer that is called again gets a number."""
    nodes = [as_node(layer, layer.name, ()) for layer in network.input_layers]
    givers: dict[Any, str] = {
        node: layer.name for node, layer in zip(network.inputs, network.input_layers, strict=True)
    }
    taken = {node.name for node in nodes}
    for call in network.calls:
        name = free_name(call.layer.name, taken)
        taken.add(name)
        inputs = tuple(dict.fromkeys(giver for leaf in call.leaves for giver in givers_of(leaf, givers)))
        nodes.append(as_node(call.layer, name, inputs))
        givers[call] = name
    return nodes


def givers_of(leaf: Any, givers: Mapping[Any, str]) -> list[str]:
    """The names of the layers that an array comes from, through any operations between."""
    if not hasattr(leaf, "params"):
        return []
    call = leaf.params.get("call")
    for key in (leaf, call):
        if key is not None and key in givers:
            return [givers[key]]
    return [name for source in leaf.inputs for name in givers_of(source, givers)]


def as_node(layer: Layer, name: str, inputs: tuple[str, ...]) -> events.GraphNode:
    notes = {"weights": f"{layer.count_params():,}"} if layer.built else {}
    return events.GraphNode(name, type(layer).__name__, inputs, notes)
