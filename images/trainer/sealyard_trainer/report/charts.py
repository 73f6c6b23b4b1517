"""Draws charts as SVG that stands in a page: text stays text and takes the page's colour.

The same values give the same bytes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from sealyard.pages.colours import COLOURS
from sealyard.pages.wording import label
from sealyard_trainer.dataset_measures import OCTAVES, SIZE_STEPS, STEPS_PER_OCTAVE
from sealyard_trainer.report.confusion import fold
from sealyard_trainer.report.model import Curves, DatasetPart, Evaluation
from sealyard_trainer.report.svg import to_inline

INK = "#0a0b0c"
"""Stands for the page's own text colour: `currentColor`, which matplotlib cannot say."""
WIDTH = 4.8
"""Of a chart, in inches; the page scales it, and a phone has room for no more."""
MOST_CLASSES = 20
"""In one chart."""
MOST_CURVES = 8
MOST_TICKS = 5
MOST_NUMBERED = 8
"""Classes up to which a confusion matrix has room for its numbers."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    # Dollars in the name of a class are no formula.
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": f"cycler('color', {list(COLOURS)})",
    "lines.linewidth": 1.6,
    "grid.alpha": 0.18,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
    "grid.color": INK,
}
# From nearly nothing to a colour rather than from white, so that it fits any background.
SHADES = LinearSegmentedColormap.from_list(
    "shades", [(0.23, 0.51, 0.96, 0.04), (0.23, 0.51, 0.96, 0.9)]
)


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture in SVG, and the same in words."""

    title: str
    description: str
    svg: str


def chart_classes(part: DatasetPart) -> Chart:
    """How many boxes each class has, by split; the most frequent ones where there are many."""
    totals = part.boxes_by_class
    order = sorted(range(len(totals)), key=lambda index: -totals[index])[:MOST_CLASSES]
    with _style("classes"):
        axes = _axes(height=1 + 0.24 * len(order))
        left = np.zeros(len(order))
        for split in part.splits:
            values = np.array([split.boxes_by_class[index] for index in order])
            axes.barh(range(len(order)), values, left=left, height=0.7, label=split.name)
            left += values
        _name_ticks(axes, "y", [part.names[index] for index in order])
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xlabel("boxes")
        axes.xaxis.set_major_locator(MaxNLocator(MOST_TICKS, integer=True))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.grid(visible=True, axis="x")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2)
        svg = _svg(axes, "classes")
    hidden = len(totals) - len(order)
    title = "Boxes of each class" + (f" (the {len(order)} most frequent)" if hidden else "")
    listed = ", ".join(f"{label(part.names[index])} {totals[index]:,}" for index in order[:5])
    return Chart(title, f"Boxes of each class: {listed}", svg)


def chart_sizes(part: DatasetPart) -> Chart:
    """Width and height of all boxes, in parts of the picture, on scales that double."""
    counts = np.array(part.sizes)
    edges = np.arange(SIZE_STEPS + 1)
    used = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    # From a whole octave on, below which there is nothing, and two octaves at least.
    lowest = min(int(used[0]) // STEPS_PER_OCTAVE, OCTAVES - 2) * STEPS_PER_OCTAVE
    with _style("sizes"):
        axes = _axes(height=3.1)
        # The square root, so that a few boxes can be seen beside many.
        mesh = axes.pcolormesh(
            edges, edges, np.ma.masked_equal(counts, 0), cmap=SHADES, norm=PowerNorm(0.5, vmin=0)
        )
        octaves = 1 if SIZE_STEPS - lowest <= MOST_TICKS * STEPS_PER_OCTAVE else 2
        ticks = list(range(SIZE_STEPS, lowest - 1, -octaves * STEPS_PER_OCTAVE))
        names = [_percent(2.0 ** (tick / STEPS_PER_OCTAVE - OCTAVES)) for tick in ticks]
        axes.set_xticks(ticks, names)
        axes.set_yticks(ticks, names)
        axes.set_xlim(lowest, SIZE_STEPS)
        axes.set_ylim(lowest, SIZE_STEPS)
        axes.set_xlabel("width, of the picture's")
        axes.set_ylabel("height")
        axes.grid(visible=True)
        axes.set_aspect("equal")
        bar = axes.figure.colorbar(mesh, ax=axes, ticks=MaxNLocator(MOST_TICKS, integer=True))
        bar.set_label("boxes")
        svg = _svg(axes, "sizes")
    height, width = np.unravel_index(int(counts.argmax()), counts.shape)
    common = [2.0 ** ((step + 0.5) / STEPS_PER_OCTAVE - OCTAVES) for step in (width, height)]
    return Chart(
        "Sizes of boxes",
        f"Sizes of boxes; most frequent is about {_percent(common[0])} of the picture's width by "
        f"{_percent(common[1])} of its height",
        svg,
    )


def chart_metrics(curves: Curves, resumes: Sequence[int]) -> Chart:
    """The validation figures after each epoch."""
    series = {
        name.removeprefix("metrics/").removesuffix("(B)"): values
        for name, values in curves.columns.items()
        if name.startswith("metrics/")
    }
    with _style("metrics"):
        axes = _axes()
        _plot(axes, curves.epochs, series, resumes)
        axes.set_ylim(0, 1.02)
        axes.legend(loc="lower right", ncols=2)
        svg = _svg(axes, "metrics")
    last = ", ".join(f"{name} {values[-1]:.3f}" for name, values in series.items())
    return Chart("Validation", f"Validation figures by epoch; at the end {last}", svg)


def chart_losses(curves: Curves, resumes: Sequence[int]) -> list[Chart]:
    """Each loss, on the training and on the validation set."""
    charts = []
    for name in curves.columns:
        kind, _, loss = name.partition("/")
        if kind != "train":
            continue
        series = {"train": curves.columns[name]}
        if (validation := f"val/{loss}") in curves.columns:
            series["val"] = curves.columns[validation]
        with _style(f"loss-{loss}"):
            axes = _axes(height=2.4)
            _plot(axes, curves.epochs, series, resumes)
            axes.set_ylim(bottom=0)
            axes.legend(loc="upper right")
            svg = _svg(axes, f"loss-{loss}")
        last = ", ".join(f"{split} {values[-1]:.3f}" for split, values in series.items())
        title = f"Loss: {loss.removesuffix('_loss')}"
        charts.append(Chart(title, f"{title}, by epoch; at the end {last}", svg))
    return charts


def chart_precision_recall(evaluation: Evaluation, names: Sequence[str]) -> Chart:
    """Precision over recall at IoU 0.5: the mean of all classes, and each where they are few."""
    mean = np.mean([each.curve for each in evaluation.classes], axis=0)
    ap50 = float(np.mean([each.ap50 for each in evaluation.classes]))
    with _style("precision-recall"):
        axes = _axes(height=3.4)
        if 1 < len(evaluation.classes) <= MOST_CURVES:
            for each in evaluation.classes:
                text = f"{label(names[each.class_index])} {each.ap50:.3f}"
                (line,) = axes.plot(evaluation.recalls, each.curve, linewidth=1)
                line.set_label(text)
        all_classes = f"all classes {ap50:.3f}"
        axes.plot(evaluation.recalls, mean, color=INK, linewidth=2.2, label=all_classes)
        axes.set_xlabel("recall")
        axes.set_ylabel("precision")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.02)
        axes.grid(visible=True)
        axes.legend(loc="lower left")
        svg = _svg(axes, "precision-recall")
    return Chart(
        "Precision and recall",
        f"Precision over recall at IoU 0.5; the mean average precision is {ap50:.3f}",
        svg,
    )


