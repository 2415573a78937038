"""The page in a real Chromium, opened from disk."""

from __future__ import annotations

import os
import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from genwindow.report import write_page

pytestmark = pytest.mark.browser

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not (os.path.exists(CHROMIUM) and os.path.exists(DRIVER)):
        missing = f"{CHROMIUM} and {DRIVER} are needed"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    profile = tmp_path_factory.mktemp("profile")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    ):
        options.add_argument(flag)
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture(scope="module")
def place(tmp_path_factory, four, content):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_page(path, content(four))
    return path.as_uri()


@pytest.fixture
def page(browser, place):
    set_width(browser, 1280)
    browser.get(place)
    shown(browser, "1:17")
    return browser


def set_width(browser, width):
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def shown(browser, position):
    """Wait until the script has drawn the frame `run:frame`."""
    WebDriverWait(browser, 10).until(
        lambda b: b.execute_script("return document.documentElement.dataset.shown") == position
    )


def move(browser, position):
    """Move the slider the way a pointer does."""
    script = "const s = arguments[0]; s.value = arguments[1]; s.dispatchEvent(new Event('input'))"
    browser.execute_script(script, browser.find_element(By.ID, "slider"), position)


def pictures(browser):
    return browser.execute_script("return [...document.querySelectorAll('#cards canvas')].map((c) => c.toDataURL())")


def ratios(browser):
    return [float(r.text) for r in browser.find_elements(By.CSS_SELECTOR, "#cards .ratio")]


def marks(browser):
    return [m.is_displayed() for m in browser.find_elements(By.CSS_SELECTOR, "#cards .mark")]


def test_order_moving_the_slider_changes_pictures_ratios_and_marks(page, four):
    run = four[1]
    at_the_end = pictures(page)
    assert all(marks(page))
    move(page, 0)
    shown(page, "1:0")
    assert not any(marks(page))
    assert pictures(page) != at_the_end
    assert ratios(page) == pytest.approx(run.gallery.ratio[0, :12].tolist(), abs=0.006)
    assert page.find_element(By.ID, "now-step").text == "step 100"
    assert page.find_element(By.ID, "now-phase").text == "before the window"
    move(page, 13)
    shown(page, "1:13")
    assert ratios(page) == pytest.approx(run.gallery.ratio[13, :12].tolist(), abs=0.006)
    assert marks(page) == (run.gallery.ratio[13, :12] < 1 / 3).tolist()
    assert 0 < sum(marks(page)) < 12
    assert page.find_element(By.ID, "now-phase").text == "copying"


def test_agrees_with_the_pixels_of_the_run(page, four):
    move(page, 5)
    shown(page, "1:5")
    script = """return [...document.querySelectorAll('#cards canvas')].map(
        (c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data].filter((_, i) => i % 4 === 0))"""
    drawn, gallery = page.execute_script(script), four[1].gallery
    for k in range(12):
        assert drawn[2 * k] == gallery.generated[5, k].ravel().tolist()
        assert drawn[2 * k + 1] == gallery.nearest[5, k].ravel().tolist()


def test_order_the_keyboard_moves_the_slider(page):
    page.find_element(By.ID, "slider").send_keys(Keys.ARROW_LEFT)
    shown(page, "1:16")
    page.find_element(By.ID, "slider").send_keys(Keys.HOME)
    shown(page, "1:0")


def test_order_buttons_change_the_size_and_keep_the_time(page):
    move(page, 10)
    shown(page, "1:10")
    buttons = page.find_elements(By.CSS_SELECTOR, "button.size")
    buttons[3].click()
    shown(page, "3:10")
    assert [b.get_attribute("aria-pressed") for b in buttons] == ["false", "false", "false", "true"]
    assert page.find_element(By.ID, "now-phase").text == "in the window"
    buttons[0].click()
    shown(page, "0:10")
    assert page.find_element(By.ID, "now-phase").text == "copying"


def test_order_play_runs_to_the_end_from_the_start(page):
    move(page, 16)
    shown(page, "1:16")
    play = page.find_element(By.ID, "play")
    play.click()
    assert play.get_attribute("aria-label") == "Pause"
    shown(page, "1:17")
    WebDriverWait(page, 10).until(lambda _: play.get_attribute("aria-label") == "Play")
    play.click()
    shown(page, "1:0")
    shown(page, "1:1")
    play.click()


@pytest.mark.parametrize("width", [390, 768, 1280])
def test_limit_nothing_is_wider_than_the_screen(page, width):
    set_width(page, width)
    assert page.execute_script("return document.documentElement.scrollWidth") <= width
    script = """return [...document.querySelectorAll('main section, .card, .figure img, .controls')]
        .filter((e) => { const r = e.getBoundingClientRect(); return r.left < 0 || r.right > innerWidth; }).length"""
    assert page.execute_script(script) == 0


@pytest.mark.parametrize("width", [390, 1280])
def test_the_number_of_a_training_image_is_never_cut(page, width):
    set_width(page, width)
    script = """return [...document.querySelectorAll('#cards figcaption')].filter((c) => {
        c.querySelector('.near')?.replaceChildren('#123456'); return c.scrollWidth > c.clientWidth; }).length"""
    assert page.execute_script(script) == 0


def test_limit_opens_within_a_second_without_a_complaint(page, place):
    page.get_log("browser")
    page.get(place)
    shown(page, "1:17")
    script = "const t = performance.timing; return t.loadEventEnd - t.navigationStart"
    WebDriverWait(page, 10).until(lambda b: b.execute_script("return performance.timing.loadEventEnd") > 0)
    assert page.execute_script(script) < 1000
    assert page.get_log("browser") == []
    loaded = page.execute_script("return performance.getEntriesByType('resource').map((e) => e.name)")
    assert [name for name in loaded if not name.startswith("data:")] == []


def test_every_picture_is_drawn(page):
    script = "return [...document.querySelectorAll('main .figure img')].filter((i) => !i.naturalWidth).length"
    assert page.execute_script(script) == 0


def test_limit_without_scripts_the_last_time_is_shown(browser, place, four):
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(place)
        cards = browser.find_elements(By.CSS_SELECTOR, "#still .card")
        assert len(cards) == 4 * 12
        assert cards[0].is_displayed()
        assert not browser.find_element(By.ID, "live").is_displayed()
        copies = [c for c in cards if "is-copy" in c.get_attribute("class")]
        assert len(copies) == sum(int((run.gallery.ratio[-1, :12] < 1 / 3).sum()) for run in four)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
