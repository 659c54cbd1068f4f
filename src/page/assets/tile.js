// One record: as a button of the gallery, and as a row of an object's history.

import { el, icon, picture } from "./dom.js";
import { confidence, correctionTime, moment, reasonText, statusText, versionId, visible } from "./show.js";

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
  return button;
}

/** How many tiles a key goes on, where so many stand side by side and so many rows are in the window. */
export function stepOf(key, columns, rows) {
  const page = Math.max(1, rows - 1) * columns;
  const steps = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
    PageUp: -page,
    PageDown: page,
    Home: -Infinity,
    End: Infinity,
  };
  return steps[key];
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

/** What people said of a version stands above what they said it of; their rows come in the order of their keys. */
export function newestFirst(history) {
  const place = new Map();
  for (const record of history) if (!place.has(versionId(record))) place.set(versionId(record), place.size);
  const said = (record) => correctionTime(record) ?? "";
  return [...history].sort((a, b) => {
    const apart = place.get(versionId(a)) - place.get(versionId(b));
    return apart || said(b).localeCompare(said(a));
  });
}

/** A row of an object's history. */
export function historyRow(record) {
  const correction = correctionTime(record);
  const words =
    correction === null
      ? statusText(record.status)
      : record.status === "classified"
        ? "corrected"
        : "correction undone";
  return el(
    "tr",
    { "data-status": record.status, "data-version": versionId(record) },
    el("td", { class: "history-seen" }, correction === null ? picture(record.seen, "") : icon("person")),
    el("td", {}, el("time", { datetime: correction ?? record.event_time }, moment(correction ?? record.event_time))),
    el(
      "td",
      {},
      el("span", { class: "status", "data-status": correction === null ? record.status : "corrected" }, words),
      record.reason && el("span", { class: "why" }, ` ${reasonText(record.reason)}`),
    ),
    el("td", { class: "history-label" }, record.label === null ? "–" : visible(record.label)),
    el("td", { class: "number" }, correction === null ? confidence(record.confidence) : ""),
    el("td", {}, correction === null ? (record.model ?? "–") : "a person"),
    el("td", { class: "history-version", title: visible(record.version ?? "") }, visible(record.version ?? "–")),
  );
}
