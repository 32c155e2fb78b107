"""Predicted numbers beside the truth: what is drawn is what was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.plots import plot_predictions, plot_residuals
from chainrule.plots.style import OFF_SCREEN

RNG = np.random.default_rng(0)


def test_points_lie_where_truth_and_prediction_say() -> None:
    truth = RNG.standard_normal((50, 2))
    answers = truth + 0.1
    axes = plot_predictions(truth, answers, ["width", "cost in $"], ax=OFF_SCREEN)
    for place, points in enumerate(axes.collections):
        np.testing.assert_allclose(points.get_offsets(), np.stack([truth[:, place], answers[:, place]], axis=1))
    (line,) = axes.lines
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["width", r"cost in \$", "equal"]


def test_of_very_many_rows_some_are_drawn_the_first_and_last_among_them() -> None:
    truth = np.arange(10_000.0)
    (points,) = plot_predictions(truth, truth, ax=OFF_SCREEN).collections
    drawn = points.get_offsets()[:, 0]
    assert len(drawn) == 3000 and drawn[0] == 0 and drawn[-1] == 9999


def test_residuals_are_counted_on_both_sides_of_zero() -> None:
    truth = RNG.standard_normal(300)
    residuals = RNG.normal(0.5, 1.0, 300)
    axes = plot_residuals(truth, truth + residuals, bins=20, ax=OFF_SCREEN)
    values, edges, _ = axes.patches[0].get_data()
    assert values.sum() == 300 and edges[0] == -edges[-1]
    below = np.histogram(residuals, edges)[0][:10].sum()
    assert values[:10].sum() == below < 150


def test_no_error_at_all_is_drawn() -> None:
    values, _, _ = plot_residuals([1.0, 2.0], [1.0, 2.0], ax=OFF_SCREEN).patches[0].get_data()
    assert values.sum() == 2


@pytest.mark.parametrize(
    ("true", "predicted", "names"),
    [([1.0], [1.0, 2.0], None), ([], [], None), ([1.0], [np.nan], None), ([1.0], [1.0], ["a", "b"])],
)
@pytest.mark.parametrize("plot", [plot_predictions, plot_residuals])
def test_what_does_not_fit_is_refused(plot: Any, true: Any, predicted: Any, names: Any) -> None:
    with pytest.raises(DataError):
        plot(true, predicted, names, ax=OFF_SCREEN)
