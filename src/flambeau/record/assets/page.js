// The page: language, theme, the sections of one run. What it shows is in the element "data", as JSON.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const LANGUAGES = { en: "English", "zh-Hans": "简体中文", "zh-Hant": "繁體中文" };
// Lines of one phase have one colour in all charts: --s0 is training, --s1 validation...
const COLOURS = [[/^batch/i, 8], [/^(train|训练|訓練)/i, 0], [/^(val|dev|eval|验证|驗證)/i, 1], [/^(test|测试|測試)/i, 2]];
const WORDS = "batch|train|training|val|valid|validation|dev|eval|test|训练|验证|测试|訓練|驗證|測試";
const BEFORE = new RegExp(`^(${WORDS})[/_ .-]+(.+)$`, "i"), AFTER = new RegExp(`^(.+)[/_ .-]+(${WORDS})$`, "i");

// What the reader has chosen, kept for the next page and for a reload of this one where the browser allows it.
function stored(storage, key, fallback) {
  try { return JSON.parse(window[storage].getItem(key)) ?? fallback; } catch { return fallback; }
}
function store(storage, key, value) {
  try { window[storage].setItem(key, JSON.stringify(value)); } catch { /* files may have no storage: it is not kept */ }
}
const PLACE = `flambeau:${location.pathname}`;
const view = { x: "step", smoothing: 0, log: null, find: "", charts: {}, live: false, ...stored("sessionStorage", PLACE, {}) };
const remember = () => store("sessionStorage", PLACE, view);

const wished = (navigator.languages || [navigator.language || "en"]).map((name) =>
  /^zh/i.test(name) ? (/hant|tw|hk|mo/i.test(name) ? "zh-Hant" : "zh-Hans") : /^en/i.test(name) ? "en" : null).find(Boolean) || "en";
let language = stored("localStorage", "flambeau:language", null);
if (!(language in LANGUAGES)) language = wished;
const CATALOGUE = { en: "en", "zh-Hans": "zh_CN", "zh-Hant": "zh_TW" };

// A text in the reader's language, with values filled in.
function t(english, values = {}) {
  const text = DATA.texts[english]?.[{ "zh-Hans": 0, "zh-Hant": 1 }[language]] ?? english;
  return text.replace(/\{(\w+)\}/g, (whole, name) => name in values ? values[name] : whole);
}
// One of the texts that were translated when the page was written.
const said = (texts) => typeof texts === "string" ? texts : texts[CATALOGUE[language]] ?? texts.en ?? "";
const date = (seconds) => new Date(seconds * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });

// Text whose parts in backquotes are code.
const coded = (text) => text.split("`").map((part, i) => i % 2 ? el("code", {}, part) : part);

// columns and rows as a table; numbers: which columns are set to the right.
function table(columns, rows, { caption = null, numbers = [], head = false, mark = () => null } = {}) {
  const at = (i) => numbers.includes(i) ? "num" : null;
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption || columns.filter(Boolean).join(", ") || t("table") }, el("table", {},
    caption && el("caption", {}, caption),
    columns.some(Boolean) && el("thead", {}, el("tr", {}, columns.map((c, i) => el("th", { scope: "col", class: at(i) }, c)))),
    el("tbody", {}, rows.map((row) => el("tr", { class: mark(row) }, row.map((c, i) => el(i === 0 && head ? "th" : "td", { scope: i === 0 && head ? "row" : null, class: at(i) }, c ?? ""))))))); // prettier-ignore
}

// Names and values.
function settings(pairs, label) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, el("table", { class: "settings" },
    el("tbody", {}, pairs.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "mono" }, worded(value)))))));
}

