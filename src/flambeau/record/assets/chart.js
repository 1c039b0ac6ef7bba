// One chart: lines over steps, epochs or time, as SVG, with a legend that hides lines, a cursor, zoom, and a table.
"use strict";

const DASHES = ["", "6 4", "2 3", "9 3 2 3"];

function sample(colour, dash) {
  return el(
    "svg:svg",
    { class: "swatch", viewBox: "0 0 18 10", "aria-hidden": "true" },
    el("svg:line", { x1: 0, x2: 18, y1: 5, y2: 5, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash }),
  );
}

class Chart {
  // title: its name; lines: [{label, step, time, value, marks, epochs}]; view: what all charts share (x, smoothing, log).
  constructor(title, lines, view, options = {}) {
    this.title = title;
    this.view = view;
    this.options = options;
    this.key = `#${options.key || title}`; // no name that an object has already, such as __proto__
    this.kept = view.charts[this.key] ||= { hidden: [], zoom: null, log: null, wide: false, table: false };
    this.lines = lines.map((line, i) => ({
      colour: `var(--s${i % 10})`,
      dash: DASHES[Math.floor(i / 10) % DASHES.length],
      ...line,
    }));
    this.steep = steep(this.lines.flatMap((line) => line.value));
    this.cursor = null;
    this.build();
  }

  // A logarithmic scale: where it was chosen for this chart, or for all; else where the first values dwarf all others.
  get log() {
    return this.kept.log ?? this.view.log ?? this.options.log ?? this.steep;
  }
  get visible() {
    return this.lines.filter((line) => !this.kept.hidden.includes(line.label));
  }

  build() {
    const button = (label, action, title, pressed) =>
      el(
        "button",
        { type: "button", onclick: action, title, "aria-label": `${title}: ${this.title}`, "aria-pressed": pressed },
        label,
      );
    this.buttons = {
      log: button(t("log"), () => this.setLog(!this.log), t("Logarithmic scale"), String(this.log)),
      reset: button(t("reset zoom"), () => this.zoomTo(null), t("Show all steps again")),
      table: button(
        t("table"),
        () => this.showTable(!this.kept.table),
        t("The numbers as a table"),
        String(this.kept.table),
      ),
      csv: button("CSV", () => this.save(), t("Save the points as CSV")),
      wide: button("⤢", () => this.setWide(!this.kept.wide), t("Whole width"), String(this.kept.wide)),
    };
    this.svg = el("svg:svg", { "aria-hidden": "true" });
    this.tip = el("div", { class: "tip", hidden: true });
    this.said = el("p", { class: "hidden", "aria-live": "polite" });
    this.plot = el(
      "div",
      {
        class: "plot",
        tabindex: 0,
        role: "group",
        "aria-roledescription": t("chart"),
        onkeydown: (e) => this.keyed(e),
        onpointermove: (e) => this.moved(e),
        onpointerdown: (e) => this.pressed(e),
        onpointerup: (e) => this.released(e),
        onpointercancel: () => this.dropped(),
        onpointerleave: () => this.left(),
        onblur: () => this.left(),
        ondblclick: () => this.zoomTo(null),
      },
      this.svg,
      this.tip,
    );
    this.legend = el(
      "div",
      { class: "legend", hidden: this.lines.length === 1 && this.lines[0].label.endsWith(this.title) },
      this.lines.map((line) =>
        el(
          "button",
          {
            type: "button",
            "aria-pressed": String(!this.kept.hidden.includes(line.label)),
            title: t("Show or hide; double-click shows it alone"),
            onclick: (e) => this.toggle(line, e.currentTarget),
            ondblclick: () => this.only(line),
          },
          sample(line.colour, line.dash),
          line.label,
        ),
      ),
    );
    this.note = el("p", { class: "note", hidden: true });
    this.numbers = el("div");
    this.element = el(
      "figure",
      { class: "chart" + (this.kept.wide ? " wide" : "") },
      el(
        "header",
        {},
        el(`h${this.options.level || 3}`, { class: "name" }, this.title),
        el("div", { class: "tools" }, Object.values(this.buttons)),
      ),
      this.plot,
      this.legend,
      this.note,
      this.said,
      this.numbers,
    );
    new ResizeObserver(() => this.draw()).observe(this.plot);
    if (this.kept.table) this.showTable(true);
  }

  // ---- what is drawn

  xs(line) {
    if (this.view.x === "time" && line.time) return line.time;
    if (this.view.x === "epoch" && line.epochs?.length) return line.step.map((s) => epochAt(line.epochs, s));
    return line.step;
  }

  markX(line, mark) {
    if (this.view.x === "time" && line.time) return mark[1];
    return this.view.x === "epoch" && line.epochs?.length ? epochAt(line.epochs, mark[0]) : mark[0];
  }

