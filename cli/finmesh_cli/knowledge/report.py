"""The report page of an evaluation: one HTML file without scripts or anything from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from finmesh_cli.knowledge.metrics import NAMES

_TITLES = {"ndcg10": "nDCG@10", "r5": "R@5", "r20": "R@20", "mrr10": "MRR@10"}
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "td,th{padding:.3em .8em;border-bottom:1px solid #ccc;text-align:right}td:first-child,th:first-child{text-align:left}"
    "small{color:#666;display:block}"
)


def page(name: str, said: Mapping[str, Any]) -> str:
    """Return the page of a data set's figures."""
    rows = [*((f"{leg} leg", figures) for leg, figures in said["legs"].items())]
    rows += [(key.replace("_", " "), said[key]) for key in ("fused_unscoped", "fused", "fused_given_scope") if said.get(key)]
    head = "".join(f"<th>{_TITLES[each]}</th>" for each in NAMES)
    body = "".join(f"<tr><td>{html.escape(title)}</td>{_cells(figures)}</tr>" for title, figures in rows)
    gains = "".join(
        f"<tr><td>{key.replace('_', ' ')} over {html.escape(said[key]['gain']['over'])}</td>{_gain(said[key]['gain'])}</tr>"
        for key in ("fused_unscoped", "fused", "fused_given_scope")
        if said.get(key)
    )
    rest = "".join(
        f"<tr><td>{html.escape(key)}</td><td>{html.escape(str(value))}</td></tr>" for key, value in said.items() if not _is_ranking(value)
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(name)}</title><style>{_STYLE}</style>'
        f"<h1>{html.escape(name)}</h1><table><tr><th>ranking</th>{head}</tr>{body}</table>"
        f"<h2>Gain over the best leg, paired</h2><table><tr><th>ranking</th>{head}</tr>{gains}</table>"
        f"<h2>Run</h2><table>{rest}</table></html>\n"
    )


def _is_ranking(value: object) -> bool:
    return isinstance(value, dict) and ("lexical" in value or "ndcg10" in value)


def _cells(figures: Mapping[str, Any]) -> str:
    return "".join(
        f"<td>{figures[each]:.4f}<small>{figures['ci95'][each][0]:.4f} to {figures['ci95'][each][1]:.4f}</small></td>" for each in NAMES
    )


def _gain(gain: Mapping[str, Any]) -> str:
    return "".join(f"<td>{gain[each][0]:+.4f}<small>{gain[each][1]:+.4f} to {gain[each][2]:+.4f}</small></td>" for each in NAMES)
