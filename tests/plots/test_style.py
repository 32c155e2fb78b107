"""Axes, colours and SVG: the user's settings stay, ink is the page's, data break out of nothing, ids are unique."""

import builtins
import itertools
import re
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from chainrule import plots
from chainrule.errors import ChainruleError
from chainrule.plots import style
from chainrule.plots.style import OFF_SCREEN, PALETTE, figure_to_svg, new_axes, new_grid, plain

EVIL = "<script>alert('1')</script> & \"q\" $x^2 \\frac$ \x00\x1b\ud800"
NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def busy_axes(text="a line"):
    axes = new_axes(OFF_SCREEN)
    axes.plot([0, 1], [1, 2], color=PALETTE[0], marker="o", label=plain(text))
    axes.imshow(np.eye(3), cmap=style.diverging_colours(), interpolation="none", extent=(0, 1, 0, 1))
    axes.bar([0], [1], hatch="//", color=PALETTE[1])
    axes.text(0.2, 0.2, plain(text), color=style.ink(), fontweight="bold")
    style.label_axes(axes, text, "x", "y", grid=True)
    style.add_legend(axes)
    axes.set_yscale("symlog")
    return axes


# -- colours, checked with formulas of their own ------------------------------------------------------------------


def linear(colour):
    values = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def contrast(first, second):
    """WCAG 2.2, relative luminance."""
    low, high = sorted(np.asarray([linear(first), linear(second)]) @ [0.2126, 0.7152, 0.0722])
    return (high + 0.05) / (low + 0.05)


def oklab(rgb):
    """Ottosson 2020."""
    to_cones = [[0.41222, 0.53633, 0.05145], [0.21190, 0.68070, 0.10740], [0.08830, 0.28172, 0.62998]]
    to_lab = [[0.21045, 0.79362, -0.00407], [1.97800, -2.42859, 0.45059], [0.02590, 0.78277, -0.80868]]
    return np.array(to_lab) @ np.cbrt(np.array(to_cones) @ np.clip(rgb, 0, 1))


SIGHT = {  # Machado, Oliveira, Fernandes 2009, full severity; and how far two colours lie apart at least
    "normal": (np.eye(3), 0.08),
    "protanopia": ([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]], 0.08),
    "deuteranopia": ([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]], 0.08),
    "tritanopia": ([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]], 0.05),
}


@pytest.mark.parametrize("ground", ["#ffffff", "#111111"])
def test_colours_are_seen_on_light_and_on_dark(ground):
    assert min(contrast(colour, ground) for colour in PALETTE) >= 3
    assert contrast("#f0e442", "#ffffff") < 3  # Okabe and Ito's yellow would not be


@pytest.mark.parametrize("sight", SIGHT)
def test_colours_differ_for_every_sight(sight):
    matrix, least = SIGHT[sight]
    seen = [oklab(np.array(matrix) @ linear(colour)) for colour in PALETTE]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) >= least


def test_red_and_green_would_not_do():
    matrix, least = SIGHT["deuteranopia"]
    red, green = (oklab(np.array(matrix) @ linear(colour)) for colour in ("#b04040", "#6f7030"))
    assert np.linalg.norm(red - green) < least


def test_colour_and_marker_together_are_unique():
    pairs = {(style.colour_of(place), style.marker_of(place)) for place in range(64)}
    assert len(pairs) == 64


@pytest.mark.parametrize("colour", [style.POSITIVE, style.NEGATIVE])
@pytest.mark.parametrize("ground,text", [(1.0, "#000000"), (0.067, "#ffffff")])
def test_text_is_legible_on_the_strongest_cell(colour, ground, text):
    mixed = style.STRONGEST * np.array(matplotlib.colors.to_rgb(colour)) + (1 - style.STRONGEST) * ground
    assert contrast(matplotlib.colors.to_hex(mixed), text) >= 4.5


def test_colormaps_let_the_ground_through_where_there_is_nothing():
    assert style.sequential_colours()(0.0)[3] == 0 and style.sequential_colours()(1.0)[3] == style.STRONGEST
    diverging = style.diverging_colours()
    assert diverging(0.5)[3] < 0.01
    assert matplotlib.colors.to_hex(diverging(0.0)) == style.NEGATIVE
    assert matplotlib.colors.to_hex(diverging(1.0)) == style.POSITIVE


# -- axes ---------------------------------------------------------------------------------------------------------


def test_given_axes_are_drawn_on_and_returned():
    _, axes = pyplot.subplots()
    assert new_axes(axes) is axes
    figure = Figure()
    grid = figure.subplots(2, 2)
    assert list(new_grid(4, grid)) == list(grid.ravel())


def test_a_new_figure_is_pyplots_and_one_off_screen_is_not():
    before = pyplot.get_fignums()
    off = new_axes(OFF_SCREEN, size=(3, 2))
    assert pyplot.get_fignums() == before and tuple(off.figure.get_size_inches()) == (3, 2)
    shown = new_axes()
    assert pyplot.fignum_exists(shown.figure.number)


def test_settings_of_matplotlib_stay():
    before = dict(matplotlib.rcParams)
    figure_to_svg(busy_axes(), "all of it")
    new_axes(OFF_SCREEN, projection="3d")
    assert dict(matplotlib.rcParams) == before