  // The points of a line that can be drawn: on a logarithmic scale, only those above zero.
  points(line) {
    const x = this.xs(line),
      w = this.view.smoothing,
      kept = [];
    const y = w > 0 && line.value.length > 2 ? smoothed(x, line.value, w) : line.value;
    for (let i = 0; i < x.length; i++)
      if (!this.log || y[i] > 0) kept.push({ x: x[i], y: y[i], raw: line.value[i], i });
    return kept;
  }

  draw() {
    const width = this.plot.clientWidth,
      height = this.kept.wide ? 380 : 230;
    if (!width) return;
    const drawn = this.visible.map((line) => ({ line, points: this.points(line) }));
    const marks = this.visible.flatMap((line) =>
      line.marks.map((mark) => ({ line, x: this.markX(line, mark), value: mark[2] })),
    );
    const range = this.range(drawn, marks);
    this.scale = scales(range, width, height, this.log);
    const { px, py } = this.scale,
      id = `clip${Chart.count++}`;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.svg.setAttribute("height", height);
    this.svg.replaceChildren(
      el(
        "svg:clipPath",
        { id },
        el("svg:rect", {
          x: LEFT - 3,
          y: 0,
          width: Math.max(0, width - LEFT - RIGHT + 6),
          height: height - BOTTOM + 3,
        }),
      ),
      ...this.axes(range, width, height),
      el(
        "svg:g",
        { "clip-path": `url(#${id})` },
        drawn.map(({ line, points }) => this.strokes(line, points, range)),
      ),
      ...marks.filter((mark) => mark.x >= range.low && mark.x <= range.high).map((mark) => this.mark(mark, height)),
    );
    this.over = el("svg:g");
    this.svg.append(this.over);
    this.drawn = drawn;
    this.buttons.reset.hidden = !this.kept.zoom;
    this.buttons.log.setAttribute("aria-pressed", String(this.log));
    this.remark(marks);
    this.plot.setAttribute("aria-label", this.summary());
    this.point();
  }

  range(drawn, marks) {
    const all = [...drawn.flatMap((d) => d.points.map((p) => p.x)), ...marks.map((m) => m.x)];
    let [low, high] = this.kept.zoom || extent(all);
    if (!(high > low)) [low, high] = [low - 0.5, high + 0.5];
    let bottom = Infinity,
      top = -Infinity;
    for (const { points } of drawn)
      for (const p of points)
        if (p.x >= low && p.x <= high) {
          const raw = this.log && p.raw <= 0 ? p.y : p.raw;
          bottom = Math.min(bottom, p.y, raw);
          top = Math.max(top, p.y, raw);
        }
    if (bottom > top) [bottom, top] = this.log ? [0.1, 1] : [0, 1];
    if (this.log) {
      const pad = Math.max(1.05, (top / bottom) ** 0.05);
      return { low, high, bottom: bottom / pad, top: top * pad };
    }
    const pad = top > bottom ? (top - bottom) * 0.06 : Math.abs(top) * 0.1 || 1;
    return { low, high, bottom: bottom - pad, top: top + pad };
  }

