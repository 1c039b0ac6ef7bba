// The sections of one run: what is known of it, one function each.
"use strict";

// Metrics that get better as they fall, and as they rise.
const FALLS = /loss|error|perplex|mae|mse|损失|損失|误差|誤差/i;
const RISES = /acc|f1|auc|score|precision|recall|reward|准确|準確|正确|正確|精度/i;

function overview(run) {
  const cards = [],
    add = (name, value, more) =>
      cards.push(
        el(
          "div",
          {},
          el("dt", {}, name),
          el("dd", { class: String(value).length > 12 ? "long" : null }, value, more && el("small", {}, more)),
        ),
      );
  const main = run.metrics
    .filter((m) => m.last)
    .sort((a, b) => rank(a.name) - rank(b.name))
    .slice(0, 4);
  for (const metric of main) {
    const low = FALLS.test(metric.name),
      best = low ? metric.low : RISES.test(metric.name) ? metric.high : null;
    const values = { value: shown((best || metric.last)[1]), step: shown((best || metric.last)[0]) };
    add(
      metric.name,
      shown(metric.last[1]),
      !best
        ? t("at step {step}", values)
        : low
          ? t("lowest {value} at step {step}", values)
          : t("highest {value} at step {step}", values),
    );
  }
  add(
    t("duration"),
    duration(run.seconds),
    run.sessions.length > 1 ? t("in {n} sessions", { n: run.sessions.length }) : null,
  );
  if (run.steps > 0)
    add(
      t("steps"),
      shown(run.steps),
      run.seconds > 0 ? t("{n} per second", { n: shown(Number((run.steps / run.seconds).toPrecision(3))) }) : null,
    );
  if (run.epochs.length) add(t("epoch"), shown(Number(run.epoch.toFixed(1))));
  if (run.model) add(t("parameters"), shown(run.model.parameters), run.model.class);
  const seed = (run["seeds at the end"] || run.seeds)["flambeau seed"];
  add(t("seed"), seed === DATA.unseeded ? t("not set") : seed);
  if (run.doctor)
    add(
      t("doctor"),
      run.doctor.findings.length ? t("{n} found", { n: run.doctor.findings.length }) : t("nothing found"),
    );
  return el("dl", { class: "facts" }, cards);
}

// What a reader looks at first: losses and accuracies, those of validation before those of training.
function rank(name) {
  return (
    (/val|valid|test|eval|验证|驗證|测试|測試/i.test(name) ? 0 : 1) +
    (/acc|f1|准确|正確/i.test(name) ? 0 : /loss|损失/i.test(name) ? 2 : 10)
  );
}

function failure(run) {
  const f = run.failure;
  if (!f) return null;
  return el(
    "section",
    { class: `alert ${run.status}`, "aria-labelledby": "failure" },
    el("h2", { id: "failure" }, run.status === "interrupted" ? t("Interrupted") : `${t("Failed")} · ${f.type}`),
    f.told
      ? [
          el("p", {}, coded(said(f.told.fact))),
          said(f.told.why) && el("p", {}, coded(said(f.told.why))),
          said(f.told.fix) && el("p", { class: "fix" }, coded(`${t("Fix:")} ${said(f.told.fix)}`)),
          el("p", { class: "soft small" }, coded(f.told.where)),
        ]
      : el("p", { class: "mono pre" }, f.message),
    el("details", {}, el("summary", {}, t("The whole traceback")), el("pre", { tabindex: 0 }, f.trace)),
  );
}

function metricsTable(run) {
  const rows = run.metrics.map((m) => [
    m.name,
    ...["last", "low", "high"].flatMap((k) => (m[k] ? [shown(m[k][1]), shown(m[k][0])] : ["–", "–"])),
    shown(m.count),
    m.strange ? shown(m.strange) : "",
  ]);
  const columns = [
    t("metric"),
    t("last"),
    t("step"),
    t("lowest"),
    t("step"),
    t("highest"),
    t("step"),
    t("values"),
    "NaN, ∞",
  ];
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
  const image = el("img", { alt: "" }),
    caption = el("span", { class: "soft small" }),
    text = el("p", { class: "small" });
  const show = (i) => {
    image.src = list[i].source;
    image.alt = list[i].caption || t("{name}, at step {step}", { name, step: list[i].step });
    image.onload = () => image.classList.toggle("pixels", image.naturalWidth < 200);
    caption.textContent = `${t("step")} ${shown(list[i].step)}`;
    text.textContent = list[i].caption;
    text.hidden = !list[i].caption;
  };
  show(list.length - 1);
  const slider =
    list.length > 1 &&
    el("input", {
      type: "range",
      min: 0,
      max: list.length - 1,
      value: list.length - 1,
      "aria-label": t("{name}: which step", { name }),
      oninput: (e) => show(Number(e.target.value)),
    });
  return el("figure", { class: "picture" }, el("figcaption", {}, el("b", {}, name), slider, caption), image, text);
}

