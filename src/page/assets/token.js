// Where Spotter asks who is there (401): a small form for the token.

import { keepToken, onTokenNeeded } from "./api.js";
import { byId } from "./dom.js";

export function startToken() {
  const dialog = /** @type {HTMLDialogElement} */ (byId("token"));
  const input = /** @type {HTMLInputElement} */ (byId("token-text"));
  /** @type {() => void} */
  let done = () => {};
  let waiting = false;
  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const token = input.value.trim();
    if (!token) return;
    keepToken(token);
    input.value = "";
    waiting = false;
    dialog.close();
    done();
  });
  // Nothing can be shown without it: Escape would leave an empty page and no way back.
  dialog.addEventListener("cancel", (event) => event.preventDefault());
  // Chromium lets a second Escape close it all the same.
  dialog.addEventListener("close", () => waiting && !dialog.open && dialog.showModal());
  onTokenNeeded(
    (wrong) =>
      new Promise((resolve) => {
        done = resolve;
        waiting = true;
        byId("token-wrong").hidden = !wrong;
        dialog.showModal();
        input.focus();
      }),
  );
}
