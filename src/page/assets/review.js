// Review: the least confident first, one at a time, by keys. Every answer is a row, so it counts as accuracy.

import { api } from "./api.js";
import { byId, el, picture, say } from "./dom.js";
import { labelButtons, markLabels } from "./labels.js";
import { publish } from "./live.js";
import { problem, solved } from "./problem.js";
import { confidence, objectUrl, rowId, statusText, visible } from "./show.js";
import { change, current, onState } from "./state.js";

const BATCH = 50; // asked for at once

/** @param {{ labels: string[], model: string }} about @param {(record: object) => void} open */
export function startReview(about, open) {
  /** @type {{ record: object, answer: string | null }[]} */
  let items = [];
  let at = 0;
  const skipped = new Set();
  /** @type {typeof items} What U goes back to, the newest last. */
  let answered = [];
  /** One answer after the other: an undo must not overtake what it undoes. */
  let sending = Promise.resolve();
  let loads = 0; // only the last one counts
  let loading = false; // what is on the screen is about to go
  const buttons = labelButtons(about.labels, answer, { keys: true });
  byId("review-labels").append(buttons);

  async function load() {
    const load = ++loads;
    loading = true;
    byId("review-card").setAttribute("aria-busy", "true");
    try {
      await sending;
      const model = current().model || about.model;
      const { records } = await api.review(model, BATCH);
      if (load !== loads) return;
      items = records.filter((record) => !skipped.has(rowId(record))).map((record) => ({ record, answer: null }));
      at = 0;
      answered = [];
      solved("review");
    } catch (error) {
      if (load !== loads) return;
      problem("review", error);
    }
    loading = false;
    byId("review-card").removeAttribute("aria-busy");
    draw();
  }

  function draw() {
    const item = items[at];
    byId("review-done").hidden = Boolean(item);
    byId("review-card").hidden = !item;
    byId("review-undo").disabled = answered.length === 0;
    byId("review-back").disabled = at === 0;
    const agreed = answered.filter(({ record, answer }) => answer === record.label).length;
    const of = items.length ? `${Math.min(at + 1, items.length)} of ${items.length}` : "none left";
    byId("review-bar").max = Math.max(1, items.length);
    byId("review-bar").value = answered.length;
    say(byId("review-count"), `${of} · ${agreed} agreed, ${answered.length - agreed} corrected`);
    if (!item) return;
    const { record } = item;
    byId("review-picture").replaceChildren(
      picture(record.seen, "What the model saw", { class: "pixels" }) ?? "no picture",
    );
    byId("review-said").replaceChildren(
      el("strong", { class: "now-label" }, visible(record.label ?? "–")),
      el("span", { class: "status", "data-status": record.status }, statusText(record.status)),
      el("span", { class: "number" }, confidence(record.confidence)),
    );
    const others = record.top.filter((guess) => guess.label !== record.label).slice(0, 3);
    say(
      byId("review-others"),
      others.length
        ? `or ${others.map((guess) => `${visible(guess.label)} ${confidence(guess.confidence)}`).join(", ")}`
        : "",
    );
    byId("review-object").textContent = visible(objectUrl(record.bucket, record.key));
    markLabels(buttons, record.label, item.answer);
    say(byId("review-spoken"), `${of}. The model says ${record.label}, confidence ${confidence(record.confidence)}.`);
  }

  function answer(label) {
    const item = items[at];
    if (loading || !item || label === null || label === undefined) return;
    item.answer = label;
    answered = [...answered.filter((other) => other !== item), item];
    at += 1;
    draw();
    keep(item, label);
  }

  function undo() {
    if (loading || !answered.length) return;
    const item = answered.pop();
    item.answer = null;
    back(item);
    keep(item, null);
  }

  /** Goes on at once; if it could not be kept, that is said and the picture comes back. */
  function keep(item, label) {
    const { record } = item;
    sending = sending.then(async () => {
      try {
        publish(await api.correct(record, label));
        solved("review");
      } catch (error) {
        problem("review", error);
        if (!items.includes(item)) return;
        item.answer = null;
        answered = answered.filter((other) => other !== item);
        if (error.status === 409) await renew(item); // it is another version now
        back(item);
      }
    });
  }

  function back(item) {
    const index = items.indexOf(item);
    if (index >= 0) at = index;
    draw();
  }

  /** What the model says of the object now; gone from here if that is nothing a person could review. */
  async function renew(item) {
    try {
      const { current: record } = await api.object(item.record.bucket, item.record.key);
      if (record?.status === "classified" || record?.status === "unsure") item.record = record;
      else drop(item);
    } catch {
      // Answered once more, it will be tried once more.
    }
  }

  function drop(item) {
    const index = items.indexOf(item);
    if (index < 0) return;
    items.splice(index, 1);
    if (index < at) at -= 1;
  }

  function go(step) {
    const item = items[at];
    if (step > 0 && item && item.answer === null) skipped.add(rowId(item.record));
    at = Math.min(items.length, Math.max(0, at + step));
    draw();
  }

  const keys = {
    Enter: () => answer(items[at]?.record.label),
    u: undo,
    ArrowRight: () => go(1),
    ArrowLeft: () => go(-1),
    Escape: () => change({ view: "" }),
  };

  addEventListener("keydown", (event) => {
    if (current().view !== "review" || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const { target } = event;
    if (target.matches("input, select, textarea")) return;
    if (event.repeat) {
      // A held key would answer what nobody has seen yet; Enter does so by the button that has the focus.
      if (event.key === "Enter") event.preventDefault();
      return;
    }
    if (event.key === "Enter" && target.matches("button, a, summary")) return; // it means that button
    const digit = /^[0-9]$/.test(event.key) ? about.labels[Number(event.key)] : undefined;
    const act =
      digit !== undefined ? () => answer(digit) : keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  byId("start-review").addEventListener("click", () => change({ view: current().view === "review" ? "" : "review" }));
  byId("review-agree").addEventListener("click", () => answer(items[at]?.record.label));
  byId("review-undo").addEventListener("click", undo);
  byId("review-back").addEventListener("click", () => go(-1));
  byId("review-skip").addEventListener("click", () => go(1));
  byId("review-again").addEventListener("click", () => {
    skipped.clear();
    load();
  });
  byId("review-object").addEventListener("click", () => items[at] && open(items[at].record));

  onState((state, before) => {
    if (state.view === "review" && (before.view !== "review" || before.model !== state.model)) enter();
  });

  function enter() {
    skipped.clear();
    load();
    // Keys are meant for the review now: not for the button that was pressed last.
    byId("review").focus({ preventScroll: true });
    byId("review").scrollIntoView({ block: "nearest" });
  }
  if (current().view === "review") enter();
}
