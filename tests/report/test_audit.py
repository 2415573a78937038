import json
import re

import numpy as np

from genwindow.audit import audit
from genwindow.data import named_set
from genwindow.metrics.evidence import copied_images
from genwindow.report import render_audit, write_audit
from genwindow.report.audit import real_images_wanted

DIGITS = named_set("digits")


def test_roundtrip_all_files_are_written(audited, tmp_path):
    write_audit(audited, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "audit.html", "audit.json", "model-card.md", "pairs.csv"
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "audit.json").read_text()) == json.loads(json.dumps(audited.to_json()))
    lines = (tmp_path / "out" / "pairs.csv").read_text().splitlines()
    assert len(lines) == 101 and any("'=cmd()" in line for line in lines)


def test_file_names_stay_text(audited):
    page = render_audit(audited)
    assert "<script" not in page and "&lt;script&gt;alert" in page
    assert page.count("data:image/png") == 4 * 24
    assert not re.search(r'(?:src|href)="(?!data:)', page)


def test_redaction_leaves_no_image_and_no_name(audited, tmp_path):
    write_audit(audited, tmp_path, redact=True)
    for name in ("audit.html", "audit.json", "pairs.csv", "model-card.md"):
        text = (tmp_path / name).read_text()
        for private in ("data:image/png", "alert", "=cmd", "secret", "patient"):
            assert private not in text, (name, private)


def test_groups_and_classes_are_on_the_page_and_without_names_when_redacted(audited):
    page, redacted = render_audit(audited), render_audit(audited, redact=True)
    for text in (page, redacted):
        assert "Copied training images of each group" in text and "Clear copies among the samples of each class" in text
    assert "patient-0" in page and "10 more are in audit.json" in page
    tables = audited.to_json(redact=True)["by_group"]
    assert [row["name"] for row in tables["group"]] == [str(i) for i in range(1, 31)]
    assert sum(row["copies"] for row in tables["group"]) == sum(row["copies"] for row in tables["class"]) == 5
    rows = tables["class of samples"]
    assert sum(row["images"] for row in rows) == 100 and sum(row["copies"] for row in rows) == 5
    assert all(row["floor"]["value"] == 0 for row in rows if row["floor"] is not None)


def test_the_same_audit_gives_the_same_bytes(audited):
    assert render_audit(audited) == render_audit(audited)


def test_agrees_with_the_real_images_that_name_a_copy(audited):
    few = audit(audited.images.train, audited.images.generated, DIGITS.select(np.arange(300, 400)), spaces=("pixels",))
    assert few.verdict == "copies_found" and not few.copied_train
    wanted = real_images_wanted(few)
    scores, index = np.array([p.score for p in few.pairs]), np.array([p.train for p in few.pairs])
    least = few.real_scores.min()

    def named(count):
        """By `count` real images none of which lies as near as the copies; originals do not count at all."""
        return len(copied_images(np.where(scores < min(least, 1 / 3), scores, 1.0), index, np.ones(count), 0.05))

    assert wanted > 100 and named(wanted) > 0 == named(wanted - 1)
    page = render_audit(few)
    assert page.count(f"bout {wanted} held-out images") == 2 and "never below 1/101" in page


def test_where_images_are_named_no_more_are_asked_for(audited):
    assert audited.copied_train or real_images_wanted(audited) > 300
    assert "What the words mean" in render_audit(audited)


def test_without_held_out_images_the_first_sentence_says_what_was_left_out(audited):
    alone = audit(audited.images.train, audited.images.generated, spaces=("pixels",))
    assert "of 300 training images left out one at a time" in alone.words[0]
    assert "of 300 real images" in audited.words[0]
    assert "random-conv" not in render_audit(alone)
