// The way of one picture as a strip: the original, the ink, what the model saw, its answers, and the row as written.

import { el, icon, picture } from "./dom.js";
import { confidence, milliseconds, moment, reasonText, statusText, visible } from "./show.js";

/** What the steps are called, and what is said of them where nothing else is. */
const STEPS = {
  fetch: ["Fetched", "The object's bytes, from the bucket"],
  decode: ["Original", "Its pixels, upright"],
  ink: ["Ink", "Pen apart from paper"],
  seen: ["Seen", "What the model gets"],
  classify: ["Answers", "A bar for every class"],
  record: ["Record", "The row as written"],
};

/** The strip before there is anything to show: what it will be. */
export function showPlan(list) {
  list.removeAttribute("aria-busy");
  const steps = Object.entries(STEPS).filter(([name]) => name !== "fetch");
  list.replaceChildren(
    ...steps.map(([name, [title, says]]) =>
      el("li", { class: "plan" }, el("div", { class: "step-head" }, el("h3", {}, title)),
        el("div", { class: "step-body" }, icon(name), el("p", {}, says)))),
  );
}

/** @param {HTMLElement} list an `ol` @param {object} journey as /api/journey answers @param {{ seen?: string } | null} [row] */
export function showJourney(list, journey) {
  list.removeAttribute("aria-busy");
  const { steps, refused } = journey;
  // Fetching makes no picture: it stands with the original, which was fetched.
  const fetched = steps.find((step) => step.name === "fetch");
  const items = steps.filter((step) => step.name !== "fetch").map((step) => item(step, step.name === "decode" ? fetched : null));
  if (fetched && !steps.some((step) => step.name === "decode") && refused?.step !== "decode") items.unshift(item(fetched, null));
  if (refused) {
    const at = steps.findIndex((step) => step.name === refused.step);
    if (at < 0 || !steps[at].picture) {
      // Where it was refused there is no step to show; what came before stands before it, the row after it.
      const record = items.findIndex((one) => one.dataset.step === "record");
      items.splice(record < 0 ? items.length : record, 0, refusal(refused));
    } else {
      items.find((one) => one.dataset.step === refused.step)?.append(why(refused));
    }
  }
  list.replaceChildren(...items);
}

export function showWaiting(list) {
  list.setAttribute("aria-busy", "true");
}

function item(step, fetched) {
  const [title, says] = STEPS[step.name] ?? [step.name, ""];
  const times = [fetched && `fetch ${milliseconds(fetched.ms)}`, step.ms !== undefined && step.ms !== null && milliseconds(step.ms)];
  const head = el("div", { class: "step-head" }, el("h3", {}, title), el("span", { class: "ms" }, times.filter(Boolean).join(" + ")));
  const note = [fetched?.note, step.note].filter(Boolean).join(" · ");
  return el("li", { "data-step": step.name }, head, body(step, says), note && el("p", { class: "step-note" }, visible(note)));
}

function body(step, says) {
  if (step.classes) return bars(step.classes);
  if (step.record) return row(step.record);
  const shown = picture(step.picture, says, { class: step.name === "decode" ? "" : "pixels" });
  return el("div", { class: "step-body" }, shown ?? icon(step.name === "fetch" ? "fetch" : "picture"));
}

/** The most confident first where there are many; in the model's order where all of them fit. */
function bars(classes) {
  const most = Math.max(...classes.map((one) => one.confidence));
  const many = classes.length > 12;
  const shown = many ? [...classes].sort((a, b) => b.confidence - a.confidence) : classes;
  const rows = shown.map(({ label, confidence: of }) =>
    el("tr", { "data-label": label, class: of === most ? "best" : null },
      el("th", { scope: "row" }, visible(label)),
      // A meter is spoken and needs no style in the markup.
      el("td", {}, el("meter", { min: 0, max: 1, value: of, "aria-label": `Confidence of ${visible(label)}` })),
      el("td", { class: "number" }, confidence(of))));
  return el("div", { class: "step-body bars", tabindex: many ? 0 : null, role: many ? "group" : null, "aria-label": many ? "All answers" : null },
    el("table", {}, el("caption", { class: "unseen" }, "Confidence of every class"), el("tbody", {}, ...rows)));
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
  return el("dl", { class: "step-body facts" },
    ...known.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { title: visible(String(value)) }, visible(String(value)))]));
}

function refusal(refused) {
  const [title] = STEPS[refused.step] ?? [refused.step];
  return el("li", { "data-step": refused.step, class: "refused" },
    el("div", { class: "step-head" }, el("h3", {}, title)), el("div", { class: "step-body" }, icon("refused")), why(refused));
}

function why(refused) {
  return el("p", { class: "step-why" }, el("strong", {}, `Refused: ${reasonText(refused.reason)}. `), visible(refused.why ?? ""));
}
