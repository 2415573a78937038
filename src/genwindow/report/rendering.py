"""Templates to pages: texts escaped, the paper's symbols set, style and script inside and named by their hashes."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape


def render(template: str, *, more_style: str = "", with_script: bool = False, **content: Any) -> str:
    """A page as HTML text; the same content gives the same bytes.

    Args:
        template: name of its file.
        more_style: appended to the style sheet that all pages share.
        with_script: whether the page has the script that moves the gallery.
        content: what the template wants; each is escaped unless it is markup already.
    """
    templates = Environment(
        loader=PackageLoader("genwindow.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["symbols"] = symbols
    style = _text("page.css") + more_style
    content |= {"style": Markup(style), "style_hash": page_hash(style)}
    if with_script:
        script = _text("page.js")
        content |= {"script": Markup(script), "script_hash": page_hash(script)}
    return templates.get_template(template).render(content)


def _text(name: str) -> str:
    return (files("genwindow.report") / "templates" / name).read_text(encoding="utf-8")


def symbols(text: str) -> Markup:
    """Escape `text` and set the paper's symbols: tau_gen, tau_mem, f_mem, tau, psi_n, psi_p, d1, d2, powers of n.

    Shares are written in one style: `96.50%` as `96.5 %`.
    """
    safe = str(escape(text))
    safe = re.sub(r"\b(\d+(?:\.\d+)?)%", lambda share: f"{float(share[1]):g}\N{NO-BREAK SPACE}%", safe)
    safe = re.sub(r"\btau_(gen|mem|rise|linear)\b", r"<i>τ</i><sub>\1</sub>", safe)
    safe = re.sub(r"\bpsi_([np])\b", r"<i>ψ</i><sub>\1</sub>", safe)
    safe = re.sub(r"\bf_mem\b", r"<i>f</i><sub>mem</sub>", safe)
    safe = re.sub(r"\bd([12])\b", r"<i>d</i><sub>\1</sub>", safe)
    safe = re.sub(r"\btau\b", r"<i>τ</i>", safe)
    safe = re.sub(r"\bn\^(-?\d+(?:\.\d+)?)", r"<i>n</i><sup>\1</sup>", safe)
    return Markup(safe)


def page_hash(text: str) -> str:
    """The hash by which a content security policy names a style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
