// How often people agreed with the model, by what it said.

import { byId, el } from "./dom.js";
import { number, share, visible } from "./show.js";

/** Small, and only where a person has looked at something. */
export function showAccuracy(accuracy) {
  const box = byId("accuracy");
  box.hidden = !accuracy?.checked;
  byId("accuracy-none").hidden = !box.hidden;
  if (!accuracy?.checked) return box.replaceChildren();
  const { checked, agreed, by_label: labels = {} } = accuracy;
  const rows = Object.entries(labels).map(([label, of]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, visible(label)),
      el("td", {}, number(of.agreed)),
      el("td", {}, number(of.checked)),
      el("td", {}, share(of.agreed, of.checked)),
    ),
  );
  const head = ["The model said", "Right", "Checked", "Share"].map((name) => el("th", { scope: "col" }, name));
  const open = box.querySelector("details")?.open ?? false;
  box.replaceChildren(
    el(
      "details",
      { open },
      el("summary", {}, el("strong", {}, share(agreed, checked)), ` right, of ${number(checked)} that people checked`),
      el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)),
    ),
  );
}
