"""Confusions, calibration, mistakes, images as they are drawn: numbers, colours, titles, and names that are escaped."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

from chainrule.errors import ChainruleError, DataError
from chainrule.plots import figure_to_svg, plot_calibration, plot_confusion, plot_images, plot_mistakes
from chainrule.plots.classification import as_pictures
from chainrule.plots.style import NEGATIVE, OFF_SCREEN, POSITIVE, STRONGEST

EVIL = "<script>alert(1)</script>"


def one_axes():
    return Figure().subplots()


def words(axes):
    """The texts of the SVG, which is well-formed."""
    return [text for text in ElementTree.fromstring(figure_to_svg(axes, "t")).itertext() if text.strip()]


# -- confusions ---------------------------------------------------------------------------------------------------


def test_cells_have_counts_and_a_colour_by_the_share_of_the_row():
    axes = one_axes()
    assert plot_confusion([0] * 4 + [1] * 5, [0, 0, 0, 1] + [1] * 5, ax=axes) is axes
    assert [text.get_text() for text in axes.texts] == ["3", "1", "0", "5"]
    cells = axes.images[0].get_array()
    assert to_hex(cells[0, 0]) == POSITIVE and to_hex(cells[0, 1]) == NEGATIVE
    np.testing.assert_allclose(cells[..., 3], STRONGEST * np.sqrt([[0.75, 0.25], [0, 1]]))
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true", "predicted")
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first class stands above


def test_shares_of_a_row_and_a_row_without_samples():
    axes = plot_confusion([0, 0, 2], [0, 1, 2], ["a", "b", "c"], normalize=True, ax=OFF_SCREEN)
    assert [text.get_text() for text in axes.texts] == [
        "0.50",
        "0.50",
        "0.00",
        "0.00",
        "0.00",
        "0.00",
        "0.00",
        "0.00",
        "1.00",
    ]


def test_names_of_classes_are_text_and_nothing_else():
    axes = plot_confusion([0, 1], [1, 1], [EVIL, "cost in $ or $"], ax=OFF_SCREEN)
    text = figure_to_svg(axes, EVIL)
    assert "<script" not in text and text.count("&lt;script&gt;") == 3  # both axes and the title
    assert words(axes).count("cost in $ or $") == 2
    assert axes.get_xticklabels()[0].get_rotation() == 45


def test_very_many_classes_have_no_numbers_and_few_names():
    labels = np.arange(100)
    axes = plot_confusion(labels, labels, ax=OFF_SCREEN)
    assert not axes.texts and len(axes.get_xticks()) <= 40
    assert len(figure_to_svg(axes, "many")) < 30_000


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="expected: 0 to 1"):
        plot_confusion([0, 1, 2], [0, 1, 2], ["a", "b"], ax=OFF_SCREEN)


# -- calibration --------------------------------------------------------------------------------------------------


def test_bars_end_at_the_accuracy_and_say_which_way_they_differ():
    axes = one_axes()
    shares = [[0.75, 0.25], [0.75, 0.25], [0.45, 0.55], [0.45, 0.55]]
    assert plot_calibration([0, 1, 1, 1], shares, ax=axes) is axes
    bars = {
        container.get_label(): [(bar.get_x(), bar.get_y(), bar.get_height()) for bar in container]
        for container in axes.containers
    }
    assert np.array(bars["right"]) == pytest.approx(np.array([(0.5, 0, 0.55), (0.7, 0, 0.5)]))
    assert np.array(bars["too certain"]) == pytest.approx(np.array([(0.7, 0.5, 0.25)]))
    assert np.array(bars["too uncertain"]) == pytest.approx(np.array([(0.5, 0.55, 0.45)]))
    assert axes.get_xlabel() == "confidence (expected calibration error 0.350)"
    levels = sorted(float(path[0][1]) for path in axes.collections[0].get_segments())
    assert levels == [0.5, 1.0]


def test_calibration_without_a_gap_has_no_colour_for_it():
    axes = plot_calibration([0, 1], [0.0, 1.0], ax=OFF_SCREEN)
    assert [container.get_label() for container in axes.containers] == ["right"]
    figure_to_svg(axes, "calibrated")


# -- images -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given,expected",
    [
        (np.array([[[0, 255]]], dtype=np.uint8), [[[0, 1]]]),
        (np.array([[[0.0, 0.5]]]), [[[0, 0.5]]]),
        (np.array([[[-1.0, 3.0]]]), [[[0, 1]]]),
        (np.array([[[True, False]]]), [[[1, 0]]]),
        (np.array([[[[0], [255]]]]), [[[0, 1]]]),
        (np.array([[[-7, -7]]]), [[[0, 0]]]),
        (np.array([[[np.nan, 1.0]]]), [[[0, 1]]]),
    ],
)
def test_pixels_are_brought_between_0_and_1(given, expected):
    np.testing.assert_allclose(as_pictures(given), expected)


def test_images_stand_in_rows_with_titles():
    images = np.arange(7 * 4).reshape(7, 2, 2)
    grid = plot_images(images, titles=[EVIL, *"abcdef"], columns=3, axes=OFF_SCREEN)
    assert grid.shape == (7,) and grid[0].get_subplotspec().get_gridspec().get_geometry() == (3, 3)
    np.testing.assert_allclose(grid[1].images[0].get_array(), images[1] / 255)
    text = figure_to_svg(grid, "images")
    assert text.count("<image") == 7 and "&lt;script&gt;" in text and len(text) < 12_000
    colour = plot_images(np.zeros((2, 4, 4, 3)), axes=Figure().subplots(1, 2))
    assert colour[1].images[0].get_array().shape == (4, 4, 3)


@pytest.mark.parametrize(
    "draw,says",
    [
        (lambda: plot_images(np.zeros((3, 784)), axes=OFF_SCREEN), "reshape"),
        (lambda: plot_images(np.zeros((3, 4, 4, 2)), axes=OFF_SCREEN), "no images"),
        (lambda: plot_images(np.zeros((0, 4, 4)), axes=OFF_SCREEN), "no images"),
        (lambda: plot_images(np.zeros((3, 4, 4)), ["a"], axes=OFF_SCREEN), "titles do not fit"),
        (lambda: plot_images(np.zeros((3, 4, 4)), columns=0, axes=OFF_SCREEN), "columns is not a count"),
        (lambda: plot_images(np.zeros((3, 4, 4)), axes=one_axes()), "3 Axes"),
        (lambda: plot_mistakes(np.zeros((3, 4)), [0, 1], [0.1, 0.9], axes=OFF_SCREEN), "differ in rows"),
        (lambda: plot_mistakes(np.zeros((2, 4)), [0, 1], [0.1, 7], axes=OFF_SCREEN), "sigmoid"),
    ],
)
def test_other_arrays_are_refused(draw, says):
    with pytest.raises(ChainruleError, match=says):
        draw()


# -- mistakes -----------------------------------------------------------------------------------------------------

TRUE, SHARES = [0, 1, 1, 0], [0.2, 0.4, 0.02, 0.9]
"""Row 0 is right; of the others row 2 is the most certain."""


def test_mistakes_as_images():
    images = np.arange(4 * 9).reshape(4, 3, 3)
    grid = plot_mistakes(images, TRUE, SHARES, class_names=["cat", EVIL], axes=OFF_SCREEN)
    assert [one.get_title() for one in grid] == [
        f"{EVIL[:23]}… → cat (0.98)",
        "cat → " + EVIL[:23] + "… (0.90)",
        f"{EVIL[:23]}… → cat (0.60)",
    ]
    np.testing.assert_allclose(grid[0].images[0].get_array(), images[2] / 255)
    assert "<script" not in figure_to_svg(grid, "mistakes")


def test_axes_without_a_mistake_stay_empty():
    given = Figure().subplots(1, 5)
    grid = plot_mistakes(np.zeros((4, 3, 3)), TRUE, SHARES, axes=given)
    assert list(grid) == list(given) and [bool(one.images) for one in grid] == [True] * 3 + [False] * 2


def test_mistakes_as_a_table():
    axes = one_axes()
    rows = np.array([[1.0, 2], [3, 4], [5.25, 6], [7, 8]])
    (drawn,) = plot_mistakes(rows, TRUE, SHARES, count=2, axes=axes)
    assert drawn is axes
    cells = {place: cell.get_text().get_text() for place, cell in axes.tables[0].get_celld().items()}
    assert [cells[0, column] for column in range(4)] == ["row", "true → taken for", "x[0]", "x[1]"]
    assert [cells[1, column] for column in range(4)] == ["2", "1 → 0 (0.98)", "5.25", "6"]
    assert max(row for row, _ in cells) == 2
    text = figure_to_svg(axes, "table")
    assert not re.search(r": #(000000|ffffff)", text)


def test_no_mistakes_are_told():
    (axes,) = plot_mistakes(np.zeros((2, 3, 3)), [0, 1], [0.1, 0.9], axes=OFF_SCREEN)
    assert words(axes) == ["t", "no mistakes"]


def test_text_stays_legible_from_the_weakest_to_the_strongest_cell():
    axes = plot_confusion([0, 1], [0, 1], ax=OFF_SCREEN)
    assert {to_rgba(text.get_color()) for text in axes.texts} == {(0, 0, 0, 1)}  # ink, the page's colour in SVG
