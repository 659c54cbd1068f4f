// The page of `spotter serve`: wires its parts together. What each part is about stands at its head.

import { api } from "./api.js";
import { byId, el } from "./dom.js";
import { startDiff } from "./diff.js";
import { startDrawing } from "./draw.js";
import { startFilters } from "./filters.js";
import { startGallery } from "./gallery.js";
import { showJourney, showPlan, showWaiting } from "./journey.js";
import { onRecord, publish, startLive } from "./live.js";
import { problem, solved, startProblem } from "./problem.js";
import { startObject } from "./object.js";
import { startReview } from "./review.js";
import { objectUrl, visible } from "./show.js";
import { change, current, onState } from "./state.js";
import { startStats } from "./stats.js";
import { startToken } from "./token.js";
import { startUploads } from "./uploads.js";

const AGAIN = 3000; // ms between two tries to begin

startProblem();
startToken();
begin();

async function begin() {
  try {
    const about = await api.about();
    solved("about");
    start(about);
  } catch (error) {
    problem("about", error);
    setTimeout(begin, AGAIN);
  }
}

function start(about) {
  byId("endpoint").textContent = [about.bucket && `s3://${about.bucket}`, about.s3].filter(Boolean).join(" at ");
  // First of all who follow the address: what is hidden can take no focus and has no size.
  onState(showView);
  showView(current());
  startModels(about);
  startFilters(about);
  const { open } = startObject(about);
  const gallery = startGallery(about, open);
  startReview(about, open);
  startDiff(about, open);
  const strip = startStrip(about, open);
  const uploads = startUploads(
    about,
    (record) => {
      publish(record);
      strip(record);
    },
    open,
  );
  startDrawing(uploads.addDrawing);
  startSamples(about, gallery.refresh);
  startLive(about);
  startStats(about);
  startFolds();
}

/** A phone has no room for everything at once: what is folded there opens where somebody asks for it. */
function startFolds() {
  const narrow = matchMedia("(max-width: 48rem)"); // as in style.css
  const fold = () => document.querySelectorAll("details.fold").forEach((part) => (part.open = !narrow.matches));
  narrow.addEventListener("change", fold);
  fold();
}

/** The last upload's journey, beside the drawing area. Of many at once only the last is asked for. */
function startStrip(about, open) {
  const list = byId("strip");
  showPlan(list);
  /** @type {{ bucket: string, key: string } | null} */
  let next = null;
  let walking = false;
  return async (record) => {
    next = record;
    if (walking) return;
    walking = true;
    while (next) {
      const { bucket, key } = next;
      next = null;
      await walk(bucket, key);
    }
    walking = false;
  };

  async function walk(bucket, key) {
    showWaiting(list);
    const again = () => open({ bucket, key });
    const name = visible(objectUrl(bucket, key));
    byId("strip-name").replaceChildren(el("button", { type: "button", class: "link", onclick: again }, name));
    try {
      showJourney(list, await api.journey(bucket, key), about.labels);
      solved("journey");
    } catch (error) {
      list.removeAttribute("aria-busy");
      problem("journey", error);
    }
  }
}

function startModels(about) {
  const models = about.models.filter((model) => model && !model.startsWith("human"));
  const select = /** @type {HTMLSelectElement} */ (byId("model"));
  byId("model-name").textContent = about.model;
  if (models.length < 2) return;
  byId("model-name").hidden = true;
  byId("model-choice").hidden = false;
  select.replaceChildren(...models.map((model) => el("option", { value: model }, model)));
  const show = ({ model }) => (select.value = model || about.model);
  show(current());
  onState(show);
  select.addEventListener("change", () => change({ model: select.value === about.model ? "" : select.value }));
}

function startSamples(about, refresh) {
  const button = byId("load-samples");
  byId("samples").hidden = !about.samples;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await api.samples();
      solved("samples");
      // They come live; who is not listening looks again.
      if (about.live === "poll") setTimeout(refresh, 1000);
    } catch (error) {
      problem("samples", error);
    }
    button.disabled = false;
  });
  onRecord(() => (byId("empty").hidden = true));
}

function showView(state) {
  const view = ["review", "diff"].includes(state.view) ? state.view : "results";
  for (const name of ["results", "review", "diff"]) byId(name).hidden = name !== view;
  byId("start-review").setAttribute("aria-pressed", String(view === "review"));
  byId("start-diff").setAttribute("aria-pressed", String(view === "diff"));
}
