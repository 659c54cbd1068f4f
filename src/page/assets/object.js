// One object: what it is now, its journey, its history, and what a person says it is.

import { api } from "./api.js";
import { copies } from "./copy.js";
import { byId, el, icon, picture, say } from "./dom.js";
import { showJourney, showWaiting } from "./journey.js";
import { labelButtons, markLabels } from "./labels.js";
import { onBack, onRecord, publish } from "./live.js";
import { problem } from "./problem.js";
import {
  bytes,
  confidence,
  correctionTime,
  moment,
  objectUrl,
  parseObjectUrl,
  reasonText,
  rowId,
  statusText,
  visible,
} from "./show.js";
import { change, current, onState } from "./state.js";
import { historyRow, newestFirst } from "./tile.js";

/** @param {{ labels: string[] }} about */
export function startObject(about) {
  const dialog = /** @type {HTMLDialogElement} */ (byId("object"));
  const buttons = labelButtons(about.labels, correct);
  byId("correct-labels").append(buttons);
  /** @type {{ bucket: string, key: string } | null} */
  let shown = null;
  /** @type {object | null} The version that a person who corrects is looking at. */
  let answered = null;
  /** Rows of the history on the screen. */
  let known = new Set();
  let abort = new AbortController();
  let reading = new AbortController(); // the history, which is read more often than all the rest
  /** One correction after the other: the last one is to win. */
  let sending = Promise.resolve();
  let pushed = false; // the way back is the page as it was before

  function open({ bucket, key }) {
    pushed = !dialog.open;
    change({ object: objectUrl(bucket, key) });
  }

  async function show(object) {
    abort.abort();
    abort = new AbortController();
    shown = object;
    answered = null;
    known = new Set();
    const { bucket, key } = object;
    byId("object-name").replaceChildren(
      el("span", { class: "bucket" }, `s3://${visible(bucket)}/`),
      el("bdi", {}, visible(key)),
    );
    byId("copy").replaceChildren(...copies(bucket, key).map(copyButton));
    byId("now").replaceChildren();
    byId("history").tBodies[0].replaceChildren();
    byId("journey").replaceChildren();
    say(byId("object-said"), "");
    if (!dialog.open) dialog.showModal();
    await Promise.all([showHistory(object), showWay(object)]);
  }

  async function showHistory({ bucket, key }) {
    reading.abort();
    reading = new AbortController();
    const { signal } = reading;
    try {
      const answer = await api.object(bucket, key, signal);
      if (signal.aborted) return;
      known = new Set(answer.history.map(rowId));
      byId("now").replaceChildren(...now(answer));
      byId("history").tBodies[0].replaceChildren(...newestFirst(answer.history).map(historyRow));
      byId("history-more").hidden = !answer.more;
      const { current: record } = answer;
      answered = record && (record.status === "classified" || record.status === "unsure") ? record : null;
      byId("correct").hidden = !answered;
      markLabels(buttons, record?.label, record?.corrected);
      byId("uncorrect").hidden = !answered || (record.corrected ?? null) === null;
    } catch (error) {
      if (error.name === "AbortError") return;
      byId("correct").hidden = true; // of another object, or of another version
      say(byId("object-said"), error.message);
    }
  }

  async function showWay({ bucket, key }) {
    const { signal } = abort;
    const list = byId("journey");
    showWaiting(list);
    const said = byId("journey-said");
    said.textContent = "";
    try {
      const journey = await api.journey(bucket, key, signal);
      if (!signal.aborted) showJourney(list, journey, about.labels);
    } catch (error) {
      if (error.name === "AbortError") return;
      list.removeAttribute("aria-busy");
      list.replaceChildren();
      said.textContent = error.message; // mostly: the object is gone
    }
  }

  function correct(label) {
    const [object, record] = [shown, answered];
    if (!object || !record) return;
    sending = sending.then(async () => {
      try {
        publish(await api.correct(record, label));
        if (object !== shown) return;
        say(byId("object-said"), label === null ? "The correction is undone." : `Kept: this is ${label}.`);
      } catch (error) {
        if (object !== shown) return problem("correction", error);
        if (error.status === 409) show(object); // it is another version now
        say(byId("object-said"), error.message);
      }
    });
  }

  function copyButton([name, text]) {
    const button = el("button", { type: "button", title: text, onclick: copy }, icon("copy"), name);
    async function copy() {
      try {
        await navigator.clipboard.writeText(text);
        say(byId("object-said"), `Copied: ${name}.`);
      } catch {
        // No clipboard without a secure context: then it is there to be marked and copied by hand.
        byId("object-said").replaceChildren("Copy this: ", el("code", {}, text));
      }
    }
    return button;
  }

  byId("uncorrect").addEventListener("click", () => correct(null));
  byId("object-close").addEventListener("click", () => dialog.close());
  let beside = false; // its padding and its gaps are the dialog too, but not beside it
  dialog.addEventListener("pointerdown", ({ target, clientX: x, clientY: y }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    beside = target === dialog && (x < left || x > right || y < top || y > bottom);
  });
  // Not before the click: it would go to what is below.
  dialog.addEventListener("click", () => beside && dialog.close());
  dialog.addEventListener("close", () => {
    abort.abort();
    reading.abort();
    beside = false;
    refocus(shown);
    shown = null;
    if (!current().object) return;
    if (pushed) history.back();
    else change({ object: "" });
    pushed = false;
  });
  onRecord((record) => {
    if (!shown || record.bucket !== shown.bucket || record.key !== shown.key || known.has(rowId(record))) return;
    if (correctionTime(record) === null) show(shown);
    else showHistory(shown);
  });
  onBack(() => shown && showHistory(shown));
  onState((state) => follow(state.object));

  function follow(text) {
    const object = parseObjectUrl(text);
    if (!object) {
      if (dialog.open) dialog.close();
    } else if (!shown || objectUrl(shown.bucket, shown.key) !== text) show(object);
  }
  follow(current().object);
  return { open };
}

