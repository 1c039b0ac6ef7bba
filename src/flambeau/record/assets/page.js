// The page as a whole: its head, its state, light and dark, and putting the sections together.
"use strict";

function state(run) {
  const names = {
    running: t("running"),
    finished: t("finished"),
    failed: t("failed"),
    interrupted: t("interrupted"),
    killed: t("killed"),
  };
  const line = el(
    "p",
    {},
    el("span", { class: `state ${run.status}` }, names[run.status] || run.status),
    el("span", { class: "soft", title: date(run.started) }, t("began {when}", { when: date(run.started) })),
  );
  if (run.status !== "running" && run.status !== "killed") return line;
  const age = el("span", { class: "soft" });
  const tell = () => {
    const seconds = Math.max(0, Date.now() / 1000 - run.updated),
      late = seconds > Math.max(20, 5 * run.interval);
    age.textContent =
      " · " +
      (run.status === "killed" || late
        ? t("still running, or killed: the last update was {age} ago, at {when}", {
            age: duration(seconds),
            when: date(run.updated),
          })
        : t("updated {age} ago", { age: duration(seconds) }));
  };
  tell();
  if (run.status === "running") setInterval(tell, 1000);
  line.append(age);
  return line;
}

function follow(run) {
  if (DATA.kind !== "run" || run.status !== "running") return null;
  return el(
    "label",
    { class: "small" },
    el("input", {
      type: "checkbox",
      id: "live",
      checked: view.live,
      onchange: (e) => {
        view.live = e.target.checked;
        remember();
        reloads(run);
      },
    }),
    " ",
    t("reload every {n} s", { n: Math.max(3, Math.ceil(run.interval)) }),
  );
}
let reloading = null;
function reloads(run) {
  clearTimeout(reloading);
  if (view.live) reloading = setTimeout(() => location.reload(), 1000 * Math.max(3, Math.ceil(run.interval)));
}

let theme = stored("localStorage", "flambeau:theme", null);
const dark = matchMedia("(prefers-color-scheme: dark)");
function setTheme() {
  document.documentElement.dataset.theme = theme || (dark.matches ? "dark" : "light");
}
function otherTheme() {
  theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  store("localStorage", "flambeau:theme", theme);
  setTheme();
}

function controls() {
  return el(
    "div",
    { class: "controls" },
    el(
      "select",
      {
        id: "language",
        "aria-label": "Language · 语言 · 語言",
        onchange: (e) => {
          language = e.target.value;
          store("localStorage", "flambeau:language", language);
          render("language");
        },
      },
      Object.entries(LANGUAGES).map(([tag, name]) =>
        el("option", { value: tag, lang: tag, selected: tag === language }, name),
      ),
    ),
    el(
      "button",
      { type: "button", id: "theme", "aria-label": t("Light or dark"), title: t("Light or dark"), onclick: otherTheme },
      "◐",
    ),
  );
}

function brand(words) {
  return el(
    "p",
    { class: "brand" },
    el(
      "svg:svg",
      { viewBox: "0 0 16 16", "aria-hidden": "true" },
      el("svg:path", {
        d: "M8 0c.6 3-3.8 4.6-3.8 8.6A3.9 3.9 0 0 0 8 12.6a3.9 3.9 0 0 0 3.8-4C11.800 6.300 10.400 5.500 10.200 3.700 9.300 4.400 9 5.300 9.100 6.200 8.200 4.900 9 2 8 0Z M5.500 13.800h5L9.600 16H6.400Z",
      }),
    ),
    words,
  );
}

// One section; where it cannot be shown (data of another version, say), the others still are.
function attempted(content) {
  try {
    return content();
  } catch (error) {
    console.error(error);
    return el("p", { class: "soft" }, t("This part cannot be shown: {error}", { error: error.message }));
  }
}

function render(focus) {
  document.documentElement.lang = language;
  const list = DATA.kind === "compare" ? compareSections(DATA.runs) : sections(DATA.runs[0]),
    run = DATA.runs[0];
  const title = DATA.kind === "compare" ? t("{n} runs compared", { n: DATA.runs.length }) : run.name;
  document.title = `${title} · flambeau`;
  document.body.replaceChildren(
    el("a", { class: "skip", href: "#main" }, t("To the content")),
    el(
      "header",
      { class: "top" },
      el(
        "div",
        { class: "wrap" },
        el(
          "div",
          { class: "title" },
          brand(DATA.kind === "compare" ? t("flambeau · comparison") : t("flambeau · record of a run")),
          el("h1", {}, title),
          DATA.kind === "compare" ? null : state(run),
          DATA.kind === "compare" || !run.notes ? null : el("p", { class: "notes" }, run.notes),
          DATA.kind === "compare" ? null : follow(run),
        ),
        controls(),
      ),
    ),
    el(
      "nav",
      { "aria-label": t("Sections") },
      el(
        "div",
        { class: "wrap" },
        el(
          "ul",
          {},
          list.map(([id, name, n]) =>
            el("li", {}, el("a", { href: `#${id}` }, name, n ? el("span", { class: "count" }, String(n)) : null)),
          ),
        ),
      ),
    ),
    el(
      "main",
      { id: "main", class: "wrap", tabindex: -1 },
      DATA.kind === "compare" ? null : [failure(run), overview(run)],
      list.map(([id, name, , content]) =>
        el(
          "section",
          { id, "aria-labelledby": `${id}-name` },
          el("h2", { id: `${id}-name` }, name),
          attempted(content),
        ),
      ),
    ),
    el(
      "footer",
      { class: "wrap" },
      t(
        DATA.kind === "run"
          ? "Written by flambeau {version} on {when}. This page needs no network; the numbers are in metrics.jsonl beside it."
          : "Written by flambeau {version} on {when}. This page needs no network.",
        { version: DATA.version, when: date(DATA.written) },
      ),
    ),
  );
  if (focus) document.getElementById(focus)?.focus();
}
