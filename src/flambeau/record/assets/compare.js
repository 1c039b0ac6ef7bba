// The page that lays runs side by side: curves over each other, what differs, last values, the programs' differences.
"use strict";

function compareSections(runs) {
  const names = [...new Set(runs.flatMap((run) => run.metrics.map((m) => m.name)))];
  return [
    ["runs", t("Runs"), runs.length, () => runsTable(runs)],
    [
      "metrics",
      t("Metrics"),
      names.length,
      () => [
        chartsSection((title, members, options) => overlaid(runs, title, members, options), names),
        names.length ? lastValues(runs, names) : null,
      ],
    ],
    [
      "config",
      t("Configuration"),
      null,
      () => differences(runs, (run) => Object.fromEntries(flat(run.config)), t("Configuration")),
    ],
    [
      "environment",
      t("Environment"),
      null,
      () =>
        differences(
          runs,
          (run) => ({
            ...translated({ ...run.environment, process: undefined }),
            ...translated(run.seeds),
            ...run.packages,
            ...(run.repository.commit ? { [t("commit")]: run.repository.commit.slice(0, 12) } : {}),
          }),
          t("Environment"),
        ),
    ],
    ["code", t("Code"), null, () => programs()],
  ];
}

const translated = (pairs) =>
  Object.fromEntries(
    Object.entries(pairs || {})
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => [t(k), v]),
  );

// A line for each run and metric: the run is the colour, the phase (train, val) the dash.
function overlaid(runs, title, members, options) {
  const lines = members.flatMap((name, j) =>
    runs
      .map((run, i) => {
        const metric = run.metrics.find((m) => m.name === name);
        const style = { colour: `var(--s${i % 10})`, dash: DASHES[(j + Math.floor(i / 10)) % DASHES.length] };
        return metric && lineOf(run, metric, members.length > 1 ? `${run.name} · ${name}` : run.name, style);
      })
      .filter(Boolean),
  );
  return new Chart(title, lines, view, options);
}

function runsTable(runs) {
  const rows = runs.map((run, i) => [
    el("span", {}, sample(`var(--s${i % 10})`, ""), " ", run.name),
    t(run.status),
    date(run.started),
    duration(run.seconds),
    run.steps > 0 ? shown(run.steps) : "–",
    run.model ? shown(run.model.parameters) : "–",
    el("code", {}, run.folder),
  ]);
  return table([t("run"), t("state"), t("began"), t("duration"), t("steps"), t("parameters"), t("folder")], rows, {
    caption: t("Runs"),
    numbers: [3, 4, 5],
    head: true,
  });
}

function lastValues(runs, names) {
  const rows = names.flatMap((name) =>
    ["last", "low", "high"].map((which) => [
      which === "last" ? name : "",
      t({ last: "last", low: "lowest", high: "highest" }[which]),
      ...runs.map((run) => {
        const metric = run.metrics.find((m) => m.name === name);
        return metric?.[which] ? shown(metric[which][1]) : "–";
      }),
    ]),
  );
  return [
    el("h3", {}, t("Values")),
    table([t("metric"), "", ...runs.map((run) => run.name)], rows, {
      caption: t("Last, lowest and highest values"),
      numbers: runs.map((_, i) => i + 2),
      head: true,
      mark: (row) => (row[0] ? null : "same"),
    }),
  ];
}

function differences(runs, pairs, label) {
  const given = runs.map(pairs),
    names = [...new Set(given.flatMap(Object.keys))];
  const text = (values, name) => (Object.hasOwn(values, name) ? worded(values[name]) : "–");
  const differ = names.filter((name) => new Set(given.map((values) => text(values, name))).size > 1);
  const rows = (list) => list.map((name) => [name, ...given.map((values) => text(values, name))]);
  const columns = ["", ...runs.map((run) => run.name)],
    same = names.filter((name) => !differ.includes(name));
  return [
    differ.length
      ? table(columns, rows(differ), { caption: t("What differs"), head: true, mark: () => "differs" })
      : el("p", {}, names.length ? t("Nothing differs.") : t("Nothing was recorded.")),
    same.length
      ? el(
          "details",
          {},
          el("summary", {}, t("What is the same ({n})", { n: same.length })),
          table(
            ["", t("all runs")],
            rows(same).map((row) => row.slice(0, 2)),
            { caption: label, head: true },
          ),
        )
      : null,
  ];
}

function programs() {
  if (!DATA.programs.length) return el("p", {}, t("The programs are the same."));
  return DATA.programs.map((each) =>
    el(
      "details",
      { open: DATA.programs.length < 4 },
      el("summary", {}, el("code", {}, each.file), ` · ${each.from} → ${each.to}`),
      diff(each.lines),
    ),
  );
}
