"""Spectral normalization: a layer whose weights are divided by their largest singular value in training."""

from __future__ import annotations

from typing import Any

from chainrule import initializers, ops, registry
from chainrule.errors import ChainruleError
from chainrule.graph.variable import Variable
from chainrule.layers.layer import Layer

_SMALLEST_NORM = 1e-7


class SpectralNormalization(Layer):
    """Another layer, its kernel divided by its spectral norm before each call in training.

    With the kernel as a matrix W of one row for each input, one iteration is ``v = unit(u W^T)``, ``u = unit(v W)``;
    then ``sigma = v W u^T`` and the kernel becomes ``W / sigma``. u is kept, so that few iterations suffice.

    Args:
        layer: with a weight `kernel`, such as Dense, or `embeddings`.
        power_iterations: how many iterations a call makes.

    Shapes: those of the layer.

    Source: Miyato et al., "Spectral normalization for generative adversarial networks", 2018.
    """

    def __init__(
        self,
        layer: Layer,
        power_iterations: int = 1,
        name: str | None = None,
        trainable: bool = True,
        dtype: str | None = None,
    ):
        super().__init__(name, trainable, dtype=dtype)
        if not isinstance(layer, Layer):
            raise ChainruleError("not a layer", where="SpectralNormalization", expected="a Layer", got=repr(layer))
        if not isinstance(power_iterations, int) or isinstance(power_iterations, bool) or power_iterations < 1:
            raise ChainruleError(
                "power_iterations is not a number of iterations",
                where="SpectralNormalization",
                expected="1 or more",
                got=repr(power_iterations),
            )
        self.layer, self.power_iterations = layer, power_iterations

    @property
    def kernel(self) -> Variable:
        """The weight that is normalized."""
        for attribute in ("kernel", "embeddings"):
            found = getattr(self.layer, attribute, None)
            if isinstance(found, Variable):
                return found
        raise ChainruleError(
            "the layer has no weight to normalize",
            expected="a layer with a weight 'kernel' or 'embeddings'",
            got=type(self.layer).__name__,
        )

    def build(self, input_shape: Any) -> None:
        self.layer.ensure_built(tuple(input_shape[1:]))
        self.vector_u = self.add_weight(
            (1, self.kernel.shape[-1]), initializers.TruncatedNormal(stddev=0.02), trainable=False, name="vector_u"
        )

    def call(self, x: Any, training: bool = False) -> Any:
        if training:
            self.normalize_kernel()
        return self.layer(x, training=training)

    def normalize_kernel(self) -> None:
        """Divide the kernel by its spectral norm; one that is all zeros stays."""
        kernel = self.kernel
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        before = u = ops.multiply(self.vector_u, 1.0)
        for _ in range(self.power_iterations):
            v = unit(ops.matmul(u, ops.transpose(matrix)))
            u = unit(ops.matmul(v, matrix))
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        sigma = ops.reshape(ops.matmul(ops.matmul(v, matrix), ops.transpose(u)), ())
        empty = ops.equal(ops.max(ops.absolute(matrix)), 0.0)
        self.vector_u.assign(ops.where(empty, before, u))
        kernel.assign(ops.divide(kernel, ops.where(empty, 1.0, sigma)))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layer": registry.describe(self.layer),
            "power_iterations": self.power_iterations,
            "dtype": self.dtype_policy,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        from chainrule.layers import known_layers

        return super().from_config({**config, "layer": registry.resolve("layer", config.get("layer"), known_layers())})


def unit(x: Any) -> Any:
    """x with a Euclidean norm of 1."""
    total = ops.sum(ops.square(x))
    return ops.multiply(x, ops.minimum(ops.rsqrt(total), 1 / _SMALLEST_NORM))
