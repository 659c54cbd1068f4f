// The two charts: labels over time, and confidence.

import { byId, el } from "./dom.js";
import { number, share, visible } from "./show.js";

const MOST = 10; // labels with a colour of their own; what is left of them is "other"
const HEIGHT = 116; // px
const STATUSES = ["unsure", "rejected"]; // which stand beside the labels, however few
const REMOVALS = ["deleted", "version_removed"]; // which went, and did not come in
const OTHER = "other";
const STEP = { hour: 3600, day: 86400 }; // s
const hour = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const compact = new Intl.NumberFormat(undefined, { notation: "compact" });
/** @type {Promise<any> | null} */
let loading = null;

/** The library is a plain script; it comes when there is something to draw. */
function library() {
  loading ??= new Promise((resolve, reject) => {
    const script = el("script", { src: "/assets/uplot.js" });
    script.addEventListener("load", () => resolve(globalThis.uPlot));
    script.addEventListener("error", () =>
      reject(new Error("The charts cannot be drawn: /assets/uplot.js did not come.")),
    );
    document.head.append(script);
  });
  return loading;
}

/** @type {Map<string, any>} what is drawn, by the element's id */
const drawn = new Map();

/**
 * What of the counts came in; hours and days in which things only went are left out.
 * @param {{ time: string, labels: Record<string, number> }[]} byTime
 */
export function cameIn(byTime) {
  const came = ({ labels }) => Object.entries(labels).filter(([label]) => !REMOVALS.includes(label));
  return byTime
    .map((period) => ({ time: period.time, labels: Object.fromEntries(came(period)) }))
    .filter(({ labels }) => Object.keys(labels).length);
}

/**
 * Labels over time: bars upon each other.
 * @param {{ time: string, labels: Record<string, number> }[]} byTime @param {string[]} labels the model's, in order
 * @param {{ by: "hour" | "day", hours: number }} over how the time is cut, and how much of it is shown
 * @param {(label: string) => void} choose
 */
export async function drawLabels(byTime, labels, { by, hours }, choose) {
  const { times, names, counts } = table(byTime, labels, by, hours);
  const uPlot = await library();
  const colours = coloursOf(names, labels);
  // Drawn from the whole to the first part, each over the one before.
  const sums = counts.map((_, upTo) =>
    times.map((__, at) => counts.slice(0, upTo + 1).reduce((sum, row) => sum + row[at], 0)),
  );
  const order = sums.map((_, index) => index).reverse();
  const series = order.map((index) => ({
    label: names[index],
    fill: colours[index],
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars({ size: [0.85, 40], align: 1 }),
  }));
  const step = STEP[by];
  const range = [times[0], times[times.length - 1] + step];
  const data = [times, ...order.map((index) => sums[index])];
  plot(
    uPlot,
    "chart-labels",
    series,
    data,
    { x: { time: true, range }, y: { range: upTo } },
    { values: (_, ticks) => ticks.map((at) => tick(at, by)) },
  );
  byId("chart-labels").setAttribute("aria-label", `Labels by ${by}: ${spoken(names, counts)}`);
  byId("legend").replaceChildren(
    ...names.map((name, index) => {
      const swatch = el("span", { class: "swatch" });
      swatch.style.background = colours[index];
      const is = labels.includes(name);
      const total = counts[index].reduce((sum, count) => sum + count, 0);
      const words = [swatch, visible(name), el("span", { class: "number" }, number(total))];
      return el(
        "li",
        {},
        is
          ? el("button", { type: "button", title: `Show only ${visible(name)}`, onclick: () => choose(name) }, ...words)
          : el("span", {}, ...words),
      );
    }),
  );
  const format = new Intl.DateTimeFormat(
    undefined,
    by === "hour" ? { dateStyle: "short", timeStyle: "short" } : { dateStyle: "medium" },
  );
  asTable(
    "table-labels",
    [by === "hour" ? "Hour" : "Day", ...names],
    times
      .map((time, at) => [format.format(time * 1000), ...counts.map((row) => number(row[at]))])
      .filter((_, at) => counts.some((row) => row[at]))
      .reverse(),
  );
}

