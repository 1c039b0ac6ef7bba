// What all parts of the page use: its data, the reader's language and wishes, elements, numbers as text, tables.
"use strict";

const DATA = JSON.parse(document.getElementById("data").textContent);
const LANGUAGES = { en: "English", "zh-Hans": "简体中文", "zh-Hant": "繁體中文" };
// What the reader has chosen, kept for the next page and for a reload of this one where the browser allows it.
function stored(storage, key, fallback) {
  try {
    return JSON.parse(window[storage].getItem(key)) ?? fallback;
  } catch {
    return fallback;
  }
}
function store(storage, key, value) {
  try {
    window[storage].setItem(key, JSON.stringify(value));
  } catch {
    /* files may have no storage: it is not kept */
  }
}
const PLACE = `flambeau:${location.pathname}`;
const view = {
  x: "step",
  smoothing: 0,
  log: null,
  find: "",
  charts: {},
  live: false,
  ...stored("sessionStorage", PLACE, {}),
};
const remember = () => store("sessionStorage", PLACE, view);

const wished =
  (navigator.languages || [navigator.language || "en"])
    .map((name) =>
      /^zh/i.test(name) ? (/hant|tw|hk|mo/i.test(name) ? "zh-Hant" : "zh-Hans") : /^en/i.test(name) ? "en" : null,
    )
    .find(Boolean) || "en";
let language = stored("localStorage", "flambeau:language", null);
if (!(language in LANGUAGES)) language = wished;
const CATALOGUE = { en: "en", "zh-Hans": "zh_CN", "zh-Hant": "zh_TW" };

// A text in the reader's language, with values filled in.
function t(english, values = {}) {
  const text = DATA.texts[english]?.[{ "zh-Hans": 0, "zh-Hant": 1 }[language]] ?? english;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}
// One of the texts that were translated when the page was written.
const said = (texts) => (typeof texts === "string" ? texts : (texts[CATALOGUE[language]] ?? texts.en ?? ""));
const date = (seconds) =>
  new Date(seconds * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });

// Text whose parts in backquotes are code.
const coded = (text) => text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));

const SVG = "http://www.w3.org/2000/svg";

// An element with its attributes and children; texts are only ever set as text.
function el(tag, attributes = {}, ...children) {
  const made = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

// A number in about four digits.
function shown(value) {
  if (typeof value !== "number") return value === "Infinity" ? "∞" : value === "-Infinity" ? "−∞" : String(value);
  if (value === 0 || (Number.isInteger(value) && Math.abs(value) < 1e7))
    return value.toLocaleString("en").replaceAll(",", "\u202f");
  const size = Math.abs(value);
  return size >= 1e7 || size < 1e-4
    ? value.toExponential(2).replace(/\.?0+e/, "e")
    : String(Number(value.toPrecision(4)));
}

function duration(seconds) {
  if (seconds === 0) return "0 s";
  if (seconds < 1e-3) return `${Number((seconds * 1e6).toPrecision(3))} µs`;
  if (seconds < 1) return `${Number((seconds * 1e3).toPrecision(3))} ms`;
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds),
    pad = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${pad(whole % 60)} min`;
  return `${Math.floor(whole / 3600)}:${pad(Math.floor(whole / 60) % 60)} h`;
}

// columns and rows as a table; numbers: which columns are set to the right.
function table(columns, rows, { caption = null, numbers = [], head = false, mark = () => null } = {}) {
  const at = (i) => (numbers.includes(i) ? "num" : null);
  return el(
    "div",
    {
      class: "scroll",
      tabindex: 0,
      role: "region",
      "aria-label": caption || columns.filter(Boolean).join(", ") || t("table"),
    },
    el(
      "table",
      {},
      caption && el("caption", {}, caption),
      columns.some(Boolean) &&
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            columns.map((c, i) => el("th", { scope: "col", class: at(i) }, c)),
          ),
        ),
      el(
        "tbody",
        {},
        rows.map((row) =>
          el(
            "tr",
            { class: mark(row) },
            row.map((c, i) =>
              el(i === 0 && head ? "th" : "td", { scope: i === 0 && head ? "row" : null, class: at(i) }, c ?? ""),
            ),
          ),
        ),
      ),
    ),
  );
}

// Names and values.
function settings(pairs, label) {
  return el(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el(
      "table",
      { class: "settings" },
      el(
        "tbody",
        {},
        pairs.map(([name, value]) =>
          el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "mono" }, worded(value))),
        ),
      ),
    ),
  );
}

function worded(value) {
  if (value === null || value === undefined) return "None";
  if (value === true || value === false) return value ? "True" : "False";
  if (value instanceof Node) return value;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function flat(config, prefix = "") {
  return Object.entries(config).flatMap(([name, value]) =>
    value && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length
      ? flat(value, `${prefix}${name}.`)
      : [[prefix + name, value]],
  );
}
