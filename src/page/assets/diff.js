// What changed from one model to another: the objects of which they say different things.

import { api } from "./api.js";
import { byId, el, icon, picture, say } from "./dom.js";
import { problem, solved } from "./problem.js";
import { confidence, number, objectUrl, reasonText, statusText, visible } from "./show.js";
import { change, current, onState } from "./state.js";

/** @param {{ model: string, models: string[] }} about @param {(object: object) => void} open */
export function startDiff(about, open) {
  const models = about.models.filter((model) => model && !model.startsWith("human"));
  if (models.length < 2) return;
  const start = byId("start-diff");
  start.hidden = false;
  start.addEventListener("click", () => change({ view: current().view === "diff" ? "" : "diff" }));
  const fields = { a: byId("diff-a"), b: byId("diff-b") };
  for (const [name, field] of Object.entries(fields)) {
    field.replaceChildren(...models.map((model) => el("option", { value: model }, model)));
    field.addEventListener("change", () => change({ [name]: field.value }));
  }
  const rows = byId("diff-rows");
  let abort = new AbortController();
  let next = null;
  let count = 0;

  async function more(cursor) {
    const { signal } = abort;
    const { a, b } = chosen();
    byId("diff-more").disabled = true;
    say(byId("diff-count"), count ? `${number(count)} changed, looking for more…` : "Looking…");
    try {
      const answer = await api.diff(a, b, cursor, signal);
      if (signal.aborted) return;
      rows.append(...answer.changes.map((one) => row(one, open)));
      count += answer.changes.length;
      next = answer.next;
      // A page may be empty though there are more.
      if (next && !answer.changes.length) return more(next);
      const what =
        count === 0
          ? "No object is seen differently"
          : `${number(count)} ${count === 1 ? "object is" : "objects are"} seen differently`;
      say(byId("diff-count"), next ? `${what}, and there are more.` : `${what}.`);
      solved("diff");
    } catch (error) {
      problem("diff", error);
    } finally {
      if (!signal.aborted) {
        byId("diff-more").disabled = false;
        byId("diff-more").hidden = !next;
      }
    }
  }

  function begin() {
    abort.abort();
    abort = new AbortController();
    next = null;
    count = 0;
    rows.replaceChildren();
    const { a, b } = chosen();
    fields.a.value = a;
    fields.b.value = b;
    byId("diff-head-a").textContent = a;
    byId("diff-head-b").textContent = b;
    more(null);
  }

  function chosen() {
    const state = current();
    const b = models.includes(state.b) ? state.b : about.model;
    const a = models.includes(state.a) ? state.a : models.find((model) => model !== b);
    return { a, b };
  }

  byId("diff-more").addEventListener("click", () => more(next));
  onState((state, before) => {
    if (state.view !== "diff") abort.abort(); // nobody looks: the search need not go on
    if (state.view === "diff" && ["view", "a", "b"].some((name) => state[name] !== before[name])) begin();
  });
  if (current().view === "diff") begin();
}

function row({ bucket, key, a, b }, open) {
  const name = el(
    "button",
    { type: "button", class: "link", "aria-haspopup": "dialog", onclick: () => open({ bucket, key }) },
    visible(objectUrl(bucket, key)),
  );
  return el(
    "tr",
    { "data-key": key },
    el("td", { class: "history-seen" }, picture(b.seen ?? a.seen, "") ?? icon("picture")),
    el("td", {}, name),
    said(a),
    said(b),
  );
}

function said(record) {
  const words = record.status === "classified" ? null : statusText(record.status);
  return el(
    "td",
    {},
    record.label !== null && el("strong", {}, visible(record.label)),
    " ",
    record.confidence !== null && el("span", { class: "number" }, confidence(record.confidence)),
    " ",
    words && el("span", { class: "status", "data-status": record.status }, words),
    record.reason && el("span", { class: "why" }, ` ${reasonText(record.reason)}`),
  );
}