/** How confident the model was: tenths, of the classified and the unsure. */
export async function drawConfidence(tenths, threshold) {
  const uPlot = await library();
  const style = getComputedStyle(document.documentElement);
  const accent = style.getPropertyValue("--accent").trim();
  const warn = style.getPropertyValue("--warn").trim();
  const xs = tenths.map((_, index) => index / 10);
  const bars = (fill) => ({
    fill,
    width: 0,
    points: { show: false },
    paths: uPlot.paths.bars({ size: [0.85, 80], align: 1 }),
  });
  // Below the threshold an answer is unsure: the two sides of it in two colours.
  const split = (below) => tenths.map((count, index) => ((index + 0.5) / 10 < (threshold ?? 0) === below ? count : 0));
  const axis = { splits: () => [0, 0.2, 0.4, 0.6, 0.8, 1], values: (_, ticks) => ticks.map((at) => at.toFixed(1)) };
  plot(
    uPlot,
    "chart-confidence",
    [bars(warn), bars(accent)],
    [xs, split(true), split(false)],
    { x: { time: false, range: [0, 1] }, y: { range: upTo } },
    axis,
  );
  const all = tenths.reduce((sum, count) => sum + count, 0);
  byId("chart-confidence").setAttribute(
    "aria-label",
    `Confidence: ${number(all)} answers, ${share(tenths[9], all)} of them at 0.9 or above`,
  );
  asTable(
    "table-confidence",
    ["Confidence", "Answers"],
    tenths.map((count, index) => [`${(index / 10).toFixed(1)} to ${((index + 1) / 10).toFixed(1)}`, number(count)]),
  );
}

/** Times and counts with nothing left out: an hour without a picture is a gap in the bars too. */
function table(byTime, labels, by, hours) {
  const step = STEP[by];
  const found = new Map(byTime.map(({ time, labels: of }) => [Math.floor(Date.parse(time) / 1000), of]));
  const last = Math.max(Math.floor(Date.now() / 1000 / step) * step, ...found.keys());
  const first = Math.min(last - Math.ceil((hours * 3600) / step) * step + step, ...found.keys());
  const times = [];
  for (let at = first; at <= last && times.length < 3000; at += step) times.push(at);
  const totals = new Map();
  for (const of of found.values())
    for (const [label, count] of Object.entries(of)) totals.set(label, (totals.get(label) ?? 0) + count);
  const said = [...totals.keys()].filter((name) => !STATUSES.includes(name));
  const most = said.sort((a, b) => totals.get(b) - totals.get(a)).slice(0, MOST);
  const rank = (label) => (labels.includes(label) ? labels.indexOf(label) : labels.length);
  const names = most.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  names.push(...STATUSES.filter((status) => totals.has(status)));
  const counts = names.map((name) => times.map((time) => found.get(time)?.[name] ?? 0));
  if (said.length > MOST) {
    counts.push(
      times.map((time) =>
        Object.entries(found.get(time) ?? {}).reduce(
          (sum, [label, count]) => sum + (names.includes(label) ? 0 : count),
          0,
        ),
      ),
    );
    names.push(OTHER);
  }
  return { times, names, counts };
}

/** A label keeps its colour from one day to the next while all are among the first; what is no label has its own. */
function coloursOf(names, labels) {
  const style = getComputedStyle(document.documentElement);
  const places = names.map((name) => labels.indexOf(name));
  const keep = places.every((place) => place < MOST);
  return names.map((name, index) => {
    const series = STATUSES.includes(name) ? name : places[index] < 0 ? "other" : keep ? places[index] : index;
    return style.getPropertyValue(`--series-${series}`).trim();
  });
}

function upTo(_, __, most) {
  return [0, Math.max(1, most) * 1.05];
}

/** The hour, or the day where one begins. */
function tick(at, by) {
  const time = new Date(at * 1000);
  return by === "hour" && time.getHours() + time.getMinutes() > 0 ? hour.format(time) : day.format(time);
}

function plot(uPlot, id, series, data, scales, xAxis) {
  const box = byId(id);
  const style = getComputedStyle(document.documentElement);
  const [text, line] = ["--soft", "--line"].map((name) => style.getPropertyValue(name).trim());
  const axis = {
    stroke: text,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    font: "11px system-ui, sans-serif",
  };
  drawn.get(id)?.destroy();
  const whole = (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? compact.format(tick) : ""));
  drawn.set(
    id,
    new uPlot(
      {
        width: Math.max(160, box.clientWidth),
        height: HEIGHT,
        padding: [8, 30, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales,
        axes: [
          { ...axis, size: 24, gap: 4, space: 72, grid: { show: false }, ...xAxis },
          { ...axis, size: 40, gap: 4, values: whole, space: 32 },
        ],
        series: [{}, ...series],
      },
      data,
      box,
    ),
  );
}

/** Charts keep the width of their place. */
export function fitCharts() {
  for (const [id, chart] of drawn) {
    const width = byId(id).clientWidth;
    if (width && width !== chart.width) chart.setSize({ width, height: HEIGHT });
  }
}

function asTable(id, head, rows) {
  byId(id).replaceChildren(
    el("thead", {}, el("tr", {}, ...head.map((name) => el("th", { scope: "col" }, visible(name))))),
    el(
      "tbody",
      {},
      ...rows.map(([first, ...others]) =>
        el("tr", {}, el("th", { scope: "row" }, first), ...others.map((cell) => el("td", {}, cell))),
      ),
    ),
  );
}

function spoken(names, counts) {
  return names
    .map((name, index) => `${visible(name)} ${number(counts[index].reduce((sum, count) => sum + count, 0))}`)
    .join(", ");
}
