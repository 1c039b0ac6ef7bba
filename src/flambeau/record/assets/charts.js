// All charts of a page: which metrics share one, and the bar that changes them together.
"use strict";

// Lines of one phase have one colour in all charts: --s0 is training, --s1 validation...
const COLOURS = [
  [/^batch/i, 8],
  [/^(train|训练|訓練)/i, 0],
  [/^(val|dev|eval|验证|驗證)/i, 1],
  [/^(test|测试|測試)/i, 2],
];
const WORDS = "batch|train|training|val|valid|validation|dev|eval|test|训练|验证|测试|訓練|驗證|測試";
const BEFORE = new RegExp(`^(${WORDS})[/_ .-]+(.+)$`, "i"),
  AFTER = new RegExp(`^(.+)[/_ .-]+(${WORDS})$`, "i");

// Metrics by chart: train/loss and val/loss share the chart "loss"; what has another prefix is set under it as heading.
function grouped(names) {
  const charts = new Map();
  for (const name of names) {
    const rest = phased(name)[1];
    if (!charts.has(rest)) charts.set(rest, []);
    charts.get(rest).push(name);
  }
  const sizes = new Map(),
    heads = new Map();
  const prefix = (rest) => (rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : "");
  for (const rest of charts.keys()) sizes.set(prefix(rest), (sizes.get(prefix(rest)) || 0) + 1);
  const phase = (name) => COLOURS.findIndex(([words]) => words.test(phased(name)[0]));
  for (const [rest, members] of charts) {
    members.sort((a, b) => phase(a) - phase(b)); // what is compared with others is drawn over them
    const head = sizes.get(prefix(rest)) > 1 ? prefix(rest) : "";
    if (!heads.has(head)) heads.set(head, []);
    heads.get(head).push([rest, members]);
  }
  return [...heads].sort((a, b) => (a[0] !== "") - (b[0] !== ""));
}

// The phase and what it is the phase of: ["train", "loss"] of train/loss, train_loss and loss/train.
function phased(name) {
  const before = name.match(BEFORE),
    after = name.match(AFTER);
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
  if (!names.length)
    return el("p", { class: "empty" }, t("No numbers have been logged yet. run.log(loss=loss, step=i) adds them."));
  const charts = [],
    area = el("div");
  const redraw = () => {
    charts.forEach((chart) => chart.draw());
    remember();
  };
  const fill = () => {
    charts.length = 0;
    area.replaceChildren(
      ...grouped(names.filter((name) => name.toLowerCase().includes(view.find.toLowerCase()))).flatMap(([head, list]) =>
        [
          head && el("h3", {}, head),
          el(
            "div",
            { class: "charts" },
            list.map(([title, members]) => {
              const chart = chartOf(head ? title.slice(head.length + 1) : title, members, {
                key: title,
                level: head ? 4 : 3,
              });
              charts.push(chart);
              return chart.element;
            }),
          ),
        ].filter(Boolean),
      ),
    );
    if (!charts.length) area.append(el("p", { class: "empty" }, t("No metric has such a name.")));
  };
  const axes = ["step", ...(DATA.runs.some((run) => run.epochs.length) ? ["epoch"] : []), "time"];
  if (!axes.includes(view.x)) view.x = "step";
  const value = el("output", { for: "smoothing" }, view.smoothing.toFixed(2));
  const bar = el(
    "div",
    { class: "bar", role: "toolbar", "aria-label": t("All charts") },
    el(
      "span",
      { class: "group" },
      el("span", { id: "axis" }, t("x axis")),
      el(
        "span",
        { class: "join", role: "group", "aria-labelledby": "axis" },
        axes.map((x) =>
          el(
            "button",
            {
              type: "button",
              id: `x-${x}`,
              "aria-pressed": String(view.x === x),
              onclick: (e) => {
                view.x = x;
                for (const b of e.currentTarget.parentNode.children)
                  b.setAttribute("aria-pressed", String(b === e.currentTarget));
                charts.forEach((c) => {
                  c.kept.zoom = null;
                });
                redraw();
              },
            },
            t(x),
          ),
        ),
      ),
    ),
    el(
      "label",
      {},
      t("smoothing"),
      el("input", {
        type: "range",
        id: "smoothing",
        min: 0,
        max: 0.99,
        step: 0.01,
        value: view.smoothing,
        oninput: (e) => {
          view.smoothing = Number(e.target.value);
          value.textContent = view.smoothing.toFixed(2);
          redraw();
        },
      }),
      value,
    ),
    el(
      "button",
      {
        type: "button",
        id: "log",
        "aria-pressed": String(view.log === true),
        onclick: (e) => {
          view.log = !view.log;
          e.currentTarget.setAttribute("aria-pressed", String(view.log));
          charts.forEach((c) => {
            c.kept.log = null;
          });
          redraw();
        },
      },
      t("log scale"),
    ),
    names.length > 8 &&
      el(
        "label",
        {},
        t("find"),
        el("input", {
          type: "search",
          id: "find",
          value: view.find,
          oninput: (e) => {
            view.find = e.target.value;
            fill();
            remember();
          },
        }),
      ),
  );
  fill();
  return el(
    "div",
    {},
    bar,
    el(
      "p",
      { class: "soft small help" },
      t(
        "Drag across a chart to zoom in, double-click to see all. With the keyboard: arrow keys read values, + and − zoom, 0 shows all, L changes the scale.",
      ),
    ),
    area,
  );
}
