// Asks for the figures behind the charts: at first, when the question changes, and now and then as rows come in.

import { showAccuracy } from "./accuracy.js";
import { api } from "./api.js";
import { cameIn, drawConfidence, drawLabels, fitCharts } from "./charts.js";
import { byId } from "./dom.js";
import { onBack, onRecord } from "./live.js";
import { problem, solved } from "./problem.js";
import { correctionTime } from "./show.js";
import { change, current, onState } from "./state.js";

const OFTEN = 2000; // ms, at least, between two questions
const SHARE = 10; // and at least so many times as long as the last answer took: figures are counted over all rows
const RANGES = {
  "24h": { by: "hour", hours: 24 },
  "7d": { by: "hour", hours: 168 },
  "90d": { by: "day", hours: 2160 },
};

/** @param {{ labels: string[], model: string, threshold: number }} about */
export function startStats(about) {
  const range = /** @type {HTMLSelectElement} */ (byId("range"));
  let abort = new AbortController();
  let pause = OFTEN;
  let last = 0;
  let later = 0;
  let asking = false;
  let again = false; // rows came while a question was under way
  let chosen = false; // by a person; before, the shortest range in which there is something
  /** @type {object | null} */
  let figures = null;

  async function ask() {
    clearTimeout(later);
    later = 0;
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const state = current();
    const over = RANGES[range.value];
    last = performance.now();
    asking = true;
    again = false;
    try {
      const query = { model: state.model || about.model, since: range.value, by: over.by };
      const stats = await api.stats(query, signal);
      figures = { ...stats, by_time: cameIn(stats.by_time), over };
      if (!chosen && longer()) return ask();
      await draw();
      solved("stats");
    } catch (error) {
      problem("stats", error);
      if (!error.final && !signal.aborted) again = true;
    }
    if (signal.aborted) return; // another question is under way
    asking = false;
    pause = Math.max(OFTEN, SHARE * (performance.now() - last));
    if (again) soon();
  }

  function longer() {
    const empty = figures.by_time.length === 0;
    const more = range.selectedIndex + 1 < range.options.length;
    if (empty && more) range.selectedIndex += 1;
    else if (empty) range.selectedIndex = 0;
    return empty && more;
  }

  async function draw() {
    if (!figures) return;
    const { over, by_time: byTime, confidence, accuracy } = figures;
    const some = byTime.length > 0;
    byId("charts").hidden = !some && !chosen;
    byId("charts-none").hidden = some;
    byId("charts-drawn").hidden = !some;
    showAccuracy(accuracy);
    if (!some) return;
    await drawLabels(byTime, about.labels, over, (label) => change({ label, view: "" }));
    await drawConfidence(confidence, about.threshold);
  }

  /** A question under way goes on to its end: rows may come faster than figures are counted. */
  function soon() {
    again = asking;
    if (asking || later) return;
    later = setTimeout(ask, Math.max(0, pause - (performance.now() - last)));
  }

  onRecord((record) => {
    // Who corrects wants to see it count.
    if (correctionTime(record) !== null && pause <= OFTEN && !asking) ask();
    else soon();
  });
  onBack(soon);
  onState((state, before) => {
    if (state.model !== before.model) ask();
  });
  range.addEventListener("change", () => {
    chosen = true;
    ask();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    draw().catch((error) => problem("stats", error)),
  );
  new ResizeObserver(fitCharts).observe(byId("charts"));
  return ask();
}
