"""Plots for papers, notebooks and reports, drawn by matplotlib, which the extra `plots` installs.

Every function takes `ax`, the Axes to draw on, and returns the Axes; functions that need several take `axes` and return
an array. Without them a new figure of pyplot is drawn on. `figure_to_svg` makes SVG of a figure for a page.

Reading order:

    style              colours, Axes, SVG
    svg                what a page needs of SVG
    curves             histories, functions, fits
    descent            the way down the loss
    predictions        what a classifier's predictions are worth, as numbers
    classification     confusions, calibration, mistakes, images
    regression         how near predicted numbers come
    network            networks as the textbook draws them
    neuron             one of its neurons
    activity           what a neuron looks for, one row on its way through the layers
    representations    what layers have made of the data
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chainrule import lazy

if TYPE_CHECKING:
    from chainrule.plots.activity import plot_activations, plot_filters
    from chainrule.plots.classification import plot_calibration, plot_confusion, plot_images, plot_mistakes
    from chainrule.plots.curves import plot_fit, plot_functions, plot_history, plot_plane
    from chainrule.plots.descent import plot_descent
    from chainrule.plots.network import plot_network
    from chainrule.plots.neuron import plot_neuron
    from chainrule.plots.predictions import calibration, confusion_matrix, find_mistakes
    from chainrule.plots.regression import plot_predictions, plot_residuals
    from chainrule.plots.representations import (
        plot_distillation,
        plot_gradient_flow,
        plot_histograms,
        plot_projections,
        plot_similarity,
    )
    from chainrule.plots.style import OFF_SCREEN, PALETTE, figure_to_svg, save_svg

_PLACES = {
    "chainrule.plots.activity": "plot_activations plot_filters",
    "chainrule.plots.classification": "plot_calibration plot_confusion plot_images plot_mistakes",
    "chainrule.plots.curves": "plot_fit plot_functions plot_history plot_plane",
    "chainrule.plots.descent": "plot_descent",
    "chainrule.plots.network": "plot_network",
    "chainrule.plots.neuron": "plot_neuron",
    "chainrule.plots.predictions": "calibration confusion_matrix find_mistakes",
    "chainrule.plots.regression": "plot_predictions plot_residuals",
    "chainrule.plots.representations": "plot_distillation plot_gradient_flow plot_histograms plot_projections "
    "plot_similarity",
    "chainrule.plots.style": "OFF_SCREEN PALETTE figure_to_svg save_svg",
}

__getattr__ = lazy.importer(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__


__all__ = [
    "OFF_SCREEN",
    "PALETTE",
    "calibration",
    "confusion_matrix",
    "figure_to_svg",
    "find_mistakes",
    "plot_activations",
    "plot_calibration",
    "plot_confusion",
    "plot_descent",
    "plot_distillation",
    "plot_filters",
    "plot_fit",
    "plot_functions",
    "plot_gradient_flow",
    "plot_histograms",
    "plot_history",
    "plot_images",
    "plot_mistakes",
    "plot_network",
    "plot_neuron",
    "plot_plane",
    "plot_predictions",
    "plot_projections",
    "plot_residuals",
    "plot_similarity",
    "save_svg",
]
