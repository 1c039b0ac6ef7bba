// Numbers for charts: ticks, scales, smoothing, thinning.
"use strict";

const LEFT = 54,
  RIGHT = 10,
  TOP = 8,
  BOTTOM = 24;

// About `count` round numbers from low to high.
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(1, count),
    power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((n) => n * power >= rough * 0.999) * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++)
    found.push(Number((i * step).toPrecision(12)));
  return found;
}

// Powers of ten from low to high; with 2 and 5 between them where there are few.
function logTicks(low, high, count) {
  const from = Math.floor(Math.log10(low)),
    to = Math.ceil(Math.log10(high)),
    found = [];
  const every = Math.max(1, Math.ceil((to - from) / count)),
    between = to - from <= 3 ? [1, 2, 5] : [1];
  for (let e = from; e <= to; e += every) for (const n of between) found.push(Number((n * 10 ** e).toPrecision(3)));
  const inside = found.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  return inside.length > 1 ? inside : ticks(low, high, count).filter((v) => v > 0);
}

// Running mean, without the pull to its start. The past fades with the distance along x (w for a thousandth of the whole),
// so that lines of few and of many points are smoothed alike.
function smoothed(x, y, w) {
  const unit = (x.at(-1) - x[0]) / 1000 || 1;
  let mean = 0,
    weight = 0;
  return y.map((v, i) => {
    const kept = i ? w ** Math.max(0, (x[i] - x[i - 1]) / unit) : 0.5;
    mean = kept * mean + (1 - kept) * v;
    weight = kept * weight + 1 - kept;
    return mean / weight;
  });
}

function thinRows(line) {
  const rows = [...line.step.map((s, i) => [s, line.value[i]]), ...line.marks.map((m) => [m[0], m[2]])].sort(
    (a, b) => a[0] - b[0],
  );
  const every = Math.ceil(rows.length / 50);
  return rows.filter((_, i) => i % every === 0 || i === rows.length - 1);
}

// Whether a linear scale would show little but a few large values.
function steep(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted.length > 4 && sorted[0] > 0 && sorted.at(-1) > 20 * sorted[sorted.length >> 1];
}

function extent(values) {
  let low = Infinity,
    high = -Infinity;
  for (const v of values) {
    if (v < low) low = v;
    if (v > high) high = v;
  }
  return low > high ? [0, 1] : [low, high];
}

function scales(range, width, height, log) {
  const { low, high, bottom, top } = range,
    f = log ? Math.log : (v) => v,
    span = f(top) - f(bottom) || 1;
  return {
    range,
    width,
    height,
    px: (x) => LEFT + ((x - low) / (high - low)) * (width - LEFT - RIGHT),
    py: (y) => height - BOTTOM - ((f(y) - f(bottom)) / span) * (height - TOP - BOTTOM),
    data: (p) => low + Math.min(1, Math.max(0, (p - LEFT) / (width - LEFT - RIGHT))) * (high - low),
  };
}

// The epoch at a step, between the steps where one was noted.
function epochAt(epochs, step) {
  let i = 0;
  while (i < epochs.length - 1 && epochs[i + 1][0] <= step) i++;
  const [s, e] = epochs[i],
    next = epochs[i + 1];
  return step <= s || !next ? e : e + ((step - s) / (next[0] - s)) * (next[1] - e);
}

// All points of some lines as CSV, with the mark by which spreadsheets know UTF-8.
function csv(lines) {
  const quote = (text) => `"${String(text).replaceAll('"', '""')}"`;
  const rows = lines.flatMap((line) => {
    const points = [...line.step.map((step, i) => [step, line.time?.[i] ?? "", line.value[i]]), ...line.marks];
    points.sort((a, b) => a[0] - b[0]);
    return points.map(([step, time, value]) =>
      [quote(line.label), step, line.epochs?.length ? epochAt(line.epochs, step) : "", time, value].join(","),
    );
  });
  return "\ufeff" + ["metric,step,epoch,seconds,value", ...rows].join("\r\n") + "\r\n";
}