function tables(run) {
  const made = items(run, "table").flatMap(([name, list]) =>
    list.slice(-1).map((item) =>
      el(
        "div",
        {},
        el("h3", {}, name),
        table(
          item.columns,
          item.rows.map((row) => row.map((c) => (typeof c === "number" ? shown(c) : worded(c)))),
          {
            caption: `${t("step")} ${shown(item.step)}`,
            numbers: item.columns
              .map((_, i) => i)
              .filter((i) => item.rows.length && item.rows.every((r) => typeof r[i] === "number")),
          },
        ),
        item.left_out > 0 &&
          el("p", { class: "soft small" }, t("{n} more rows are not shown", { n: shown(item.left_out) })),
      ),
    ),
  );
  const texts = items(run, "text").map(([name, list]) =>
    el(
      "div",
      {},
      el("h3", {}, name),
      list.map((item) =>
        el(
          "div",
          { class: "card" },
          el("p", { class: "soft small" }, `${t("step")} ${shown(item.step)}`),
          el("p", { style: "white-space: pre-wrap" }, item.text),
        ),
      ),
    ),
  );
  return [...made, ...texts];
}

function doctor(run) {
  const d = run.doctor,
    levels = { E: t("error"), W: t("warning"), H: t("hint") };
  const parts = [];
  if (!d.findings.length) parts.push(el("p", {}, t("The doctor found nothing wrong.")));
  for (const f of d.findings)
    parts.push(
      el(
        "article",
        { class: `finding ${f.level}` },
        el("h3", {}, el("span", { class: "level" }, `${f.code} · ${levels[f.level]} `), said(f.title)),
        f.where && el("p", { class: "soft small" }, coded(f.where)),
        el("p", {}, coded(said(f.saw))),
        said(f.why) && el("p", {}, coded(said(f.why))),
        said(f.fix) && el("p", { class: "fix" }, coded(`${t("Fix:")} ${said(f.fix)}`)),
        f.page && el("details", {}, el("summary", {}, `flambeau explain ${f.code}`), explained(said(f.page))),
      ),
    );
  parts.push(
    el(
      "div",
      { class: "charts" },
      d.curves.map(
        (curve, i) =>
          new Chart(
            t(curve.title),
            Object.entries(curve.lines).map(([label, line]) => ({
              label: t(label),
              strange: line.marks.length,
              ...line,
            })),
            { ...view, x: "step", smoothing: 0, log: null },
            { key: `doctor:${i}`, log: curve.log },
          ).element,
      ),
    ),
  );
  for (const each of d.tables)
    parts.push(
      el(
        "details",
        {},
        el("summary", {}, t(each.title)),
        table(
          each.columns.map((c) => t(c)),
          each.rows.map((row) => row.map((c) => (typeof c === "number" ? shown(c) : c))),
          { caption: t(each.title), numbers: each.columns.map((_, i) => i).slice(1), head: true },
        ),
      ),
    );
  return parts;
}

