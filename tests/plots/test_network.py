"""Networks as circles and lines, or boxes: counts, signs, sizes, what repeats, and models that branch."""

from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

import chainrule as cr
from chainrule.errors import ChainruleError
from chainrule.plots import figure_to_svg, plot_network
from chainrule.plots.network import Part, collapse_boxes, columns_of, find_repeats
from chainrule.plots.style import NEGATIVE, OFF_SCREEN, POSITIVE
from chainrule.utils import drawing
from chainrule.utils.drawing import Box

Dense = cr.layers.Dense


def one_axes():
    return Figure(figsize=(6, 4)).subplots()


def words(axes):
    return [line for text in axes.texts for line in text.get_text().split("\n")]


def of_kind(axes, kind):
    return [patch for patch in axes.patches if type(patch) is kind]


def lines_by_colour(axes):
    """Ends and width of each line."""
    found = {}
    for lines in axes.collections:
        assert isinstance(lines, LineCollection)
        (colour,) = {to_hex(colour) for colour in lines.get_colors()}
        for segment, width in zip(lines.get_segments(), lines.get_linewidths(), strict=True):
            found.setdefault(colour, []).append((tuple(map(tuple, segment)), width))
    return found


# -- circles ------------------------------------------------------------------------------------------------------


def test_neurons_are_circles_and_weights_lines_with_sign_and_size():
    model = cr.Sequential([cr.Input((2,)), Dense(3, "tanh", name="hidden"), Dense(1, name="last")])
    kernels = [np.array([[1.0, -0.5, 0.0], [0.25, 2.0, -2.0]]), np.array([[3.0], [-3.0], [1.5]])]
    model.set_weights([kernels[0], np.zeros(3), kernels[1], np.zeros(1)])
    axes = one_axes()
    assert plot_network(model, ax=axes) is axes
    assert len(of_kind(axes, Circle)) == 2 + 3 + 1
    centres = [tuple(circle.center) for circle in of_kind(axes, Circle)]
    columns = [[y for x, y in centres if x == place] for place in sorted({x for x, _ in centres})]
    assert [len(column) for column in columns] == [2, 3, 1]

    found = lines_by_colour(axes)
    assert set(found) == {POSITIVE, NEGATIVE}
    assert (len(found[POSITIVE]), len(found[NEGATIVE])) == (3 + 2, 2 + 1)  # a weight of zero has no line
    places = sorted({x for x, _ in centres})
    for number, kernel in enumerate(kernels):
        for (row, column), weight in np.ndenumerate(kernel):
            if not weight:
                continue
            ((width, colour),) = [
                (width, colour)
                for colour, lines in found.items()
                for ((x0, y0), (x1, y1)), width in lines
                if places[number] < x0 < x1 < places[number + 1]
                and (y0, y1) == pytest.approx((columns[number][row], columns[number + 1][column]), abs=1e-3)
            ]
            assert colour == (POSITIVE if weight > 0 else NEGATIVE)
            assert width == pytest.approx(0.4 + 2.2 * abs(weight) / np.abs(kernel).max())
    assert words(axes) == ["inputs", "2", "hidden", "3", "tanh", "last", "1"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["positive weight", "negative weight"]


def test_wide_layers_are_cut_and_layers_without_neurons_stand_below():
    model = cr.Sequential(
        [cr.Input((28, 28)), cr.layers.Flatten(), Dense(50, "relu"), cr.layers.Dropout(0.1), Dense(10, "softmax")]
    )
    axes = plot_network(model, most=6, ax=OFF_SCREEN)
    assert len(of_kind(axes, Circle)) == 18
    assert len([line for line in axes.lines if line.get_marker() == "o"]) == 9  # three dots a column
    assert words(axes) == ["inputs", "28 × 28", "Flatten", "dense", "50", "relu", "Dropout", "dense_1", "10", "softmax"]
    assert axes.get_legend() is None  # lines tell what is connected, not how


def test_what_repeats_is_found():
    assert find_repeats("aaaa") == [Part(0, 1, 4)]
    assert find_repeats("aab") == [Part(0, 1, 1), Part(1, 1, 1), Part(2, 1, 1)]
    assert find_repeats("xababab") == [Part(0, 1, 1), Part(1, 2, 3)]
    assert find_repeats("abcabcabcabd") == [Part(0, 3, 3), *(Part(place, 1, 1) for place in (9, 10, 11))]
    assert find_repeats("aaabaabaab") == [Part(0, 1, 1), Part(1, 3, 3)]  # not a × 3 first, which leaves more
    assert find_repeats("") == []
    assert find_repeats("a" * 5000) == [Part(0, 1, 5000)]


def test_a_hundred_layers_stay_legible():
    model = cr.Sequential([cr.Input((8,)), *(Dense(8, "relu") for _ in range(99)), Dense(3, "softmax")])
    axes = plot_network(model, ax=OFF_SCREEN)
    assert len(of_kind(axes, Circle)) == 8 + 8 + 3 and "× 99" in words(axes)
    pairs = [layer for _ in range(40) for layer in (Dense(4, "relu"), Dense(6), cr.layers.BatchNormalization())]
    axes = plot_network(cr.Sequential([cr.Input((6,)), *pairs]), ax=OFF_SCREEN)
    assert len(of_kind(axes, Circle)) == 6 + 4 + 6 and "× 40" in words(axes)
    assert len(figure_to_svg(axes, "deep")) < 60_000


def test_a_chain_made_of_symbolic_arrays_has_circles_too():
    x = cr.Input((2,))
    model = cr.Model(x, Dense(1)(Dense(3)(x)))
    assert [column.units for column in columns_of(model)] == [2, 3, 1]


def test_weights_that_are_not_finite_are_drawn_all_the_same():
    model = cr.Sequential([cr.Input((2,)), Dense(2)])
    model.set_weights([np.array([[np.nan, np.inf], [1.0, -1.0]]), np.zeros(2)])
    figure_to_svg(plot_network(model, ax=OFF_SCREEN), "broken")


def test_names_are_text():
    model = cr.Sequential([cr.Input((2,)), Dense(1, name="<b>$x$")])
    text = figure_to_svg(plot_network(model, ax=OFF_SCREEN), "network")
    assert "&lt;b&gt;$x$" in "".join(text.split()) and ElementTree.fromstring(text) is not None


# -- boxes --------------------------------------------------------------------------------------------------------


def branching():
    left, right = cr.Input((4,), name="left"), cr.Input((2,), name="right")
    joined = cr.layers.Concatenate(name="<joined>")([Dense(3, name="near")(left), right])
    return cr.Model([left, right], [Dense(1, name="price")(joined), Dense(2, name="kind")(joined)])


@pytest.mark.parametrize(
    "make",
    [
        branching,
        lambda: cr.Sequential(
            [cr.Input((5,), dtype="int32"), cr.layers.Embedding(9, 4), cr.layers.Flatten(), Dense(2)]
        ),
        lambda: cr.Sequential([cr.Input((3, 4)), Dense(2)]),
        lambda: cr.Sequential([cr.Input((3,)), cr.Sequential([cr.Input((3,)), Dense(2)])]),
    ],
    ids=["branches", "embedding", "rows of rows", "a model within"],
)
def test_other_models_are_boxes(make):
    model = make()
    assert columns_of(model) is None
    axes = plot_network(model, ax=OFF_SCREEN)
    boxes = drawing.boxes_of(model, True, False, True)
    assert len(of_kind(axes, FancyBboxPatch)) == 2 * len(boxes)  # ground and outline
    assert len(of_kind(axes, FancyArrowPatch)) == sum(len(box.parents) for box in boxes)
    assert set(words(axes)) == {line for box in boxes for line in box.lines}
    figure_to_svg(axes, "boxes")


def test_boxes_become_smaller_on_small_axes():
    large = plot_network(branching(), ax=OFF_SCREEN)
    small = Figure(figsize=(2, 1.5)).subplots()
    assert plot_network(branching(), ax=small) is small
    assert small.texts[0].get_fontsize() < 0.5 * large.texts[0].get_fontsize()


def test_blocks_that_repeat_are_drawn_once():
    x = cr.Input((8,))
    h = Dense(8)(x)
    for _ in range(20):
        h = cr.layers.Add()([h, Dense(8)(Dense(8, "relu")(h))])
    model = cr.Model(x, Dense(2)(h))
    axes = plot_network(model, ax=OFF_SCREEN)
    assert "× 20" in words(axes) and len(of_kind(axes, FancyBboxPatch)) == 2 * 6
    assert len(of_kind(axes, FancyArrowPatch)) == 1 + 1 + 1 + 2 + 1


def test_arrows_to_what_is_left_out_lead_to_what_stands_for_it():
    start = Box(["in: Input"])
    boxes = [start]
    for number in range(4):
        boxes.append(Box([f"a{number}: A"], [boxes[-1]]))
        boxes.append(Box([f"b{number}: B"], [boxes[-1]]))
    boxes.append(Box(["end: C"], [boxes[-1], boxes[3]]))
    kept, parts = collapse_boxes(boxes)
    assert [box.lines[0] for box in kept] == ["in: Input", "a0: A", "b0: B", "end: C"] and parts == [Part(1, 2, 4)]
    assert [kept.index(parent) for parent in kept[3].parents] == [2, 1]


def test_a_model_without_weights_is_refused():
    with pytest.raises(ChainruleError, match="no weights yet"):
        plot_network(cr.Sequential([Dense(2)]), ax=OFF_SCREEN)