def chart_confusion(evaluation: Evaluation, names: Sequence[str]) -> Chart:
    """What boxes of each true class (a column) were taken for."""
    confusion = fold(evaluation.confusion, names, MOST_CLASSES)
    size = len(confusion.names)
    shares = np.array([[confusion.share(i, j) for j in range(size)] for i in range(size)])
    with _style("confusion"):
        axes = _axes(height=3.4)
        axes.pcolormesh(shares, cmap=SHADES, vmin=0, vmax=1, edgecolors=INK, linewidth=0.1)
        for i, j in np.ndindex(size, size) if size <= MOST_NUMBERED + 1 else ():
            if count := confusion.counts[i][j]:
                axes.text(j + 0.5, i + 0.5, f"{count:,}", ha="center", va="center", fontsize=8)
        _name_ticks(axes, "x", confusion.names, offset=0.5, rotation=40 if size > 3 else 0)
        _name_ticks(axes, "y", confusion.names, offset=0.5)
        axes.invert_yaxis()
        axes.set_xlabel("true")
        axes.set_ylabel("predicted")
        svg = _svg(axes, "confusion")
    right = sum(confusion.counts[index][index] for index in range(size))
    total = sum(map(sum, confusion.counts))
    return Chart(
        "Confusion (colour: share of the true class)",
        f"Confusion matrix: {right:,} of {total:,} boxes are on its diagonal",
        svg,
    )


@contextmanager
def _style(name: str) -> Iterator[None]:
    # What ids are made from; any fixed text will do, as long as each chart has its own.
    with rc_context({**STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The browser has the fonts for what this one font has no glyphs of.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _axes(*, height: float = 2.9) -> Axes:
    """Of a new figure of so many inches."""
    return Figure(figsize=(WIDTH, height), layout="constrained").add_subplot()


def _svg(axes: Axes, name: str) -> str:
    figure = axes.figure
    assert isinstance(figure, Figure)  # noqa: S101 - for the type checker; we made it so
    stream = io.StringIO()
    figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return to_inline(stream.getvalue(), prefix=name, ink=INK)


def _plot(
    axes: Axes,
    epochs: Sequence[int],
    series: Mapping[str, Sequence[float]],
    resumes: Sequence[int],
) -> None:
    marker = "o" if len(epochs) == 1 else ""
    for name, values in series.items():
        axes.plot(epochs, values, label=name, marker=marker)
    for number, epoch in enumerate(resumes):
        axes.axvline(
            epoch + 0.5, color=INK, linewidth=0.8, linestyle=":", label="" if number else "resumed"
        )
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.grid(visible=True)


def _name_ticks(
    axes: Axes,
    side: Literal["x", "y"],
    names: Sequence[str],
    *,
    offset: float = 0.0,
    rotation: float = 0.0,
) -> None:
    axis = axes.xaxis if side == "x" else axes.yaxis
    axis.set_ticks([index + offset for index in range(len(names))], [label(name) for name in names])
    if rotation:
        axes.tick_params(side, rotation=rotation)
        for text in axis.get_ticklabels():
            text.set(ha="right", rotation_mode="anchor")


def _percent(part: float) -> str:
    return PercentFormatter(1, decimals=0 if part >= 0.02 else 1).format_pct(part, 1)
