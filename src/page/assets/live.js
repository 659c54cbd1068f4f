// New rows as they are written: server-sent events where Spotter runs locally, else polling by ETag.

import { changed } from "./api.js";
import { byId, say } from "./dom.js";
import { problem, solved } from "./problem.js";
import { rowId } from "./show.js";

const POLL = 3000; // ms
const NEWEST = 50; // rows that a poll looks at
const REMEMBERED = 2000; // ids of rows that came in

/** @type {((record: object) => void)[]} */
const listeners = [];
/** @type {(() => void)[]} */
const missers = [];
/** @type {(() => void)[]} */
const returners = [];
const seen = new Set();

export function onRecord(listener) {
  listeners.push(listener);
}

/** Some rows came faster than they could be told: whoever shows a listing reads it again. */
export function onMissed(listener) {
  missers.push(listener);
}

/** The page hears again, after a while in which nobody told it anything: some rows may have come, or none. */
export function onBack(listener) {
  returners.push(listener);
}

/** Tells everybody about a row, once: it may come by several ways. */
export function publish(record) {
  const id = rowId(record);
  if (seen.has(id)) return;
  seen.add(id);
  if (seen.size > REMEMBERED) seen.delete(seen.values().next().value);
  for (const listener of listeners) listener(record);
}

/** @param {{ live: "sse" | "poll" }} about */
export function startLive(about) {
  if (about.live === "sse") listen();
  else poll();
}

function listen() {
  /** @type {EventSource | null} */
  let source = null;
  let away = false;

  function open() {
    const opened = new EventSource("/api/live");
    opened.addEventListener("open", () => {
      tell("live", "Live");
      if (away) returners.forEach((listener) => listener());
      away = false;
    });
    opened.addEventListener("record", (event) => publish(JSON.parse(event.data)));
    opened.addEventListener("lagged", () => missers.forEach((listener) => listener()));
    opened.addEventListener("error", () => {
      // The browser tries again by itself, unless it was told no.
      away = true;
      if (opened.readyState !== EventSource.CLOSED) return tell("lost", "Not connected, trying again");
      document.removeEventListener("visibilitychange", follow);
      tell("lost", "Not live: asking every few seconds");
      poll();
    });
    return opened;
  }

  /**
   * A browser has six connections to a server over HTTP/1.1, and an open stream keeps one: only what is looked at has
   * it, neither tabs behind nor pages that the browser keeps for the way back.
   */
  function follow() {
    if (!document.hidden) source ??= open();
    else if (source) {
      source.close();
      source = null;
      away = true;
    } else tell("lost", "Begins when it is looked at");
  }

  document.addEventListener("visibilitychange", follow);
  follow();
}

async function poll() {
  /** @type {string | null} */
  let etag = null;
  let first = true;
  for (;;) {
    if (!document.hidden) {
      try {
        const answer = await changed("records", { limit: NEWEST, seen: true }, etag);
        if (answer) {
          etag = answer.etag;
          const rows = answer.body.records.reverse();
          // The first answer holds what came since the listing was read; whoever has a row already drops it.
          const gap = !first && rows.length === NEWEST && rows.every((row) => !seen.has(rowId(row)));
          if (gap) missers.forEach((listener) => listener());
          first = false;
          rows.forEach(publish);
        }
        tell("live", "Live");
        solved("live");
      } catch (error) {
        tell("lost", "Not connected, trying again");
        if (error.status) problem("live", error);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

function tell(state, text) {
  const live = byId("live");
  live.dataset.state = state;
  say(live, text);
}