// The page of a code: its Markdown is set plainly.
function explained(text) {
  return el(
    "div",
    { class: "card" },
    text.split("```").flatMap((part, i) =>
      i % 2
        ? [el("pre", {}, part.slice(part.indexOf("\n") + 1))]
        : part
            .split("\n")
            .filter((line) => line.trim())
            .map((line) => {
              const heading = line.match(/^#+ (.*)/);
              return el(heading ? "h4" : "p", {}, coded((heading ? heading[1] : line).replaceAll("**", "")));
            }),
    ),
  );
}

function code(run) {
  const parts = [],
    git = run.repository;
  if (git.commit) {
    parts.push(
      settings(
        [
          [t("commit"), `${git.commit.slice(0, 12)} ${git.subject}`],
          [t("branch"), git.branch],
          [t("changed since"), git.changes ? el("pre", { tabindex: 0 }, git.changes) : t("nothing")],
        ],
        t("repository"),
      ),
    );
    if (git.patch)
      parts.push(el("details", {}, el("summary", {}, t("What differs from the commit")), diff(git.patch.split("\n"))));
  }
  for (const file of run.code)
    parts.push(
      el(
        "details",
        { open: run.code.length === 1 && (file.text || "").length < 6000 },
        el(
          "summary",
          {},
          el("code", {}, file.name),
          " ",
          el("span", { class: "small" }, `sha256 ${file.sha256.slice(0, 16)}`),
        ),
        file.text ? el("pre", { tabindex: 0 }, file.text) : el("p", { class: "soft" }, t("too long to be kept")),
      ),
    );
  if (!run.code.length)
    parts.push(el("p", { class: "soft" }, t("The program's text is not known: it was typed in or read from a pipe.")));
  return parts;
}

function diff(lines) {
  return el(
    "pre",
    { class: "diff", tabindex: 0 },
    lines.map((line) =>
      el(
        "span",
        {
          class: /^@@|^diff |^index /.test(line)
            ? "at"
            : line.startsWith("+")
              ? "add"
              : line.startsWith("-")
                ? "cut"
                : null,
        },
        line || " ",
      ),
    ),
  );
}

function model(m) {
  return [
    el(
      "p",
      {},
      t("{all} parameters, {trainable} of them trainable", { all: shown(m.parameters), trainable: shown(m.trainable) }),
    ),
    el(
      "div",
      { class: "model" },
      el("pre", { tabindex: 0 }, m.text),
      m.source &&
        el(
          "figure",
          { class: "picture" },
          el("img", { src: m.source, alt: t("The model's layers, from its input to its output") }),
        ),
    ),
  ];
}

function profile(p) {
  const share = (seconds) => `${((100 * seconds) / p.total || 0).toFixed(1)} %`;
  const layers = p.layers.map(([name, calls, forward, backward, own]) => [
    el("code", {}, t(name)),
    shown(calls),
    duration(forward),
    duration(backward),
    share(own),
  ]);
  const rows = p.rows.map(([name, calls, own, all]) => [
    el("code", {}, name),
    shown(calls),
    duration(own),
    share(own),
    duration(all),
  ]);
  const numbers = [1, 2, 3, 4];
  return [
    el("p", {}, t("Where the time went: {time} in all", { time: duration(p.total) })),
    el(
      "div",
      { class: "tables" },
      layers.length > 0 &&
        table([t("layer"), t("calls"), t("forward"), t("backward"), t("own share")], layers, {
          caption: t("By layer"),
          numbers,
          head: true,
        }),
      table([t("operation"), t("calls"), t("own time"), t("own share"), t("with what it calls")], rows, {
        caption: t("By operation"),
        numbers,
        head: true,
      }),
    ),
    p.left_out > 0 && el("p", { class: "soft small" }, t("{n} more rows are not shown", { n: shown(p.left_out) })),
  ];
}

function seeds(run) {
  const end = run["seeds at the end"],
    first = run.seeds || {};
  const columns = ["", t("at the start"), ...(end ? [t("at the end")] : [])];
  return table(
    columns,
    Object.keys(first).map((k) => [t(k), first[k], ...(end ? [end[k]] : [])]),
    { caption: t("Random numbers: seeds and fingerprints of the generators' states"), head: true },
  );
}

function checkpoints(run) {
  return table(
    [t("file"), t("step"), t("size"), t("saved"), t("note")],
    run.items
      .filter((i) => i.kind === "checkpoint")
      .map((i) => [
        el("code", {}, i.name),
        shown(i.step),
        i.size === null ? t("not there") : `${shown(Math.ceil(i.size / 1024))} KiB`,
        date(i.time),
        i.note,
      ]),
    { caption: t("Checkpoints"), numbers: [1, 2] },
  );
}

// What is known of one run: [id, heading, count, content], those that there are.
function sections(run) {
  const pictures = items(run, "picture"),
    texts = run.items.filter((i) => i.kind === "table" || i.kind === "text").length;
  const chartOf = (title, members, options) =>
    new Chart(
      title,
      members.map((name) =>
        lineOf(
          run,
          run.metrics.find((m) => m.name === name),
          name,
          phaseStyle(name),
        ),
      ),
      view,
      options,
    );
  const checks = run.items.filter((i) => i.kind === "checkpoint").length;
  return [
    [
      "metrics",
      t("Metrics"),
      run.metrics.length,
      () => [
        chartsSection(
          chartOf,
          run.metrics.map((m) => m.name),
        ),
        run.metrics.length > 0 &&
          el("details", {}, el("summary", {}, t("All metrics: last, lowest, highest")), metricsTable(run)),
      ],
    ],
    pictures.length && [
      "pictures",
      t("Pictures"),
      pictures.length,
      () => el("div", { class: "pictures" }, pictures.map(picture)),
    ],
    texts && ["tables", t("Tables and texts"), texts, () => tables(run)],
    run.model && ["model", t("Model"), null, () => model(run.model)],
    run.doctor && ["doctor", t("Doctor"), run.doctor.findings.length || null, () => doctor(run)],
    run.profile && ["profile", t("Profile"), null, () => profile(run.profile)],
    checks && ["checkpoints", t("Checkpoints"), checks, () => checkpoints(run)],
    [
      "config",
      t("Configuration"),
      null,
      () =>
        Object.keys(run.config).length
          ? settings(flat(run.config), t("Configuration"))
          : el("p", { class: "soft" }, t("No settings were given: flambeau.Run(folder, config=...) takes them.")),
    ],
    [
      "environment",
      t("Environment"),
      null,
      () => [
        settings(
          Object.entries(run.environment).map(([k, v]) => [t(k), v]),
          t("Environment"),
        ),
        el("h3", {}, t("Seeds")),
        seeds(run),
        el(
          "details",
          {},
          el("summary", {}, t("Installed packages ({n})", { n: Object.keys(run.packages).length })),
          el(
            "pre",
            { tabindex: 0 },
            Object.entries(run.packages)
              .map(([k, v]) => `${k}==${v}`)
              .join("\n"),
          ),
        ),
      ],
    ],
    ["code", t("Code"), null, () => code(run)],
  ].filter(Boolean);
}
