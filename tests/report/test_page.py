from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from genwindow import Estimate, GenwindowError
from genwindow.report import PageContent, render_page, write_page
from genwindow.report.labels import source_name
from genwindow.report.rendering import symbols

NASTY = '</script><script>alert("x")</script><img src=x onerror=alert(1)>'


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text inside script and style."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.inside, self.open = [], [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open = tag
        if tag in ("script", "style"):
            self.inside.append([tag, dict(attrs), ""])

    def handle_data(self, data):
        if self.open in ("script", "style"):
            self.inside[-1][2] += data

    def handle_endtag(self, tag):
        self.open = None

    def gallery(self):
        return json.loads(next(text for _, attrs, text in self.inside if attrs.get("id") == "gallery-data"))


def test_page_loads_nothing(mixed, content):
    page = render_page(content(mixed))
    for tag, attributes in Reader(page).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes.items():
            if name in ("src", "href", "srcset", "data", "action", "poster"):
                assert value.startswith("data:"), (tag, name, value[:80])
            assert not name.startswith("on")
            assert name != "style", "an inline style needs a looser policy"
    style = next(text for tag, _, text in Reader(page).inside if tag == "style")
    assert "url(" not in style
    assert "@import" not in style


def test_agrees_with_the_hashes_of_its_own_policy(four, content):
    reader = Reader(render_page(content(four)))
    policy = next(a["content"] for tag, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag, attributes, text in reader.inside:
        if attributes.get("type") != "application/json":
            digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
            assert f"{tag}-src 'sha256-{digest}'" in policy


def test_roundtrip_nasty_names_stay_text(build, content):
    run = build(64, source=NASTY, folder="again" + NASTY.replace("/", ""), status="failed", message=NASTY)
    page = render_page(content((build(64), run), title=NASTY))
    reader = Reader(page)
    assert [tag for tag, _ in reader.tags].count("script") == 2
    assert not any("onerror" in attributes for _, attributes in reader.tags)
    assert source_name(NASTY) in reader.gallery()["runs"][1]["label"]


def test_roundtrip_gallery_data_is_json_with_one_entry_for_each_run(mixed, content):
    data = Reader(render_page(content(mixed))).gallery()
    assert [g["n"] for g in data["runs"]] == [32, 64, 128, 256, 512, 700]
    assert data["runs"][data["first"]]["state"] == "open"


def test_roundtrip_the_same_content_gives_the_same_bytes(four, content):
    assert render_page(content(four)) == render_page(content(four))


def test_page_says_what_was_found_and_what_not(four, content):
    page = re.sub(r"<[^>]+>", "", render_page(content(four)))
    assert "The window is closed: copying sets in at 1.26k" in page
    assert "no proof of privacy" in page
    assert "DDIM with 50 steps" in page


def test_page_shows_further_paragraphs_and_provenance(four, content):
    page = dataclasses.replace(content(four), paragraphs=("A word on <b>tau_gen</b>.",), provenance={"torch": "2.13.0"})
    text = render_page(page)
    assert "A word on &lt;b&gt;<i>τ</i><sub>gen</sub>&lt;/b&gt;." in text
    assert '<th scope="row">torch</th><td>2.13.0</td>' in text


def test_limit_one_run_has_no_scaling_figures(four, content):
    page = render_page(content(four[1:2]))
    assert "How the times grow" not in page
    assert "Watch copying set in" in page
    assert "How the times grow" in render_page(content(four))


def test_limit_a_page_without_any_measurement(mixed, content):
    page = render_page(PageContent("Nothing yet", mixed[-1:]))
    assert "Nothing has been measured yet." in page
    assert "<img" not in page
    assert Reader(page).gallery() == {"first": 0, "runs": []}


def test_limit_the_page_stays_small(mixed, content):
    assert len(render_page(content(mixed)).encode()) < 1_500_000


def test_every_picture_is_described(mixed, content):
    pictures = [a for tag, a in Reader(render_page(content(mixed))).tags if tag == "img"]
    assert pictures
    assert all(a.get("alt", "").strip() for a in pictures)


def test_symbols_escape_first_and_set_the_letters():
    assert symbols("tau_mem < n^1.12 & d1/d2") == (
        "<i>τ</i><sub>mem</sub> &lt; <i>n</i><sup>1.12</sup> &amp; <i>d</i><sub>1</sub>/<i>d</i><sub>2</sub>"
    )
    assert symbols("restau_gen f_memory") == "restau_gen f_memory"
    assert symbols("96.50%, 2%, 0.05 %") == "96.5\N{NO-BREAK SPACE}%, 2\N{NO-BREAK SPACE}%, 0.05 %"


def test_roundtrip_write_page_leaves_only_the_page(tmp_path, four, content):
    page = content(four[:1])
    write_page(tmp_path / "report.html", page)
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render_page(page)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_rejects_an_unwritable_place_in_one_line(tmp_path, four, content):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(GenwindowError, match="report.html") as error:
        write_page(tmp_path / "report.html", content(four[:1]))
    assert "\n" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_rejects_a_page_without_runs():
    with pytest.raises(GenwindowError, match="at least one run, got none"):
        PageContent("Empty", ())


def test_rejects_runs_out_of_order(four):
    with pytest.raises(GenwindowError, match=r"ordered by n, got n = \[64, 32\]"):
        PageContent("Backwards", (four[1], four[0]))


def test_runs_that_sample_nothing_are_shown_by_their_losses_only(four):
    def without(run):
        measure = dataclasses.replace(run.config.measure, samples=0)
        kept = tuple(c for c in run.curves if c.name in ("train_loss", "heldout_loss"))
        return dataclasses.replace(
            run, config=dataclasses.replace(run.config, measure=measure), curves=kept, estimates={}, gallery=None,
            ratio_curve={},
        )  # fmt: skip

    page = render_page(PageContent("Losses", tuple(without(run) for run in four), answer="Losses."))
    assert "Held-out and training loss" in page and "not known" in page
    for absent in ("open windows", "Quality and copying along training", "from 0 samples", "nothing measured yet"):
        assert absent not in page


def test_windows_that_are_not_known_to_be_open_are_no_good_news(four, mixed, content):
    assert 'class="tile window"' in render_page(content(four))
    for runs in (mixed[:1] * 2, (mixed[-1], mixed[-1])):  # closed; nothing measured
        page = render_page(PageContent("t", runs))
        assert "0 of 2" in page and 'class="tile window"' not in page


def test_samples_nearer_than_real_images_are_explained_where_they_occur(four, content):
    explained = "Samples can lie below the dashed line"
    assert explained not in render_page(content(four))
    high = Estimate(50.0, 40.0, 60.0, "found", "split")
    run = dataclasses.replace(four[0], estimates={**four[0].estimates, "frechet_floor": high})
    assert explained in render_page(content((run,)))
