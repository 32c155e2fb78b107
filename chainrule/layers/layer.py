"""What every layer is: named, built for an input's shape, called on arrays.

A layer called on symbolic arrays (`symbolic.py`) records the call; a model replays it. Layers and Variables that are
kept in attributes, or in lists and dicts there, belong to the layer.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from chainrule import config, constraints, initializers, registry, regularizers
from chainrule.errors import ChainruleError
from chainrule.graph.ir import Node
from chainrule.graph.shapes import format_shape
from chainrule.graph.tracing import current_scope, scope
from chainrule.graph.tree import flatten, map_leaves
from chainrule.graph.types import ArrayType, OpenDim, as_dtype
from chainrule.graph.variable import Variable
from chainrule.layers import symbolic
from chainrule.naming import snake_case

_training: contextvars.ContextVar[bool] = contextvars.ContextVar("training", default=False)
_penalties: contextvars.ContextVar[list[Any] | None] = contextvars.ContextVar("penalties", default=None)
_results: contextvars.ContextVar[list[Result] | None] = contextvars.ContextVar("results", default=None)

_changes = itertools.count(1)
_last_change = [0]


def note_change() -> None:
    """Some layer got a weight, or is trained from here on, or no longer."""
    _last_change[0] = next(_changes)


def changes() -> int:
    """How many such changes there were, in all layers of the process."""
    return _last_change[0]


def inner_layers(layer: Layer) -> list[Layer]:
    """The layers within a layer, and within those."""
    found: list[Layer] = []
    for part in layer.sublayers:
        found += [part, *inner_layers(part)]
    return found


def collect_penalties() -> contextlib.AbstractContextManager[list[Any]]:
    """What layers add to the loss by `add_loss` while they are called within."""
    return collect_in(_penalties)


def collect_results() -> contextlib.AbstractContextManager[list[Result]]:
    """What each layer gives that is called within, inner layers before the one around them."""
    return collect_in(_results)


@contextlib.contextmanager
def collect_in(place: contextvars.ContextVar[list[Any] | None]) -> Iterator[list[Any]]:
    """A list that stands in this place within."""
    found: list[Any] = []
    token = place.set(found)
    try:
        yield found
    finally:
        place.reset(token)


@dataclass(frozen=True, eq=False)
class Result:
    """What a layer gave when it was called.

    Args:
        scope: the names of the layers around, and its own: ``model/dense``.
        inputs, outputs: nests of arrays.
    """

    scope: str
    layer: Layer
    inputs: Any
    outputs: Any


class Layer(registry.Configured):
    """A step of a network.

    Subclasses make their Variables in `build` and their formula is `call`. Shapes begin with the batch, which is None
    in `build` and `compute_output_shape`; of several inputs, they are in a list or dict as the inputs are.

    Args:
        name: unique within a model; made from the class by default.
        trainable: whether training changes the weights.
        activity_regularizer: a penalty on the results, added to the loss.
        dtype: a policy, as in `config`.

    Example:
        >>> class Scale(Layer):
        ...     def build(self, input_shape):
        ...         self.factor = self.add_weight((input_shape[-1],), "ones", name="factor")
        ...     def call(self, x):
        ...         return x * self.factor
        >>> Scale()(np.ones((2, 3), "float32")).shape
        (2, 3)
    """

    supports_masking = False
    """Whether a mask of the input is one of the output."""

    built_by_build = True
    """Whether `build` makes all weights; those of a model are made when its layers are called."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "build" in vars(cls) and cls.built_by_build:
            cls.build = note_built(cls.build)  # type: ignore[assignment,method-assign]

    def __init__(
        self,
        name: str | None = None,
        trainable: bool = True,
        activity_regularizer: Any = None,
        dtype: str | None = None,
    ):
        self.given_name = name
        self.named = False  # by a model: another one changes the name only if it must
        self.name = name or snake_case(type(self).__name__)
        self._trainable = bool(trainable)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.dtype_policy = config.check_dtype_policy(dtype or config.dtype_policy(), f"{type(self).__name__}, dtype")
        self.built = False
        self.sample_shape: Any = None
        self._result_shape: Any = None
        self._own: list[Variable] = []
        self._recorded: list[tuple[Any, Any]] = []  # symbolic inputs and outputs of each call on them
        self._link: Callable[[], Any] | None = None  # what calls it on symbolic arrays, within a Sequential

    # -- what subclasses write ------------------------------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Make the Variables for inputs of this shape, ``(None, …)``."""

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """The layer's formula; it may take `training` and `mask`."""
        raise NotImplementedError

    def accepts(self, input_shape: Any) -> bool:
        """Whether the weights fit inputs of another shape, given without the batch, than the one built for."""
        return False

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The result's shape, ``(None, …)``: found by tracing `call` where a subclass does not say."""
        return map_leaves(shape_of, symbolic.infer(self, map_shapes(open_type, input_shape)))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the result."""
        return previous_mask if self.supports_masking else None

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; what is set here is set in the layers within."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        note_change()
        for layer in self.sublayers:
            layer.trainable = value

    # -- weights --------------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape: tuple[int, ...] = (),
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        name: str = "variable",
    ) -> Variable:
        """A new Variable of this layer.

        Args:
            initializer: a name or an object; glorot_uniform by default.
            regularizer: a penalty on it, added to the loss.
            constraint: what it is projected to after each update.
        """
        made = initializers.get("glorot_uniform" if initializer is None else initializer)(
            tuple(shape), dtype or "float32"
        )
        variable = Variable(made, name=f"{self.name}/{name}", trainable=trainable)
        variable.regularizer, variable.constraint = regularizers.get(regularizer), constraints.get(constraint)
        self._own.append(variable)
        note_change()
        return variable

    def add_loss(self, value: Any) -> None:
        """Add a number to the loss of this step."""
        found = _penalties.get()
        if found is not None:
            found.append(value)

    @property
    def sublayers(self) -> list[Layer]:
        """Layers kept in attributes, in the order in which these were made."""
        return list(dict.fromkeys(parts_of(self, Layer)))

    @property
    def _variables(self) -> list[Variable]:
        """This layer's own Variables, the trainable first, as in Keras."""
        found = list(dict.fromkeys([*self._own, *parts_of(self, Variable)]))
        return [item for item in found if item.trainable] + [item for item in found if not item.trainable]

    @property
    def weights(self) -> list[Variable]:
        """All Variables that are saved: this layer's, then those of the layers within."""
        inner = (weight for layer in self.sublayers for weight in layer.weights)
        return list(dict.fromkeys([*self._variables, *inner]))

    @property
    def variables(self) -> list[Variable]:
        return self.weights

    @property
    def trainable_weights(self) -> list[Variable]:
        """The Variables that training changes; none where `trainable` is False, here or in a layer within."""
        if not self.trainable:
            return []
        own = (weight for weight in self._variables if weight.trainable)
        inner = (weight for layer in self.sublayers for weight in layer.trainable_weights)
        return list(dict.fromkeys([*own, *inner]))

    @property
    def trainable_variables(self) -> list[Variable]:
        return self.trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        trained = set(self.trainable_weights)
        return [weight for weight in self.weights if weight not in trained]

    @property
    def non_trainable_variables(self) -> list[Variable]:
        return self.non_trainable_weights

    @property
    def state(self) -> list[Variable]:
        """Variables that are neither trained nor weights, such as random counters."""
        return [variable for layer in self.sublayers for variable in layer.state]

    def count_params(self) -> int:
        return sum(weight.size for weight in self.weights)

    def get_weights(self) -> list[np.ndarray]:
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, values: Any) -> None:
        weights = self.weights
        if len(values) != len(weights):
            raise ChainruleError(
                "wrong number of weights", where=f"layer '{self.name}'", expected=len(weights), got=len(values)
            )
        for weight, value in zip(weights, values, strict=True):
            weight.assign(value)

    # -- calls ----------------------------------------------------------------------------------------------------

    @property
    def result_shape(self) -> Any:
        """The shape of a result without the batch, once built."""
        if self.sample_shape is not None and self._result_shape is None:
            shapes = self.compute_output_shape(map_shapes(with_batch, self.sample_shape))
            self._result_shape = map_shapes(lambda shape: tuple(shape[1:]), shapes)
        return self._result_shape

    @property
    def input(self) -> Any:
        """The symbolic array that the layer was called on first."""
        return self._first_call()[0]

    @property
    def output(self) -> Any:
        """What it gave then: a model can be made of it that ends at this layer."""
        return self._first_call()[1]

    def _first_call(self) -> tuple[Any, Any]:
        if not self._recorded and self._link is not None:
            self._link()
        if not self._recorded:
            raise ChainruleError(
                "the layer was not called on symbolic arrays", where=f"layer '{self.name}'", fix="call it on a cr.Input"
            )
        return self._recorded[0]

    def ensure_built(self, input_shape: Any) -> None:
        """Build at the first shape, given without the batch; refuse another one later."""
        if self.built and self.sample_shape == input_shape:
            return
        with self.located():
            if not self.built:
                self.build(map_shapes(with_batch, input_shape))
                self.sample_shape, self.built = input_shape, True
            elif self.sample_shape is None:  # built by hand, without a shape
                self.sample_shape = input_shape
            elif self._variables and not self.accepts(input_shape):
                raise ChainruleError(
                    "the input has another shape than the layer was built for",
                    expected=describe_shapes(self.sample_shape),
                    got=describe_shapes(input_shape),
                )

    @contextlib.contextmanager
    def located(self) -> Iterator[None]:
        """Errors within name this layer."""
        try:
            yield
        except ChainruleError as error:
            raise error.located(f"layer '{self.name}'") from None

    def __call__(
        self, inputs: Any, *others: Any, training: bool | None = None, mask: Any = None, **options: Any
    ) -> Any:
        if "_own" not in vars(self):
            raise ChainruleError(
                "super().__init__() was not called", where=type(self).__name__, fix="call it first in your __init__"
            )
        if symbolic.is_symbolic((inputs, others, options)):
            result = symbolic.record_call(self, (inputs, *others), options | given(training=training, mask=mask))
            self._recorded.append((inputs, result))
            return result
        inputs = map_leaves(as_data, inputs)
        self.ensure_built(map_leaves(lambda leaf: tuple(leaf.shape[1:]), inputs))
        training = _training.get() if training is None else bool(training)
        token = _training.set(training)
        try:
            with symbolic.masks_of_a_call(), scope(self.name), self.located():
                return self._call_with_masks(inputs, others, training, mask, options)
        finally:
            _training.reset(token)

    def _call_with_masks(self, inputs: Any, others: Any, training: bool, mask: Any, options: dict[str, Any]) -> Any:
        """The formula, given what it takes of `training` and the inputs' mask; the result has its mask noted."""
        accepted = accepted_arguments(type(self).call)
        previous = symbolic.mask_of(inputs) if mask is None else mask
        if "training" in accepted:
            options["training"] = training
        if "mask" in accepted and previous is not None:
            options["mask"] = previous
        result = self.call(inputs, *others, **options)
        if self.activity_regularizer is not None:
            self.add_loss(self.penalize_activity(result))
        symbolic.set_mask(result, self.compute_mask(inputs, previous))
        found = _results.get()
        if found is not None:
            found.append(Result(current_scope(), self, inputs, result))
        return result

    def penalize_activity(self, result: Any) -> Any:
        """The activity regularizer's number for a batch, divided by its rows as in Keras."""
        from chainrule import ops

        total: Any = 0.0
        for leaf in flatten(result)[0]:
            rows = ops.cast(ops.size_of(leaf, 0), leaf.dtype)
            total = ops.add(total, ops.divide(self.activity_regularizer(leaf), rows))
        return total

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"

    @property
    def losses(self) -> list[Any]:
        """The penalties on the weights that are trained."""
        found = []
        for weight in self.trainable_weights:
            if weight.regularizer is not None:
                with scope(weight.name):
                    found.append(weight.regularizer(weight))
        return found

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "trainable": self.trainable}


