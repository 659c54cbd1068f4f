// One row of the gallery as a button.

import { el, icon, picture } from "./dom.js";
import { confidence, moment, reasonText, statusText, visible } from "./show.js";

const ICONS = { rejected: "refused", deleted: "deleted", version_removed: "deleted" };

/** @param {object | null} record null while it is fetched again @param {(record: object) => void} open */
export function tile(record, open) {
  if (!record) return el("button", { class: "tile", type: "button", disabled: true, "aria-label": "Loading" });
  const { bucket, key, status } = record;
  const button = el(
    "button",
    {
      class: "tile",
      type: "button",
      "data-bucket": bucket,
      "data-key": key,
      "data-status": status,
      "data-label": record.label,
      "aria-haspopup": "dialog",
      title: `${visible(key)}\n${moment(record.event_time)}`,
      onclick: () => open(record),
    },
    el("span", { class: "tile-picture" }, picture(record.seen, "") ?? icon(ICONS[status] ?? "picture")),
    el(
      "span",
      { class: "tile-words" },
      answer(record),
      el("span", { class: "unseen" }, `${statusText(status)}: `),
      el("span", { class: "tile-key" }, visible(key)),
    ),
  );
  if (record.corrected !== null && record.corrected !== undefined) button.dataset.corrected = record.corrected;
  // Replaced or deleted since, where the answer says so.
  if (record.current === false) button.dataset.past = "";
  return button;
}

function answer(record) {
  const { corrected, label, status } = record;
  if (corrected !== null && corrected !== undefined) {
    const agreed = corrected === label;
    return el(
      "span",
      { class: "tile-answer" },
      !agreed && el("s", {}, label ?? "–"),
      el("strong", {}, corrected),
      el(
        "span",
        { class: "tile-note", title: agreed ? "A person agreed" : "Corrected by a person" },
        icon("person"),
        el("span", { class: "unseen" }, agreed ? "agreed" : "corrected"),
      ),
    );
  }
  if (label === null || label === undefined) {
    const words = status === "rejected" ? reasonText(record.reason) : statusText(status);
    return el("span", { class: "tile-answer" }, el("span", { class: "tile-note" }, words));
  }
  return el(
    "span",
    { class: "tile-answer" },
    el("strong", {}, status === "unsure" ? `${label}?` : label),
    el("span", { class: "tile-note" }, confidence(record.confidence)),
  );
}
