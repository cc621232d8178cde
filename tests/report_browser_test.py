#!/usr/bin/env python3
"""Reports open in a real browser: nothing on the console, nothing fetched, as wide as a telephone, usable by keyboard.

Usage: report_browser_test.py TOP KSHOT [SCREENSHOTS]    exits with 77 where there is no Chromium
"""

import json
import pathlib
import sys
import tempfile

from headless_chromium import Chromium, find_program
from outside_program import Failed, make_tiny_run, require, run

TOP, KSHOT = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
PHONE, DESKTOP = (390, 844), (1280, 900)

LUMINANCES = """
(() => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const probe = document.body.appendChild(document.createElement('span'));
  const of = name => { probe.style.color = `var(--${name})`; return luminance(getComputedStyle(probe).color); };
  const names = ['paper', 'text', 'quiet', 'accent', 'wrong', 's0', 's1', 's2', 's3', 's4', 's5'];
  const found = Object.fromEntries(names.map(name => [name, of(name)]));
  probe.remove();
  return found;
})()
"""


def contrast(a, b):
    return (max(a, b) + 0.05) / (min(a, b) + 0.05)


def check_colours(browser, mode):
    """WCAG: 4.5:1 for text, 3:1 for what is drawn."""
    found = browser.evaluate(LUMINANCES)
    for name, luminance in found.items():
        least = 4.5 if name in ("text", "quiet", "accent", "wrong") else 3
        ratio = contrast(luminance, found["paper"])
        require(name == "paper" or ratio >= least, f"{mode}: contrast of --{name} is {ratio:.2f}, expected {least}")


def check_width(browser, width):
    require(browser.evaluate("document.documentElement.scrollWidth") <= width, f"the page is wider than {width} pixels")
    # Children of what scrolls by itself may be wider.
    wide = browser.evaluate("""[...document.querySelectorAll('body *')].filter(e => !e.closest('.wide, pre'))
      .filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))""")
    require(not wide, f"elements stick out at {width} pixels: {wide[:3]}")


def check_keyboard(browser):
    """Tab visits every link, summary and scrolling region in order, visibly; Enter unfolds."""
    reachable = browser.evaluate("""(() => { document.activeElement.blur(); scrollTo(0, 0);
      return [...document.querySelectorAll('a[href], summary, [tabindex="0"]')]
        .filter(e => e.checkVisibility()).length; })()""")
    require(reachable > 5, f"only {reachable} elements can be reached by Tab")
    seen = 0
    for _ in range(reachable):
        browser.press("Tab")
        seen += browser.evaluate("""(() => { const e = document.activeElement, s = getComputedStyle(e);
          return e !== document.body && s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; })()""")
    require(seen == reachable, f"{seen} of {reachable} elements showed that they have the focus")
    browser.evaluate("[...document.querySelectorAll('details:not([open]) > summary')].find(e => e.checkVisibility()).focus()")
    browser.press("Enter", text="\r")
    require(browser.evaluate("document.activeElement.parentElement.open"), "Enter does not unfold a summary")


def check_names(browser):
    """What is drawn has a name for who cannot see it, pictures too; ids are unique; headings skip no level."""
    nameless = browser.evaluate("""[...document.querySelectorAll('svg[role=img]')]
      .filter(e => !e.querySelector(':scope > title')?.textContent).length
      + [...document.querySelectorAll('img')].filter(e => !e.alt).length""")
    require(nameless == 0, f"{nameless} drawings have no name")
    require(browser.evaluate("""new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size
      === document.querySelectorAll('[id]').length"""), "an id stands twice")
    levels = browser.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(e => +e.tagName[1])")
    require(levels[0] == 1 and all(b <= a + 1 for a, b in zip(levels, levels[1:])), f"headings of levels {levels}")
    broken = browser.evaluate("[...document.images].filter(e => !e.complete || e.naturalWidth === 0).length")
    require(broken == 0, f"{broken} pictures cannot be shown")


def check_page(browser, page, screenshots):
    browser.log.clear()
    browser.requests.clear()
    for name, (width, height), dark in [("light", DESKTOP, False), ("dark", DESKTOP, True), ("phone", PHONE, False),
                                        ("phone-dark", PHONE, True)]:
        browser.open(page, width, height, dark)
        check_colours(browser, name)
        check_width(browser, width)
        check_names(browser)
        if screenshots:
            browser.screenshot(screenshots / f"{page.stem}-{name}.png")
        browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
        check_width(browser, width)
    browser.open(page, *DESKTOP)
    check_keyboard(browser)
    require(not browser.log, f"{page.name}: the console says {browser.log[:3]}")
    fetched = [url for url in browser.requests if not url.startswith("data:") and url != page.as_uri()]
    require(not fetched, f"{page.name} asks for {fetched[:3]}")


def leave_unfinished(run_folder):
    """As a running training looks: no result, and half a line at the end of its log."""
    (run_folder / "result.json").unlink()
    metrics = run_folder / "metrics.jsonl"
    metrics.write_text(metrics.read_text()[:-20])


def make_pages(folder):
    """Reports of a training with pictures, of a sweep with an unfinished run, and of regressions."""
    def tiny(name, **changes):
        return make_tiny_run(KSHOT, folder, name, **changes)

    def page(name, *words):
        run([KSHOT, "report", *words, "--out", folder / name], cwd=folder)
        return (folder / name).resolve()

    single = tiny("single", train={"iterations": 60, "meta_batch": 2, "validate_every": 20}, log={"every": 2})
    optimizers = [{"name": "adam", "lr": rate} for rate in (0.001, 0.01, 0.1)]
    for optimizer in optimizers:
        for seed in (1, 2):
            tiny("sweep", optimizer=optimizer, seed=seed)
    tiny("sweep", seed=9)
    leave_unfinished(next(run for run in (folder / "results/sweep").iterdir()
                          if json.loads((run / "spec.json").read_text())["seed"] == 9))
    regressions = [
        tiny(name, dataset={"name": "sinusoid"}, backbone={"name": "mlp"}, algorithm={"name": "maml", "inner_lr": rate},
             episodes={split: {"way": 1, "shot": 5, "query": 8} | more for split, more in
                       {"train": {}, "validation": {"count": 10}, "test": {"count": 30}}.items()})
        for name, rate in (("sinus-fast", 0.01), ("sinus-slow", 0.001))]
    return [page("single.html", single), page("sweep.html", "sweep"), page("regressions.html", *regressions),
            page("without.html", single, "--no-images")]


def test(folder, screenshots):
    program = find_program()
    if program is None:
        print("SKIPPED: there is no Chromium here (Debian: apt-get install chromium)")
        sys.exit(77)
    pages = make_pages(folder)
    with Chromium(program, folder / "profile") as browser:
        for page in pages:
            check_page(browser, page, screenshots)
            print(f"{page.name}: as it must be", flush=True)
        for page in map(pathlib.Path, sys.argv[4:]):
            check_page(browser, page.resolve(), screenshots)


def main():
    screenshots = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="kshot-report-", ignore_cleanup_errors=True) as folder:
            test(pathlib.Path(folder), screenshots)
    except Failed as failure:
        sys.exit(f"FAILED: {failure}")


main()
