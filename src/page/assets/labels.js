// Buttons that say what is right: one for each label; found by typing where a model knows many.

import { el } from "./dom.js";
import { visible } from "./show.js";

const AT_ONCE = 20; // buttons
const KEYS = 10; // labels that a digit key stands for

/**
 * @param {string[]} labels in the manifest's order @param {(label: string) => void} choose
 * @param {{ keys?: boolean }} [how] `keys`: show which digit key stands for a label
 */
export function labelButtons(labels, choose, { keys = false } = {}) {
  const buttons = el("div", { class: "labels", role: "group", "aria-label": "The right label" });
  const show = (some) =>
    buttons.replaceChildren(
      ...some.map((label) => {
        const key = keys && labels.indexOf(label) < KEYS ? String(labels.indexOf(label)) : null;
        const hint = key !== null && key !== label ? el("kbd", {}, key) : null;
        return el(
          "button",
          { type: "button", "data-label": label, "aria-keyshortcuts": key, onclick: () => choose(label) },
          visible(label),
          hint,
        );
      }),
    );
  show(labels.slice(0, AT_ONCE));
  if (labels.length <= AT_ONCE) return buttons;
  const find = el("input", {
    type: "search",
    placeholder: `Find one of ${labels.length} labels`,
    "aria-label": "Find a label",
    autocomplete: "off",
    oninput: () => {
      const text = find.value.trim().toLowerCase();
      show(labels.filter((label) => label.toLowerCase().includes(text)).slice(0, AT_ONCE));
    },
  });
  return el("div", { class: "labels-found" }, find, buttons);
}

/** Marks what the model said and what a person said. */
export function markLabels(group, said, corrected) {
  for (const button of group.querySelectorAll("button[data-label]")) {
    button.toggleAttribute("data-said", button.dataset.label === said);
    button.setAttribute("aria-pressed", String(button.dataset.label === (corrected ?? null)));
  }
}
