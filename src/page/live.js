// Asks every two seconds whether the page has changed, and puts what is new in its place. Mostly the answer is 304.
"use strict";
const live = document.getElementById("live");
let shown;

function say(text) {
  if (live.textContent !== text) live.textContent = text; // a screen reader speaks at every change
}

async function look() {
  const answer = await fetch(location.href, { cache: "no-cache" });
  if (!answer.ok) throw new Error(answer.status);
  const tag = answer.headers.get("ETag");
  if (tag === shown) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const main = document.querySelector("main");
  if (fresh.innerHTML !== main.innerHTML) {
    const focused = document.activeElement.getAttribute("href");
    main.replaceWith(fresh);
    const again = [...fresh.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused);
    if (again) again.focus({ preventScroll: true });
  }
  shown = tag;
}

async function tick() {
  // A page that nobody sees can wait; so can one that somebody is copying from.
  if (!document.hidden && getSelection().isCollapsed) {
    await look().then(() => say("live"), () => say("spotter serve does not answer"));
  }
  setTimeout(tick, 2000);
}
tick();