def test_other_things_are_refused():
    figure = Figure()
    with pytest.raises(ChainruleError, match="2 Axes"):
        new_grid(2, figure.subplots())
    with pytest.raises(ChainruleError, match="expected: one Axes"):
        new_axes("somewhere")
    with pytest.raises(ChainruleError, match="3d"):
        new_axes(figure.subplots(), projection="3d")
    for wrong in ("text", 3, [], None):
        with pytest.raises(ChainruleError, match="no figure"):
            figure_to_svg(wrong, "title")


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    whole = builtins.__import__

    def refuse(name, *rest):
        if name.split(".")[0] == "matplotlib":
            raise ImportError(name)
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for ask in (style.require_matplotlib, lambda: new_axes(OFF_SCREEN), lambda: figure_to_svg(None, "")):
        with pytest.raises(ChainruleError, match=r"pip install 'chainrule\[plots\]'"):
            ask()


def test_every_name_of_the_package_is_found():
    for name in plots.__all__:
        assert getattr(plots, name) is not None
    with pytest.raises(AttributeError):
        plots.plot_nothing


# -- text ---------------------------------------------------------------------------------------------------------


def test_text_from_data_is_no_formula_and_one_line():
    axes = new_axes(OFF_SCREEN)
    axes.text(0, 0, plain(EVIL))
    words = "".join(ElementTree.fromstring(figure_to_svg(axes, "t")).itertext())
    assert "<script>alert('1')</script> & \"q\" $x^2 \\frac$" in words
    assert plain("a\nb\t c") == "a b c"
    assert plain("x" * 300) == "x" * 199 + "…"


# -- SVG ----------------------------------------------------------------------------------------------------------


def test_svg_is_a_part_of_a_page():
    text = figure_to_svg(busy_axes(EVIL), EVIL, "what is to be seen < here")
    root = ElementTree.fromstring(text)
    assert text.startswith("<svg ") and root.tag == f"{{{NAMESPACE}}}svg"
    assert root.get("role") == "img" and len(root.get("viewBox").split()) == 4
    assert "max-width: 100%" in root.get("style")
    title, description = root[0], root[1]
    assert title.tag.endswith("title") and title.text.startswith("<script>alert('1')</script> & \"q\" $x^2")
    assert description.tag.endswith("desc") and description.text == "what is to be seen < here"
    assert root.get("aria-labelledby") == f"{title.get('id')} {description.get('id')}"
    for part in ("<script", "<style", "<metadata", "<!DOCTYPE", "<?xml", "\x00"):
        assert part not in text
    assert re.findall(r"\w+://", text) == ["http://"] and text.count(NAMESPACE) == 1


def test_svg_has_the_pages_ink():
    text = figure_to_svg(busy_axes(), "ink")
    colours = set(re.findall(r"#[0-9a-f]{6}\b|#[0-9a-f]{3}\b", re.sub(r'"data:[^"]*"', "", text)))
    assert colours == set(PALETTE[:2])
    assert not re.search(r"(fill|stroke): (black|white|rgb)", text)
    assert 'fill="currentColor"' in text and "stroke: currentColor" in text


def test_a_style_of_the_users_with_light_ink_gives_the_pages_ink_too():
    with matplotlib.rc_context():
        matplotlib.style.use("dark_background")
        text = figure_to_svg(busy_axes(), "dark")
    assert not re.search(r": #(ffffff|000000)", text)


def test_ids_are_the_figures_own():
    several = [figure_to_svg(busy_axes(text), "one") for text in ("a", "b")] + [figure_to_svg(busy_axes("a"), "other")]
    every = []
    for text in several:
        ids = re.findall(r'\bid="([^"]+)"', text)
        used = set(re.findall(r'href="#([^"]+)"', text)) | set(re.findall(r"url\(#([^)]+)\)", text))
        assert used and used <= set(ids) and len(ids) == len(set(ids))
        every += ids
    assert len(every) == len(set(every))


def test_the_same_figure_gives_the_same_bytes():
    assert figure_to_svg(busy_axes(), "t") == figure_to_svg(busy_axes(), "t")
    axes = busy_axes()
    assert figure_to_svg(axes, "t") == figure_to_svg(axes.figure, "t") == figure_to_svg(np.array([axes]), "t")


def test_many_points_become_an_image_and_few_cells_stay_few():
    axes = new_axes(OFF_SCREEN)
    rng = np.random.default_rng(0)
    style.scatter(axes, *rng.normal(size=(2, 50_000)), color=PALETTE[0])
    text = figure_to_svg(axes, "points")
    assert "<image" in text and len(text) < 200_000
    few = new_axes(OFF_SCREEN)
    style.scatter(few, *rng.normal(size=(2, 30)), color=PALETTE[0])
    assert figure_to_svg(few, "points").count("<use") >= 30
    heat = new_axes(OFF_SCREEN, size=(8, 8))
    style.draw_image(heat, rng.random((10, 10)), cmap=style.sequential_colours())
    assert len(figure_to_svg(heat, "heat")) < 3000