function worded(value) {
  if (value === null || value === undefined) return "None";
  if (value === true || value === false) return value ? "True" : "False";
  if (value instanceof Node) return value;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function flat(config, prefix = "") {
  return Object.entries(config).flatMap(([name, value]) => value && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length
    ? flat(value, `${prefix}${name}.`) : [[prefix + name, value]]);
}

// ---- the charts

// Metrics by chart: train/loss and val/loss share the chart "loss"; what has another prefix is set under it as heading.
function grouped(names) {
  const charts = new Map();
  for (const name of names) {
    const rest = phased(name)[1];
    if (!charts.has(rest)) charts.set(rest, []);
    charts.get(rest).push(name);
  }
  const sizes = {}, heads = new Map();
  const prefix = (rest) => rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : "";
  for (const rest of charts.keys()) sizes[prefix(rest)] = (sizes[prefix(rest)] || 0) + 1;
  const phase = (name) => COLOURS.findIndex(([words]) => words.test(phased(name)[0]));
  for (const [rest, members] of charts) {
    members.sort((a, b) => phase(a) - phase(b));  // what is compared with others is drawn over them
    const head = sizes[prefix(rest)] > 1 ? prefix(rest) : "";
    if (!heads.has(head)) heads.set(head, []);
    heads.get(head).push([rest, members]);
  }
  return [...heads].sort((a, b) => (a[0] !== "") - (b[0] !== ""));
}

// The phase and what it is the phase of: ["train", "loss"] of train/loss, train_loss and loss/train.
function phased(name) {
  const before = name.match(BEFORE), after = name.match(AFTER);
  return before ? [before[1], before[2]] : after ? [after[2], after[1]] : ["", name];
}

function phaseStyle(name) {
  const found = COLOURS.find(([words]) => words.test(phased(name)[0]));
  return found ? { colour: `var(--s${found[1]})` } : {};
}

function lineOf(run, metric, label, style = {}) {
  return { ...metric, label, epochs: run.epochs, ...style };
}

function chartsSection(chartOf, names) {
  if (!names.length) return el("p", { class: "empty" }, t("No numbers have been logged yet. run.log(loss=loss, step=i) adds them."));
  const charts = [], area = el("div");
  const redraw = () => { charts.forEach((chart) => chart.draw()); remember(); };
  const fill = () => {
    charts.length = 0;
    area.replaceChildren(...grouped(names.filter((name) => name.toLowerCase().includes(view.find.toLowerCase()))).flatMap(([head, list]) => [
      head && el("h3", {}, head),
      el("div", { class: "charts" }, list.map(([title, members]) => {
        const chart = chartOf(head ? title.slice(head.length + 1) : title, members, title);
        charts.push(chart);
        return chart.element;
      })),
    ].filter(Boolean)));
    if (!charts.length) area.append(el("p", { class: "empty" }, t("No metric has such a name.")));
  };
  const axes = ["step", ...(DATA.runs.some((run) => run.epochs.length) ? ["epoch"] : []), "time"];
  const value = el("output", { for: "smoothing" }, view.smoothing.toFixed(2));
  const bar = el("div", { class: "bar", role: "toolbar", "aria-label": t("All charts") },
    el("span", { class: "group" }, el("span", { id: "axis" }, t("x axis")), el("span", { class: "join", role: "group", "aria-labelledby": "axis" }, axes.map((x) => el("button", {
      type: "button", id: `x-${x}`, "aria-pressed": String(view.x === x),
      onclick: (e) => { view.x = x; for (const b of e.currentTarget.parentNode.children) b.setAttribute("aria-pressed", String(b === e.currentTarget)); charts.forEach((c) => { c.kept.zoom = null; }); redraw(); },
    }, t(x))))),
    el("label", {}, t("smoothing"), el("input", { type: "range", id: "smoothing", min: 0, max: 0.99, step: 0.01, value: view.smoothing,
      oninput: (e) => { view.smoothing = Number(e.target.value); value.textContent = view.smoothing.toFixed(2); redraw(); } }), value),
    el("button", { type: "button", id: "log", "aria-pressed": String(view.log === true), onclick: (e) => {
      view.log = !view.log; e.currentTarget.setAttribute("aria-pressed", String(view.log)); charts.forEach((c) => { c.kept.log = null; }); redraw(); } }, t("log scale")),
    names.length > 8 && el("label", {}, t("find"), el("input", { type: "search", id: "find", value: view.find, oninput: (e) => { view.find = e.target.value; fill(); remember(); } })));
  fill();
  return el("div", {}, bar, el("p", { class: "soft small help" }, t("Drag across a chart to zoom in, double-click to see all. With the keyboard: arrow keys read values, + and − zoom, 0 shows all, L changes the scale.")), area);
}

// ---- the sections of one run

// Metrics that get better as they fall, and as they rise.
const FALLS = /loss|error|perplex|mae|mse|损失|損失|误差|誤差/i;
const RISES = /acc|f1|auc|score|precision|recall|reward|准确|準確|正确|正確|精度/i;

function overview(run) {
  const cards = [], add = (name, value, more) => cards.push(el("div", {}, el("dt", {}, name), el("dd", { class: String(value).length > 12 ? "long" : null }, value, more && el("small", {}, more))));
  const main = run.metrics.filter((m) => m.last).sort((a, b) => rank(a.name) - rank(b.name)).slice(0, 4);
  for (const metric of main) {
    const low = FALLS.test(metric.name), best = low ? metric.low : RISES.test(metric.name) ? metric.high : null;
    const values = { value: shown((best || metric.last)[1]), step: shown((best || metric.last)[0]) };
    add(metric.name, shown(metric.last[1]), !best ? t("at step {step}", values) : low ? t("lowest {value} at step {step}", values) : t("highest {value} at step {step}", values));
  }
  add(t("duration"), duration(run.seconds), run.sessions.length > 1 ? t("in {n} sessions", { n: run.sessions.length }) : null);
  if (run.steps > 0) add(t("steps"), shown(run.steps), run.seconds > 0 ? t("{n} per second", { n: shown(Number((run.steps / run.seconds).toPrecision(3))) }) : null);
  if (run.epochs.length) add(t("epoch"), shown(Number(run.epoch.toFixed(1))));
  if (run.model) add(t("parameters"), shown(run.model.parameters), run.model.class);
  const seed = (run["seeds at the end"] || run.seeds)["flambeau seed"];
  add(t("seed"), seed === DATA.unseeded ? t("not set") : seed);
  if (run.doctor) add(t("doctor"), run.doctor.findings.length ? t("{n} found", { n: run.doctor.findings.length }) : t("nothing found"));
  return el("dl", { class: "facts" }, cards);
}

// What a reader looks at first: losses and accuracies, those of validation before those of training.
function rank(name) {
  return (/val|valid|test|eval|验证|驗證|测试|測試/i.test(name) ? 0 : 1) + (/acc|f1|准确|正確/i.test(name) ? 0 : /loss|损失/i.test(name) ? 2 : 10);
}

function failure(run) {
  const f = run.failure;
  if (!f) return null;
  return el("section", { class: `alert ${run.status}`, "aria-labelledby": "failure" }, el("h2", { id: "failure" }, run.status === "interrupted" ? t("Interrupted") : `${t("Failed")} · ${f.type}`),
    f.told ? [el("p", {}, coded(said(f.told.fact))), said(f.told.why) && el("p", {}, coded(said(f.told.why))), said(f.told.fix) && el("p", { class: "fix" }, coded(`${t("Fix:")} ${said(f.told.fix)}`)), el("p", { class: "soft small" }, coded(f.told.where))]
      : el("p", { class: "mono pre" }, f.message),
    el("details", {}, el("summary", {}, t("The whole traceback")), el("pre", { tabindex: 0 }, f.trace)));
}

function metricsTable(run) {
  const rows = run.metrics.map((m) => [m.name, ...["last", "low", "high"].flatMap((k) => m[k] ? [shown(m[k][1]), shown(m[k][0])] : ["–", "–"]), shown(m.count), m.strange ? shown(m.strange) : ""]);
  const columns = [t("metric"), t("last"), t("step"), t("lowest"), t("step"), t("highest"), t("step"), t("values"), "NaN, ∞"];
  return table(columns, rows, { caption: t("All metrics"), numbers: [1, 2, 3, 4, 5, 6, 7, 8], head: true });
}

function items(run, kind) {
  const names = new Map();
  for (const item of run.items.filter((i) => i.kind === kind)) {
    if (!names.has(item.name)) names.set(item.name, []);
    names.get(item.name).push(item);
  }
  return [...names];
}

// One picture; of several under one name the last, with a slider to the others.
function picture([name, list]) {
  const image = el("img", { alt: "" }), caption = el("span", { class: "soft small" }), text = el("p", { class: "small" });
  const show = (i) => {
    image.src = list[i].source;
    image.alt = list[i].caption || t("{name}, at step {step}", { name, step: list[i].step });
    image.onload = () => image.classList.toggle("pixels", image.naturalWidth < 200);
    caption.textContent = `${t("step")} ${shown(list[i].step)}`;
    text.textContent = list[i].caption;
    text.hidden = !list[i].caption;
  };
  show(list.length - 1);
  const slider = list.length > 1 && el("input", { type: "range", min: 0, max: list.length - 1, value: list.length - 1, "aria-label": t("{name}: which step", { name }), oninput: (e) => show(Number(e.target.value)) });
  return el("figure", { class: "picture" }, el("figcaption", {}, el("b", {}, name), slider, caption), image, text);
}

function tables(run) {
  const made = items(run, "table").flatMap(([name, list]) => list.slice(-1).map((item) => el("div", {}, el("h3", {}, name),
    table(item.columns, item.rows.map((row) => row.map((c) => typeof c === "number" ? shown(c) : worded(c))), { caption: `${t("step")} ${shown(item.step)}`, numbers: item.columns.map((_, i) => i).filter((i) => item.rows.length && item.rows.every((r) => typeof r[i] === "number")) }),
    item.left_out > 0 && el("p", { class: "soft small" }, t("{n} more rows are not shown", { n: shown(item.left_out) })))));
  const texts = items(run, "text").map(([name, list]) => el("div", {}, el("h3", {}, name), list.map((item) => el("div", { class: "card" }, el("p", { class: "soft small" }, `${t("step")} ${shown(item.step)}`), el("p", { style: "white-space: pre-wrap" }, item.text)))));
  return [...made, ...texts];
}

function doctor(run) {
  const d = run.doctor, levels = { E: t("error"), W: t("warning"), H: t("hint") };
  const parts = [];
  if (!d.findings.length) parts.push(el("p", {}, t("The doctor found nothing wrong.")));
  for (const f of d.findings) parts.push(el("article", { class: `finding ${f.level}` },
    el("h3", {}, el("span", { class: "level" }, `${f.code} · ${levels[f.level]} `), said(f.title)),
    f.where && el("p", { class: "soft small" }, coded(f.where)),
    el("p", {}, coded(said(f.saw))), said(f.why) && el("p", {}, coded(said(f.why))), said(f.fix) && el("p", { class: "fix" }, coded(`${t("Fix:")} ${said(f.fix)}`)),
    f.page && el("details", {}, el("summary", {}, `flambeau explain ${f.code}`), explained(said(f.page)))));
  parts.push(el("div", { class: "charts" }, d.curves.map((curve, i) => new Chart(t(curve.title), Object.entries(curve.lines).map(([label, line]) => ({ label: t(label), strange: line.marks.length, ...line })),
    { ...view, x: "step", smoothing: 0, log: null }, { key: `doctor:${i}`, log: curve.log }).element)));
  for (const each of d.tables) parts.push(el("details", {}, el("summary", {}, t(each.title)), table(each.columns.map((c) => t(c)), each.rows.map((row) => row.map((c) => typeof c === "number" ? shown(c) : c)), { caption: t(each.title), numbers: each.columns.map((_, i) => i).slice(1), head: true })));
  return parts;
}

// The page of a code: its Markdown is set plainly.
function explained(text) {
  return el("div", { class: "card" }, text.split("```").flatMap((part, i) => i % 2 ? [el("pre", {}, part.slice(part.indexOf("\n") + 1))] : part.split("\n").filter((line) => line.trim()).map((line) => {
    const heading = line.match(/^#+ (.*)/);
    return el(heading ? "h4" : "p", {}, coded((heading ? heading[1] : line).replaceAll("**", "")));
  })));
}

function code(run) {
  const parts = [], git = run.repository;
  if (git.commit) {
    parts.push(settings([[t("commit"), `${git.commit.slice(0, 12)} ${git.subject}`], [t("branch"), git.branch], [t("changed since"), git.changes ? el("pre", { tabindex: 0 }, git.changes) : t("nothing")]], t("repository")));
    if (git.patch) parts.push(el("details", {}, el("summary", {}, t("What differs from the commit")), diff(git.patch.split("\n"))));
  }
  for (const file of run.code) parts.push(el("details", { open: run.code.length === 1 && (file.text || "").length < 6000 }, el("summary", {}, el("code", {}, file.name), " ", el("span", { class: "small" }, `sha256 ${file.sha256.slice(0, 16)}`)), file.text ? el("pre", { tabindex: 0 }, file.text) : el("p", { class: "soft" }, t("too long to be kept"))));
  if (!run.code.length) parts.push(el("p", { class: "soft" }, t("The program's text is not known: it was typed in or read from a pipe.")));
  return parts;
}

function diff(lines) {
  return el("pre", { class: "diff", tabindex: 0 }, lines.map((line) => el("span", { class: /^@@|^diff |^index /.test(line) ? "at" : line.startsWith("+") ? "add" : line.startsWith("-") ? "cut" : null }, line || " ")));
}

function model(m) {
  return [el("p", {}, t("{all} parameters, {trainable} of them trainable", { all: shown(m.parameters), trainable: shown(m.trainable) })),
    el("div", { class: "model" }, el("pre", { tabindex: 0 }, m.text), m.source && el("figure", { class: "picture" }, el("img", { src: m.source, alt: t("The model's layers, from its input to its output") })))];
}

function profile(p) {
  const rows = p.rows.map(([name, calls, own, all]) => [el("code", {}, name), shown(calls), duration(own), `${(100 * own / p.total || 0).toFixed(1)} %`, duration(all)]);
  return [table([t("operation"), t("calls"), t("own time"), t("share"), t("with what it calls")], rows, { caption: t("Where the time went: {time} in all", { time: duration(p.total) }), numbers: [1, 2, 3, 4], head: true }),
    p.left_out > 0 && el("p", { class: "soft small" }, t("{n} more rows are not shown", { n: shown(p.left_out) }))];
}

function seeds(run) {
  const end = run["seeds at the end"], first = run.seeds || {};
  const columns = ["", t("at the start"), ...(end ? [t("at the end")] : [])];
  return table(columns, Object.keys(first).map((k) => [t(k), first[k], ...(end ? [end[k]] : [])]), { caption: t("Random numbers: seeds and fingerprints of the generators' states"), head: true });
}

function checkpoints(run) {
  return table([t("file"), t("step"), t("size"), t("saved"), t("note")], run.items.filter((i) => i.kind === "checkpoint").map((i) => [el("code", {}, i.name), shown(i.step), i.size === null ? t("not there") : `${shown(Math.ceil(i.size / 1024))} KiB`, date(i.time), i.note]), { caption: t("Checkpoints"), numbers: [1, 2] });
}

// What is known of one run: [id, heading, count, content], those that there are.
function sections(run) {
  const pictures = items(run, "picture"), texts = run.items.filter((i) => i.kind === "table" || i.kind === "text").length;
  const chartOf = (title, members, key) => new Chart(title, members.map((name) => lineOf(run, run.metrics.find((m) => m.name === name), name, phaseStyle(name))), view, { key });
  const checks = run.items.filter((i) => i.kind === "checkpoint").length;
  return [
    ["metrics", t("Metrics"), run.metrics.length, () => [chartsSection(chartOf, run.metrics.map((m) => m.name)), run.metrics.length > 0 && el("details", {}, el("summary", {}, t("All metrics: last, lowest, highest")), metricsTable(run))]],
    pictures.length && ["pictures", t("Pictures"), pictures.length, () => el("div", { class: "pictures" }, pictures.map(picture))],
    texts && ["tables", t("Tables and texts"), texts, () => tables(run)],
    run.model && ["model", t("Model"), null, () => model(run.model)],
    run.doctor && ["doctor", t("Doctor"), run.doctor.findings.length || null, () => doctor(run)],
    run.profile && ["profile", t("Profile"), null, () => profile(run.profile)],
    checks && ["checkpoints", t("Checkpoints"), checks, () => checkpoints(run)],
    ["config", t("Configuration"), null, () => Object.keys(run.config).length ? settings(flat(run.config), t("Configuration")) : el("p", { class: "soft" }, t("No settings were given: flambeau.Run(folder, config=...) takes them."))],
    ["environment", t("Environment"), null, () => [settings(Object.entries(run.environment).map(([k, v]) => [t(k), v]), t("Environment")), el("h3", {}, t("Seeds")), seeds(run), el("details", {}, el("summary", {}, t("Installed packages ({n})", { n: Object.keys(run.packages).length })), el("pre", { tabindex: 0 }, Object.entries(run.packages).map(([k, v]) => `${k}==${v}`).join("\n")))]],
    ["code", t("Code"), null, () => code(run)],
  ].filter(Boolean);
}

function state(run) {
  const names = { running: t("running"), finished: t("finished"), failed: t("failed"), interrupted: t("interrupted"), killed: t("killed") };
  const line = el("p", {}, el("span", { class: `state ${run.status}` }, names[run.status] || run.status), el("span", { class: "soft", title: date(run.started) }, t("began {when}", { when: date(run.started) })));
  if (run.status !== "running" && run.status !== "killed") return line;
  const age = el("span", { class: "soft" });
  const tell = () => {
    const seconds = Math.max(0, Date.now() / 1000 - run.updated), late = seconds > Math.max(20, 5 * run.interval);
    age.textContent = " · " + (run.status === "killed" || late ? t("still running, or killed: the last update was {age} ago, at {when}", { age: duration(seconds), when: date(run.updated) }) : t("updated {age} ago", { age: duration(seconds) }));
  };
  tell();
  if (run.status === "running") setInterval(tell, 1000);
  line.append(age);
  return line;
}

function follow(run) {
  if (DATA.kind !== "run" || run.status !== "running") return null;
  return el("label", { class: "small" }, el("input", { type: "checkbox", id: "live", checked: view.live, onchange: (e) => { view.live = e.target.checked; remember(); reloads(run); } }), " ", t("reload every {n} s", { n: Math.max(3, Math.ceil(run.interval)) }));
}
let reloading = null;
function reloads(run) {
  clearTimeout(reloading);
  if (view.live) reloading = setTimeout(() => location.reload(), 1000 * Math.max(3, Math.ceil(run.interval)));
}

// ---- the whole

let theme = stored("localStorage", "flambeau:theme", null);
const dark = matchMedia("(prefers-color-scheme: dark)");
function setTheme() { document.documentElement.dataset.theme = theme || (dark.matches ? "dark" : "light"); }
function otherTheme() {
  theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  store("localStorage", "flambeau:theme", theme);
  setTheme();
}

function controls() {
  return el("div", { class: "controls" },
    el("select", { id: "language", "aria-label": "Language · 语言 · 語言", onchange: (e) => { language = e.target.value; store("localStorage", "flambeau:language", language); render("language"); } },
      Object.entries(LANGUAGES).map(([tag, name]) => el("option", { value: tag, lang: tag, selected: tag === language }, name))),
    el("button", { type: "button", id: "theme", "aria-label": t("Light or dark"), title: t("Light or dark"), onclick: otherTheme }, "◐"));
}

function brand(words) {
  return el("p", { class: "brand" }, el("svg:svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, el("svg:path", { d: "M8 0c.6 3-3.8 4.6-3.8 8.6A3.9 3.9 0 0 0 8 12.6a3.9 3.9 0 0 0 3.8-4C11.800 6.300 10.400 5.500 10.200 3.700 9.300 4.400 9 5.300 9.100 6.200 8.200 4.900 9 2 8 0Z M5.500 13.800h5L9.600 16H6.400Z" })), words);
}

function render(focus) {
  document.documentElement.lang = language;
  const list = DATA.kind === "compare" ? compareSections(DATA.runs) : sections(DATA.runs[0]), run = DATA.runs[0];
  const title = DATA.kind === "compare" ? t("{n} runs compared", { n: DATA.runs.length }) : run.name;
  document.title = `${title} · flambeau`;
  document.body.replaceChildren(
    el("a", { class: "skip", href: "#main" }, t("To the content")),
    el("header", { class: "top" }, el("div", { class: "wrap" },
      el("div", { class: "title" }, brand(DATA.kind === "compare" ? t("flambeau · comparison") : t("flambeau · record of a run")), el("h1", {}, title),
        DATA.kind === "compare" ? null : state(run), DATA.kind === "compare" || !run.notes ? null : el("p", { class: "notes" }, run.notes), DATA.kind === "compare" ? null : follow(run)),
      controls())),
    el("nav", { "aria-label": t("Sections") }, el("div", { class: "wrap" }, el("ul", {}, list.map(([id, name, n]) => el("li", {}, el("a", { href: `#${id}` }, name, n ? el("span", { class: "count" }, String(n)) : null)))))),
    el("main", { id: "main", class: "wrap", tabindex: -1 }, DATA.kind === "compare" ? null : [failure(run), overview(run)],
      list.map(([id, name, , content]) => el("section", { id, "aria-labelledby": `${id}-name` }, el("h2", { id: `${id}-name` }, name), content()))),
    el("footer", { class: "wrap" }, t(DATA.kind === "run" ? "Written by flambeau {version} on {when}. This page needs no network; the numbers are in metrics.jsonl beside it." : "Written by flambeau {version} on {when}. This page needs no network.", { version: DATA.version, when: date(DATA.written) })));
  if (focus) document.getElementById(focus)?.focus();
}
