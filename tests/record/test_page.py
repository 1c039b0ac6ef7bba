"""The page of a run in a real browser: it opens without complaints, and its controls do what they say."""

import math
import warnings

import pytest
from browser import opened

import flambeau as torch
from flambeau import record

NASTY = "</script><img src=x onerror=document.title='pwned'>\"'`"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages of a few runs, by name."""
    folder = tmp_path_factory.mktemp("runs")

    def run(name, **options):
        return torch.Run(folder / name, **options)

    with run("full", config={"lr": 0.1, "名称": NASTY}, notes=NASTY) as full, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = torch.nn.Linear(4, 3)
        full.watch(model)
        full.add_model(model)
        scores = torch.softmax(model(torch.randn(8, 4)), 1)
        torch.nn.functional.cross_entropy(scores, torch.randint(0, 3, (8,))).backward()
        for step in range(200):
            loss = math.nan if step == 50 else math.inf if step == 60 else math.exp(-step / 50)
            full.log({"train/loss": loss, "epoch": step // 20}, step=step)
            if step % 20 == 19:
                full.log({"val/loss": loss + 0.1, NASTY: step, "损失/训练": -step}, step=step)
                full.add_image("weights", model.weight.detach(), step=step)
        full.add_table(NASTY, [{NASTY: NASTY, "n": 1.5}, {NASTY: "猫", "n": math.nan}])
        full.add_text("../x", NASTY)
        full.add_checkpoint(folder / "best.pt", note=NASTY)
    with run("empty") as empty:
        pass
    with run("point") as point:
        point.log(loss=1.0)
        point.log(constant=3.0, only_nan=math.nan)
        point.log({"__proto__": 1.0, "constructor": 2.0, "toString/a": 3.0, "toString/b": 4.0})
    with run("many") as many:
        for step in range(3000):
            many.log({f"layer {i % 10}/metric {i}": math.sin(step / (i + 1)) for i in range(50)}, step=step)
    with pytest.raises(ZeroDivisionError), run("failed") as failed:
        failed.log(loss=1.0)
        1 / 0
    both = record.compare(full.folder, point.folder, failed.folder)
    runs = {"full": full, "empty": empty, "point": point, "many": many, "failed": failed}
    return {**{name: made.page for name, made in runs.items()}, "compare": both}


@pytest.fixture(scope="module")
def browser(pages):
    """One browser for all tests: (its page, what it complained about)."""
    with opened(pages["empty"]) as both:
        yield both


@pytest.fixture
def show(browser, pages):
    """A function that opens a page as if for the first time; at the end nothing may have complained."""
    page, complaints = browser

    def open_page(name, width=1200, dark=False):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.goto(pages.get(name, name).as_uri())
        page.evaluate("localStorage.clear(); sessionStorage.clear()")
        page.reload()
        page.locator(".plot > svg:not([height])").first.wait_for(state="detached")  # all charts are drawn
        return page

    yield open_page
    found = complaints[:]
    complaints.clear()
    assert found == []


def test_pages_open_and_fit(show, pages):
    requests = []
    for name in pages:
        for width in (1200, 400):
            page = show(name, width, dark=width == 400)
            if not requests:
                page.on("request", lambda request: requests.append(request.url))
            assert page.locator("h1").inner_text(), name
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.title() != "pwned" and page.locator("img[src=x]").count() == 0
    assert requests and [u for u in requests if not u.startswith(("file:", "data:"))] == []


def test_pages_without_pictures_are_small(pages):
    assert pages["many"].stat().st_size < 1_000_000


def test_names_are_shown_as_they_are(show):
    page = show("full")
    text = page.locator("body").inner_text()
    assert text.count(NASTY) >= 6 and "损失/训练" in text and "../x" in text


def test_names_that_objects_of_javascript_have(show):
    text = show("point").locator("body").inner_text()
    assert "__proto__" in text and "constructor" in text and "toString" in text


def test_headings_have_no_gaps(show):
    for name in ("full", "many", "compare"):
        levels = show(name).evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => Number(h.tagName[1]))")
        assert levels[0] == 1 and all(b - a <= 1 for a, b in zip(levels, levels[1:])), name


def test_folders_of_any_name(show, tmp_path):
    with torch.Run(tmp_path / "<img src=x onerror=1> '\"& 损失") as run:
        run.log({"../x": 1.0})
    page = show(run.page)
    assert page.locator("h1").inner_text() == run.folder.name and page.locator("img").count() == 0
    assert page.title() == f"{run.folder.name} · flambeau"
    page = show(record.compare(run.folder, run.folder))
    assert run.folder.name in page.locator("#runs").inner_text() and page.locator("img").count() == 0


def test_languages_can_be_chosen(browser, pages):
    page = browser[0].context.browser.new_page(locale="zh-CN")
    page.goto(pages["full"].as_uri())
    assert page.get_attribute("html", "lang") == "zh-Hans" and page.locator("#metrics-name").inner_text() == "指标"
    page.select_option("#language", "zh-Hant")
    assert page.get_attribute("html", "lang") == "zh-Hant" and page.locator("#metrics-name").inner_text() == "指標"
    assert page.evaluate("document.activeElement.id") == "language"
    assert "softmax" in page.locator(".finding h3").inner_text()
    page.reload()  # it is remembered
    assert page.locator("#metrics-name").inner_text() == "指標"
    page.select_option("#language", "en")
    assert page.locator("#metrics-name").inner_text() == "Metrics"
    page.close()


def test_every_text_is_translated():
    import json
    import re

    from flambeau.record.page import ASSETS, SCRIPTS

    texts = json.loads((ASSETS / "texts.json").read_text(encoding="utf-8"))
    script = "".join((ASSETS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    used = set(re.findall(r'(?<![\w.])t\("((?:[^"\\]|\\.)*)"', script))
    assert used - set(texts) == set() and len(used) > 80
    for english, translations in texts.items():
        places = sorted(re.findall(r"\{\w+\}", english))
        assert all(sorted(re.findall(r"\{\w+\}", t)) == places for t in translations), english


def test_light_and_dark(show):
    background = "getComputedStyle(document.body).backgroundColor"
    page = show("full")
    light = page.evaluate(background)
    page.click("#theme")
    assert page.evaluate(background) != light
    page.reload()
    assert page.evaluate(background) != light
    page.click("#theme")
    assert page.evaluate(background) == light
    page = show("full", dark=True)
    assert page.evaluate(background) != light


def chart(page, title):
    return page.locator(".chart").filter(has=page.locator(".name", has_text=title)).first


def test_lines_can_be_hidden(show):
    page = show("full")
    loss = chart(page, "loss")
    assert loss.locator("path.line").count() == 2
    loss.get_by_role("button", name="val/loss").click()
    assert loss.locator("path.line").count() == 1
    page.reload()  # what is hidden stays hidden when the page of a running training is loaded again
    chart(page, "loss").locator("path.line").wait_for(state="attached")
    assert chart(page, "loss").locator("path.line").count() == 1


def test_scales_smoothing_and_axes(show):
    page = show("full")
    loss = chart(page, "loss")
    seen = set()

    def changed():
        drawn = loss.locator(".plot svg").first.inner_html()
        new = drawn not in seen
        seen.add(drawn)
        return new

    page.click("#log")
    assert changed() and page.get_attribute("#log", "aria-pressed") == "true"
    page.click("#x-epoch")
    assert changed() and loss.locator(".plot text").all_text_contents()[-1] == "8"
    page.click("#x-time")
    assert changed() and "s" in loss.locator(".plot text").all_text_contents()[-1]
    page.fill("#smoothing", "0.9")
    assert changed() and chart(page, "loss").locator("path.raw").count() == 2


def test_marks_of_what_is_not_finite(show):
    page = show("full")
    loss = chart(page, "loss")
    assert loss.locator("path.mark").count() == 2 and "2 values are not finite" in loss.inner_text()
    page.click("#log")
    assert "10 points at or below zero" in chart(page, "损失").inner_text()
    page = show("point")
    assert chart(page, "only_nan").locator("path.mark").count() == 1
    assert chart(page, "constant").locator("circle").count() == 1


def test_zoom_with_the_mouse(show):
    page = show("full")
    loss = chart(page, "loss")
    loss.scroll_into_view_if_needed()
    box = loss.locator(".plot").bounding_box()
    before = loss.locator("path.line").first.get_attribute("d")
    reset = loss.get_by_role("button", name="Show all steps again")
    assert not reset.is_visible()
    page.mouse.move(box["x"] + 150, box["y"] + 80)
    tip = loss.locator(".tip")
    assert tip.inner_text().startswith("step") and tip.bounding_box()["height"] < 120
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 90)
    assert loss.locator(".select").count() == 1
    page.mouse.up()
    assert loss.locator("path.line").first.get_attribute("d") != before
    reset.click()
    assert loss.locator("path.line").first.get_attribute("d") == before and not reset.is_visible()


def test_everything_works_from_the_keyboard(show):
    page = show("full")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    loss = chart(page, "loss")
    plot = loss.locator(".plot")
    for _ in range(30):
        page.keyboard.press("Tab")
        if plot.evaluate("e => e === document.activeElement"):
            break
    assert plot.evaluate("e => e === document.activeElement && getComputedStyle(e).outlineStyle") == "solid"
    before = loss.locator("path.line").first.get_attribute("d")
    page.keyboard.press("ArrowRight")
    assert loss.locator("[aria-live]").inner_text().startswith("step 0: train/loss 1")
    page.keyboard.press("End")
    assert "step 199" in loss.locator("[aria-live]").inner_text()
    page.keyboard.press("+")
    zoomed = loss.locator("path.line").first.get_attribute("d")
    assert zoomed != before
    page.keyboard.press("0")
    assert loss.locator("path.line").first.get_attribute("d") == before
    page.keyboard.press("l")
    assert loss.locator("path.line").first.get_attribute("d") != before
    assert "last values: train/loss" in plot.get_attribute("aria-label")


def test_everything_that_acts_has_a_name(show):
    page = show("full")
    nameless = page.evaluate(
        """[...document.querySelectorAll("button, input, select, a, [tabindex='0']:not(pre)")].filter((e) =>
        !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML)"""
    )
    assert nameless == []
    assert page.locator("img:not([alt])").count() == 0


def test_numbers_as_a_table_and_as_csv(show):
    page = show("full")
    loss = chart(page, "loss")
    loss.get_by_role("button", name="The numbers as a table").click()
    cells = loss.locator("tbody tr").all_inner_texts()
    assert cells[0].split("\t")[0] == "train/loss" and any("∞" in row for row in cells) or len(cells) > 40
    with page.expect_download() as download:
        loss.get_by_role("button", name="Save the points as CSV").click()
    lines = open(download.value.path(), encoding="utf-8-sig").read().splitlines()
    assert lines[0] == "metric,step,epoch,seconds,value" and len(lines) == 1 + 200 + 10
    assert lines[1].startswith('"train/loss",0,0,') and lines[51].endswith(",NaN")


def test_pictures_of_several_steps(show):
    page = show("full")
    figure = page.locator(".picture")
    last = figure.locator("img").get_attribute("src")
    assert last.startswith("data:image/png;base64,") and "step 199" in figure.inner_text()
    figure.locator("input").press("Home")
    assert figure.locator("img").get_attribute("src").startswith("data:") and "step 19" in figure.inner_text()


def test_an_empty_run_says_so(show):
    page = show("empty")
    assert "No numbers have been logged yet" in page.locator("#metrics").inner_text()


def test_a_failed_run_shows_why(show):
    page = show("failed")
    alert = page.locator(".alert")
    assert "ZeroDivisionError" in alert.inner_text()
    alert.locator("summary").click()
    assert "1 / 0" in alert.inner_text()


def test_many_metrics_can_be_searched(show):
    page = show("many")
    assert page.locator(".chart").count() == 50 and page.locator("#metrics h3").count() == 10
    page.fill("#find", "metric 49")
    assert page.locator(".chart").count() == 1
    page.fill("#find", "nothing such")
    assert "No metric has such a name" in page.locator("#metrics").inner_text()


def test_a_running_page_can_load_itself_again(show, tmp_path):
    with torch.Run(tmp_path / "run", interval=0.001) as run:
        run.log(loss=1.0)
        run.flush()
        page = show(run.page)
        assert "running" in page.locator(".state").inner_text()
        run.log(loss=2.0)
        run.flush()
        with page.expect_navigation():
            page.check("#live")
        assert page.is_checked("#live") and page.evaluate("DATA.runs[0].metrics[0].count") == 2
        page.uncheck("#live")


def test_runs_side_by_side(show):
    page = show("compare")
    assert page.locator("h1").inner_text() == "3 runs compared"
    loss = chart(page, "loss")
    names = loss.locator(".legend button").all_inner_texts()
    assert names == ["full · train/loss", "full · val/loss", "point", "failed"] or "point · loss" in names
    config = page.locator("#config .differs").all_inner_texts()
    assert any(row.split("\t")[:2] == ["lr", "0.1"] for row in config)
    page.select_option("#language", "zh-Hans")
    assert "次运行的对比" in page.locator("h1").inner_text()


def test_one_part_that_cannot_be_shown_leaves_the_others(show, browser, tmp_path):
    with torch.Run(tmp_path / "run") as run:
        run.log(loss=1.0)
        run.record.state["profile"] = {"total": 1.0}  # as some other version may have written it
    page = show(run.page)
    assert "cannot be shown" in page.locator("#profile").inner_text()
    assert page.locator(".chart").count() == 1 and page.locator("#code").count() == 1
    complaints = browser[1]
    assert len(complaints) == 2  # it was loaded twice
    complaints.clear()