def note_built(build: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
    """A layer's `build` that notes that it ran: called by hand, it is not called again."""

    @functools.wraps(build)
    def noted(self: Layer, input_shape: Any) -> None:
        build(self, input_shape)
        self.built = True
        if input_shape is not None:
            self.sample_shape = map_shapes(lambda shape: tuple(shape[1:]), input_shape)

    return noted


# -- shapes -------------------------------------------------------------------------------------------------------


def is_shape(value: Any) -> bool:
    """Whether a tuple or list is a shape, not a nest of shapes."""
    return isinstance(value, tuple | list) and all(dim is None or isinstance(dim, int | OpenDim) for dim in value)


def map_shapes(function: Any, shapes: Any) -> Any:
    """A function on every shape of a nest."""
    if is_shape(shapes):
        return function(tuple(shapes))
    if isinstance(shapes, dict):
        return {key: map_shapes(function, value) for key, value in shapes.items()}
    return type(shapes)(map_shapes(function, value) for value in shapes)


def with_batch(shape: tuple[Any, ...]) -> tuple[Any, ...]:
    return (None, *shape)


def open_type(shape: tuple[Any, ...]) -> ArrayType:
    """A float32 array whose first dimension is open."""
    return ArrayType(as_dtype("float32"), (symbolic.BATCH, *(int(dim) for dim in shape[1:])))


def shape_of(kind: ArrayType) -> tuple[Any, ...]:
    """A type's shape with None where it is open."""
    return tuple(None if isinstance(dim, OpenDim) else dim for dim in kind.shape)


def describe_shapes(shapes: Any) -> str:
    """Shapes without the batch, for messages."""
    if is_shape(shapes):
        return f"(batch, {format_shape(tuple(shapes))[1:]}"
    return str(map_shapes(describe_shapes, shapes))


# -- calls --------------------------------------------------------------------------------------------------------


def as_data(leaf: Any) -> Any:
    """An input that has a shape; lists of numbers become arrays."""
    if isinstance(leaf, Node | Variable | np.ndarray):
        return leaf
    return np.asarray(leaf) if hasattr(leaf, "shape") else np.asarray(leaf, dtype=np.float32)


def given(**options: Any) -> dict[str, Any]:
    """The options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


@functools.cache
def accepted_arguments(call: Callable[..., Any]) -> frozenset[str]:
    """Which of `training` and `mask` a layer's `call` takes."""
    parameters = inspect.signature(call).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    return frozenset({"training", "mask"} & set(parameters)) if not open_ended else frozenset({"training", "mask"})


Part = TypeVar("Part")


def parts_of(owner: Any, kind: type[Part]) -> list[Part]:
    """What of a kind is kept in attributes, and in lists, tuples and dicts there."""
    found: list[Part] = []

    def look_into(values: Iterable[Any]) -> None:
        for value in values:
            if isinstance(value, kind):
                found.append(value)
            elif isinstance(value, (list, tuple)):
                look_into(value)
            elif isinstance(value, dict):
                look_into(value.values())

    look_into(vars(owner).values())
    return found
