"""all-MiniLM-L6-v2 written as an ONNX graph from its published weights.

The model is BERT (Devlin et al. 2018, arXiv 1810.04805) with 6 layers of 12 heads, the mean over
the tokens, and unit length. The graph takes one text at a time, so it needs no padding and no mask.

In the int8 graph each column of a weight matrix and each token's activations have a scale of their
own, so that one extreme token blurs no other. The weights use seven of the eight bits: the int8
kernels of CPUs without VNNI add products in pairs of 16 bits, which eight would overflow: the same
text would have another vector there (cosine .996, with seven bits .9999).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

Precision = Literal["int8", "float32"]
Array = NDArray[np.generic]

_LAYERS, _HEADS, _DIMENSIONS = 6, 12, 384
_EPSILON = 1e-12
_FUSED = "com.microsoft"
"""The domain of onnxruntime's own operators."""


def write_graph(weights: Path, folder: Path, precision: Precision) -> None:
    """Write `graph.onnx`, and `weights.bin` beside it, into `folder`.

    Input `ids`: int32 [1, tokens]; outputs, all of length 1: `vector`, float32 [1, 384], for the
    text, and `tokens`, float32 [1, tokens, 384], for its tokens. The weights are a file of their
    own so that onnxruntime maps them into memory instead of copying them.
    """
    model = helper.make_model(
        _Writer(load_file(weights), precision).graph(),
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)],
        ir_version=9,
    )
    onnx.save(
        model,
        folder / "graph.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=1024,
    )


class _Writer:
    """A graph under construction. Its methods add nodes and return the name of their output."""

    def __init__(self, weights: dict[str, Array], precision: Precision) -> None:
        self._weights = weights
        self._linear = self._linear_int8 if precision == "int8" else self._linear_float32
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def graph(self) -> onnx.GraphProto:
        """The whole model."""
        x = self._embeddings()
        for layer in range(_LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}")
        tokens = self._node("LpNormalization", x, axis=-1, p=2)
        self._nodes.append(helper.make_node("Identity", [tokens], ["tokens"]))
        mean = self._node("ReduceMean", x, self._constant(np.array([1])), keepdims=0)
        unit = self._node("LpNormalization", mean, axis=-1, p=2)
        self._nodes.append(helper.make_node("Identity", [unit], ["vector"]))
        return helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info("ids", TensorProto.INT32, [1, "tokens"])],
            [
                helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, _DIMENSIONS]),
                helper.make_tensor_value_info(
                    "tokens", TensorProto.FLOAT, [1, "tokens", _DIMENSIONS]
                ),
            ],
            self._constants,
        )

    def _embeddings(self) -> str:
        words = self._constant(self._weights["embeddings.word_embeddings.weight"])
        # All tokens are of type 0, so its embedding is part of every position's.
        places = self._constant(
            self._weights["embeddings.position_embeddings.weight"]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        length = self._node("Shape", "ids", start=1, end=2)
        first = self._node("Slice", places, self._constant(np.array([0])), length)
        x = self._node("Add", self._node("Gather", words, "ids"), first)
        return self._layer_norm(x, "embeddings.LayerNorm")

    def _layer(self, x: str, name: str) -> str:
        x = self._residual(x, self._attention(x, name), f"{name}.attention.output")
        inner = self._linear(x, self._weights[f"{name}.intermediate.dense.weight"].T)
        bias = self._constant(self._weights[f"{name}.intermediate.dense.bias"])
        inner = self._node("BiasGelu", inner, bias, domain=_FUSED)
        outer = self._linear(inner, self._weights[f"{name}.output.dense.weight"].T)
        return self._residual(x, outer, f"{name}.output")

    def _attention(self, x: str, name: str) -> str:
        parts = [f"{name}.attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([self._weights[f"{part}.bias"] for part in parts])
        projected = self._linear(x, weight)
        split = [f"{projected}.{part}" for part in ("query", "key", "value")]
        self._nodes.append(helper.make_node("Split", [projected], split, axis=2, num_outputs=3))
        heads = self._node(
            "MultiHeadAttention", *split, self._constant(bias), domain=_FUSED, num_heads=_HEADS
        )
        return self._linear(heads, self._weights[f"{name}.attention.output.dense.weight"].T)

    def _residual(self, x: str, change: str, name: str) -> str:
        bias = self._constant(self._weights[f"{name}.dense.bias"])
        total = self._node("Add", self._node("Add", x, change), bias)
        return self._layer_norm(total, f"{name}.LayerNorm")

    def _layer_norm(self, x: str, name: str) -> str:
        # onnxruntime's fused SkipLayerNormalization is not vectorised: five times slower than this.
        scale = self._constant(self._weights[f"{name}.weight"])
        bias = self._constant(self._weights[f"{name}.bias"])
        return self._node("LayerNormalization", x, scale, bias, epsilon=_EPSILON)

    def _linear_float32(self, x: str, weight: Array) -> str:
        return self._node("MatMul", x, self._constant(weight))

    def _linear_int8(self, x: str, weight: Array) -> str:
        """x @ weight, [in, out]: both sides quantised symmetrically, the sums exact."""
        column_scales = (np.abs(weight).max(axis=0) / 63).astype(np.float32)
        quantised = np.rint(weight / column_scales).astype(np.int8)
        largest = self._node(
            "ReduceMax", self._node("Abs", x), self._constant(np.array([-1])), keepdims=1
        )
        token_scales = self._node("Div", largest, self._constant(np.float32(127)))
        scaled = self._node("Div", x, token_scales)
        one, centre = self._constant(np.float32(1)), self._constant(np.uint8(128))
        product = self._node(
            "MatMulIntegerToFloat",
            self._node("QuantizeLinear", scaled, one, centre),
            self._constant(quantised),
            one,
            self._constant(column_scales),
            centre,
            domain=_FUSED,
        )
        return self._node("Mul", product, token_scales)

    def _node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(
            helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        )
        return output

    def _constant(self, value: Array | np.generic) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name
