// The one place for errors that belong to no row and no tile: a sentence, until it is put away or passes.

import { byId } from "./dom.js";

/** @type {string | null} What the sentence is about, so that only its own success takes it away. */
let about = null;

export function startProblem() {
  byId("error-close").addEventListener("click", hide);
}

/** @param {string} topic what failed, in one word @param {Error} error */
export function problem(topic, error) {
  if (error.name === "AbortError") return; // asked for by us
  about = topic;
  byId("error-text").textContent = error.message;
  byId("error").hidden = false;
}

/** What failed before works again. */
export function solved(topic) {
  if (about === topic) hide();
}

function hide() {
  about = null;
  byId("error").hidden = true;
  byId("error-text").textContent = "";
}