/** The browser goes back to where the focus was; unless that was drawn anew in the meantime. */
function refocus(object) {
  const { activeElement } = document;
  if (!object || (activeElement !== document.body && !activeElement.closest("dialog"))) return;
  const tiles = [...document.querySelectorAll("#gallery button.tile")];
  const tile = tiles.find(({ dataset }) => dataset.bucket === object.bucket && dataset.key === object.key);
  tile?.focus({ preventScroll: true });
}

function now({ current: record, history }) {
  const newest = record ?? history[0];
  if (!newest) return [el("p", { class: "empty-note" }, "No record names this object.")];
  const large = picture(newest.seen, newest.label ? `What the model saw: ${newest.label}` : "What the model saw", {
    class: "pixels",
  });
  const corrected = newest.corrected ?? null;
  const words = newest.status === "rejected" ? reasonText(newest.reason) : statusText(newest.status);
  const label = corrected ?? newest.label;
  const facts = [
    ["Confidence", newest.confidence === null ? null : confidence(newest.confidence)],
    [
      "Other guesses",
      newest.top
        ?.filter((guess) => guess.label !== newest.label)
        .map((g) => `${visible(g.label)} ${confidence(g.confidence)}`)
        .join(", "),
    ],
    ["Why", newest.why && visible(newest.why)],
    ["Model", newest.model],
    ["Time", moment(newest.event_time)],
    ["Picture", newest.width ? `${newest.width} × ${newest.height} pixels` : null],
    ["Size", newest.size === null ? null : bytes(newest.size)],
    ["Type", newest.content_type && visible(newest.content_type)],
    ["ETag", newest.etag && visible(newest.etag)],
    ["Version", newest.version_id && visible(newest.version_id)],
  ].filter(([, value]) => value);
  return [
    el(
      "div",
      { class: "now-answer" },
      el("div", { class: "now-picture" }, large ?? icon(newest.status === "rejected" ? "refused" : "deleted")),
      el(
        "div",
        {},
        label !== null && label !== undefined && el("p", { class: "now-label" }, visible(label)),
        el("p", { class: "status", "data-status": newest.status }, words),
        corrected !== null &&
          el(
            "p",
            { class: "now-said" },
            corrected === newest.label ? "a person agrees" : `a person says so; the model said ${newest.label}`,
          ),
      ),
    ),
    el(
      "dl",
      { class: "facts" },
      ...facts.flatMap(([name, value]) => {
        const clip = name === "ETag" || name === "Version";
        return [el("dt", {}, name), el("dd", clip ? { class: "clip", title: value } : {}, value)];
      }),
    ),
  ];
}