  axes({ low, high, bottom, top }, width, height) {
    const { px, py } = this.scale,
      parts = [];
    for (const value of this.log ? logTicks(bottom, top, 6) : ticks(bottom, top, 5)) {
      parts.push(
        el("svg:line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: py(value), y2: py(value) }),
        el("svg:text", { x: LEFT - 7, y: py(value) + 4, "text-anchor": "end" }, shown(value)),
      );
    }
    const time = this.view.x === "time",
      format = time ? duration : shown;
    const whole = (v) => this.view.x !== "step" || Number.isInteger(v);
    for (const value of ticks(low, high, Math.max(2, width / 75)).filter(whole)) {
      parts.push(
        el(
          "svg:text",
          { x: px(value), y: height - 6, "text-anchor": px(value) > width - 40 ? "end" : "middle" },
          format(value),
        ),
      );
    }
    parts.push(
      el("svg:line", { class: "axis", x1: LEFT, x2: width - RIGHT, y1: height - BOTTOM, y2: height - BOTTOM }),
    );
    return parts;
  }

  strokes(line, points, { low, high }) {
    const { px, py } = this.scale;
    // One point beyond either end, so that lines run on to the edge.
    let first = points.findIndex((p) => p.x >= low),
      last = points.length - 1;
    while (last > 0 && points[last].x > high) last--;
    if (first < 0) return [];
    const part = points.slice(Math.max(0, first - 1), last + 2);
    const path = (get) => part.map((p, i) => `${i ? "L" : "M"}${px(p.x).toFixed(1)} ${py(get(p)).toFixed(1)}`).join("");
    const style = {
      class: part.length > 400 && !this.view.smoothing ? "line fine" : "line",
      stroke: line.colour,
      "stroke-dasharray": line.dash,
    };
    const made = [el("svg:path", { ...style, d: path((p) => p.y) })];
    if (this.view.smoothing > 0 && line.value.length > 2)
      made.unshift(
        el("svg:path", { ...style, class: "line raw", d: path((p) => (this.log && p.raw <= 0 ? p.y : p.raw)) }),
      );
    if (part.length <= 40)
      made.push(
        ...part.map((p) =>
          el("svg:circle", { cx: px(p.x), cy: py(p.y), r: part.length === 1 ? 4 : 2.4, fill: line.colour }),
        ),
      );
    return made;
  }

  // What is not finite has no height: ▲ at the top, ▼ at the bottom for infinities, × at the bottom for NaN.
  mark({ line, x, value }, height) {
    const cx = this.scale.px(x),
      y = value === "Infinity" ? TOP + 6 : height - BOTTOM - 6;
    const d = { NaN: "M-4 -4L4 4M-4 4L4 -4", Infinity: "M-5 4L5 4L0 -5Z", "-Infinity": "M-5 -4L5 -4L0 5Z" }[value];
    return el(
      "svg:path",
      {
        class: "mark",
        d,
        transform: `translate(${cx.toFixed(1)} ${y})`,
        stroke: line.colour,
        "stroke-width": 2,
        fill: value === "NaN" ? "none" : line.colour,
      },
      el("svg:title", {}, `${line.label}: ${shown(value)}`),
    );
  }

  remark(marks) {
    const strange = this.lines.reduce((n, line) => n + (line.strange || 0), 0);
    const lost = this.log ? this.visible.reduce((n, line) => n + line.value.filter((v) => v <= 0).length, 0) : 0;
    const said = [
      strange && t("{n} values are not finite (× NaN, ▲ ∞, ▼ −∞)", { n: strange }),
      lost && t("{n} points at or below zero are not on a logarithmic scale", { n: lost }),
    ];
    this.note.textContent = said.filter(Boolean).join(" · ");
    this.note.hidden = !this.note.textContent;
  }

  summary() {
    const ends = this.visible.map((line) => `${line.label} ${line.value.length ? shown(line.value.at(-1)) : "–"}`);
    return `${this.title}. ${t("last values")}: ${ends.join(", ")}. ${t("Arrow keys read the values; + and − zoom, 0 shows all, L changes the scale.")}`;
  }

  // ---- the cursor

  nearest(points, x) {
    let best = null;
    for (const p of points) if (!best || Math.abs(p.x - x) < Math.abs(best.p.x - x)) best = { p };
    return best?.p;
  }

  point() {
    this.over.replaceChildren();
    if (this.drag) {
      const [a, b] = [this.drag.from, this.drag.to].sort((m, n) => m - n);
      this.over.append(
        el("svg:rect", { class: "select", x: a, y: TOP, width: b - a, height: this.scale.height - BOTTOM - TOP }),
      );
    }
    this.tip.hidden = this.cursor === null;
    if (this.cursor === null) return;
    const { px, py } = this.scale,
      rows = [];
    let at = null;
    for (const { line, points } of this.drawn) {
      const p = this.nearest(points, this.cursor);
      const mark = line.marks
        .map((m) => ({ x: this.markX(line, m), value: m[2] }))
        .find((m) => p === undefined || Math.abs(m.x - this.cursor) < Math.abs(p.x - this.cursor));
      const found = mark || p;
      if (!found) continue;
      if (at === null || Math.abs(found.x - this.cursor) < Math.abs(at - this.cursor)) at = found.x;
      rows.push({
        line,
        x: found.x,
        text: shown(mark ? mark.value : p.raw) + (!mark && this.view.smoothing > 0 ? ` (${shown(p.y)})` : ""),
        y: mark ? null : p.y,
      });
    }
    if (at === null) {
      this.tip.hidden = true;
      return;
    }
    const here = rows.filter((r) => Math.abs(px(r.x) - px(at)) < 24);
    this.over.append(
      el("svg:line", { class: "cursor", x1: px(at), x2: px(at), y1: TOP, y2: this.scale.height - BOTTOM }),
      ...here
        .filter((r) => r.y !== null)
        .map((r) =>
          el("svg:circle", {
            cx: px(r.x),
            cy: py(r.y),
            r: 4,
            fill: r.line.colour,
            stroke: "var(--card)",
            "stroke-width": 1.5,
          }),
        ),
    );
    const head = `${t(this.view.x)} ${this.view.x === "time" ? duration(at) : shown(at)}`;
    this.tip.replaceChildren(
      el("div", { class: "soft" }, head),
      ...here.map((r) => el("div", {}, sample(r.line.colour, r.line.dash), r.line.label, el("b", {}, r.text))),
    );
    const x = px(at),
      room = this.plot.clientWidth - this.tip.offsetWidth;
    this.tip.style.left = `${Math.max(0, Math.min(room, x + 14 > room ? x - this.tip.offsetWidth - 14 : x + 14))}px`;
    this.tip.style.top = "6px";
    this.spoken = `${head}: ${here.map((r) => `${r.line.label} ${r.text}`).join(", ")}`;
  }

  where(event) {
    return event.clientX - this.plot.getBoundingClientRect().left;
  }

  moved(event) {
    const x = this.where(event);
    if (this.drag) this.drag.to = Math.min(this.scale.width - RIGHT, Math.max(LEFT, x));
    this.cursor = this.scale.data(x);
    this.point();
  }

  pressed(event) {
    if (event.button) return;
    const x = Math.min(this.scale.width - RIGHT, Math.max(LEFT, this.where(event)));
    this.drag = { from: x, to: x };
    this.plot.setPointerCapture(event.pointerId);
  }

  released() {
    const drag = this.drag;
    this.drag = null;
    if (drag && Math.abs(drag.to - drag.from) > 6) {
      const [a, b] = [drag.from, drag.to].sort((m, n) => m - n);
      this.zoomTo([this.scale.data(a), this.scale.data(b)]);
    } else this.point();
  }

  dropped() {
    this.drag = null;
    this.point();
  }
  left() {
    if (!this.drag) {
      this.cursor = null;
      this.point();
    }
  }

  keyed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { low, high } = this.scale.range,
      x = this.cursor ?? (low + high) / 2;
    const places = [...new Set(this.drawn.flatMap((d) => d.points.map((p) => p.x)))]
      .filter((v) => v >= low && v <= high)
      .sort((a, b) => a - b);
    const jump = Math.max(1, Math.round(places.length / (event.shiftKey ? 10 : 100)));
    let i = places.findIndex((v) => v >= x);
    if (i < 0) i = places.length - 1;
    const zoom = (factor) => this.zoomTo([x - (x - low) * factor, x + (high - x) * factor]);
    const actions = {
      ArrowRight: () => this.read(places[Math.min(places.length - 1, this.cursor === null ? 0 : i + jump)]),
      ArrowLeft: () => this.read(places[Math.max(0, this.cursor === null ? places.length - 1 : i - jump)]),
      Home: () => this.read(places[0]),
      End: () => this.read(places.at(-1)),
      "+": () => zoom(0.5),
      "=": () => zoom(0.5),
      "-": () => zoom(2),
      0: () => this.zoomTo(null),
      Escape: () => {
        this.drag = null;
        this.cursor = null;
        this.zoomTo(null);
      },
      l: () => this.setLog(!this.log),
    };
    const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action || !places.length) return;
    event.preventDefault();
    action();
  }

  read(x) {
    this.cursor = x;
    this.point();
    this.said.textContent = this.spoken;
  }

  // ---- what the reader chooses

  zoomTo(range) {
    const all = extent(this.drawn.flatMap((d) => d.points.map((p) => p.x)));
    if (range && range[0] <= all[0] && range[1] >= all[1]) range = null;
    this.kept.zoom = range;
    this.draw();
    remember();
  }

  setLog(log) {
    this.kept.log = log;
    this.draw();
    remember();
  }

  setWide(wide) {
    this.kept.wide = wide;
    this.element.classList.toggle("wide", wide);
    this.buttons.wide.setAttribute("aria-pressed", String(wide));
    this.draw();
    remember();
  }

  toggle(line, button) {
    const hidden = new Set(this.kept.hidden);
    hidden.delete(line.label) || hidden.add(line.label);
    this.kept.hidden = [...hidden];
    button.setAttribute("aria-pressed", String(!hidden.has(line.label)));
    this.draw();
    remember();
  }

  only(line) {
    this.kept.hidden = this.lines.filter((other) => other !== line).map((other) => other.label);
    [...this.legend.children].forEach((button, i) =>
      button.setAttribute("aria-pressed", String(this.lines[i] === line)),
    );
    this.draw();
    remember();
  }

  showTable(open) {
    this.kept.table = open;
    this.buttons.table.setAttribute("aria-pressed", String(open));
    this.numbers.replaceChildren();
    remember();
    if (!open) return;
    const rows = this.lines.flatMap((line) =>
      thinRows(line).map(([step, value]) => [line.label, shown(step), shown(value)]),
    );
    this.numbers.append(
      table([t("metric"), t("step"), t("value")], rows, {
        caption: `${this.title}: ${t("at most 50 points of each line; CSV has all")}`,
        numbers: [1, 2],
      }),
    );
  }

  save() {
    const link = el("a", {
      href: URL.createObjectURL(new Blob([csv(this.lines)], { type: "text/csv" })),
      download: `${this.title.replace(/[^\p{L}\p{N}]+/gu, "-")}.csv`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }
}
Chart.count = 0;
