// The way of one picture as a strip: the original, the ink, what the model saw, its answers, and the row as written.

import { el, icon, picture } from "./dom.js";
import { confidence, labelsOf, milliseconds, moment, reasonText, statusText, visible } from "./show.js";

/** What the steps are called, and what is said of them where nothing else is. */
const STEPS = {
  fetch: ["Fetched", "The object's bytes, from the bucket"],
  decode: ["Original", "Its pixels, upright"],
  ink: ["Ink", "Pen apart from paper"],
  seen: ["Seen", "What the model gets"],
  classify: ["Answers", "A bar for every class"],
  record: ["Record", "The row as written"],
};

/** Reasons of what was answered, and is not to be believed. */
const UNSURE = ["below_threshold", "outlier", "several_objects"];

/** The strip before there is anything to show: what it will be. */
export function showPlan(list) {
  list.removeAttribute("aria-busy");
  const steps = Object.entries(STEPS).filter(([name]) => name !== "fetch");
  list.replaceChildren(
    ...steps.map(([name, [title, says]]) =>
      el(
        "li",
        { class: "plan" },
        el("div", { class: "step-head" }, el("h3", {}, title)),
        el("div", { class: "step-body" }, icon(name), el("p", {}, says)),
      ),
    ),
  );
}

/**
 * @param {HTMLElement} list an `ol` @param {object} journey as /api/journey answers
 * @param {string[]} labels the model's, in order
 */
export function showJourney(list, { steps, refused }, labels) {
  list.removeAttribute("aria-busy");
  // Fetching makes no picture: it stands with the original, which is what was fetched.
  const fetched = steps.find((step) => step.name === "fetch");
  const decoded = steps.some((step) => step.name === "decode");
  const shown = decoded ? steps.filter((step) => step !== fetched) : steps;
  const record = steps.find((step) => step.name === "record")?.record;
  const model = { labels, found: record ? labelsOf(record) : [] };
  list.replaceChildren(
    ...shown.map((step) =>
      item(step, step.name === "decode" ? fetched : null, refused?.step === step.name ? refused : null, model),
    ),
  );
}

export function showWaiting(list) {
  list.setAttribute("aria-busy", "true");
}

function item(step, fetched, refused, model) {
  const [title, says] = STEPS[step.name] ?? [step.name, ""];
  const ms = typeof step.ms === "number" ? milliseconds(step.ms) : "";
  const before = fetched && [typeof fetched.ms === "number" && `fetched in ${milliseconds(fetched.ms)}`, fetched.note];
  const unsure = UNSURE.includes(refused?.reason);
  const note = [...(before || []), step.note].filter(Boolean).join(", ");
  return el(
    "li",
    { "data-step": step.name, class: refused && (unsure ? "unsure" : "refused") },
    el("div", { class: "step-head" }, el("h3", {}, title), el("span", { class: "ms" }, ms)),
    body(step, says, refused, model),
    note && el("p", { class: "step-note" }, visible(note)),
    refused && why(refused, unsure),
  );
}

function why({ reason, why: said }, unsure) {
  const text = visible(said ?? "");
  // What is unsure says it all by itself: "below threshold 0.8".
  if (unsure && text) return el("p", { class: "step-why" }, el("strong", {}, `Unsure: ${text}`));
  return el("p", { class: "step-why" }, el("strong", {}, `${sentence(reasonText(reason))}. `), text);
}

function sentence(words) {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

function body(step, says, refused, model) {
  if (step.classes) return bars(step.classes, model);
  if (step.record) return row(step.record);
  if (refused && !step.picture) return el("div", { class: "step-body" }, icon("refused"));
  const shown = picture(step.picture, says, { class: step.name === "decode" ? "" : "pixels" });
  return el("div", { class: "step-body" }, shown ?? icon(step.name === "fetch" ? "fetch" : "picture"));
}

/** The most confident first where there are many; in the model's order where all of them fit. */
function bars(classes, { labels, found }) {
  const most = Math.max(...classes.map((one) => one.confidence));
  const many = classes.length > 12;
  const order = many
    ? (a, b) => b.confidence - a.confidence
    : (a, b) => labels.indexOf(a.label) - labels.indexOf(b.label);
  // Several labels may hold at once, where the model gives each its own probability.
  const holds = ({ label, confidence: of }) => (found.length > 1 ? found.includes(label) : of === most);
  const shown = [...classes].sort(order);
  const rows = shown.map((one) => {
    const { label, confidence: of } = one;
    return el(
      "tr",
      { "data-label": label, class: holds(one) ? "best" : null },
      el("th", { scope: "row" }, visible(label)),
      // A meter is spoken and needs no style in the markup.
      el("td", {}, el("meter", { min: 0, max: 1, value: of, "aria-label": `Confidence of ${visible(label)}` })),
      el("td", { class: "number" }, confidence(of)),
    );
  });
  return el(
    "div",
    {
      class: "step-body bars",
      tabindex: many ? 0 : null,
      role: many ? "group" : null,
      "aria-label": many ? "All answers" : null,
    },
    el("table", {}, el("caption", { class: "unseen" }, "Confidence of every class"), el("tbody", {}, ...rows)),
  );
}

function row(record) {
  const facts = [
    ["status", statusText(record.status) + (record.reason ? `: ${reasonText(record.reason)}` : "")],
    ["label", record.label],
    ["confidence", record.confidence === null ? null : confidence(record.confidence)],
    ["model", record.model],
    ["time", moment(record.event_time)],
    ["seq", record.seq],
    ["version", record.version],
  ];
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "dl",
    { class: "step-body facts" },
    ...known.flatMap(([name, value]) => [
      el("dt", {}, name),
      el("dd", { title: visible(String(value)) }, visible(String(value))),
    ]),
  );
}
