// Asks for the figures behind the charts: at first, when the question changes, and now and then as rows come in.

import { api } from "./api.js";
import { drawConfidence, drawLabels, fitCharts, showAccuracy } from "./charts.js";
import { byId } from "./dom.js";
import { onRecord } from "./live.js";
import { problem, solved } from "./problem.js";
import { correctionTime } from "./show.js";
import { change, current, onState } from "./state.js";

const OFTEN = 2000; // ms, at least, between two questions
const SHARE = 10; // and at least so many times as long as the last answer took: figures are counted over all rows
const RANGES = {
  "24h": { since: "24h", by: "hour" },
  "7d": { since: "7d", by: "hour" },
  "90d": { since: "90d", by: "day" },
};

/** @param {{ labels: string[], model: string, threshold: number }} about */
export function startStats(about) {
  const range = /** @type {HTMLSelectElement} */ (byId("range"));
  let abort = new AbortController();
  let pause = OFTEN;
  let last = 0;
  let later = 0;
  /** @type {object | null} */
  let figures = null;

  async function ask() {
    clearTimeout(later);
    later = 0;
    abort.abort();
    abort = new AbortController();
    const { signal } = abort;
    const state = current();
    const { since, by } = RANGES[range.value];
    last = performance.now();
    try {
      const answer = await api.stats({ model: state.model || about.model, since, by }, signal);
      figures = { ...answer, by };
      await draw();
      solved("stats");
    } catch (error) {
      problem("stats", error);
    }
    pause = Math.max(OFTEN, SHARE * (performance.now() - last));
  }

  async function draw() {
    if (!figures) return;
    const { by, by_time: byTime, confidence, accuracy } = figures;
    const some = byTime.length > 0;
    byId("charts").hidden = !some && !accuracy?.checked && range.value === "24h";
    byId("charts-none").hidden = some;
    byId("charts-drawn").hidden = !some;
    showAccuracy(accuracy);
    if (!some) return;
    await drawLabels(byTime, about.labels, by, (label) => change({ label, view: "" }));
    await drawConfidence(confidence, about.threshold);
  }

  function soon() {
    if (later) return;
    later = setTimeout(ask, Math.max(0, pause - (performance.now() - last)));
  }

  onRecord((record) => {
    // Who corrects wants to see it count.
    if (correctionTime(record) !== null && pause <= OFTEN) ask();
    else soon();
  });
  onState((state, before) => {
    if (state.model !== before.model) ask();
  });
  range.addEventListener("change", ask);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    draw().catch((error) => problem("stats", error)),
  );
  new ResizeObserver(fitCharts).observe(byId("charts"));
  return ask();
}
