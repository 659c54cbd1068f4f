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
const seen = new Set();

export function onRecord(listener) {
  listeners.push(listener);
}

/** Some rows came faster than they could be told: whoever shows a listing reads it again. */
export function onMissed(listener) {
  missers.push(listener);
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
  const source = new EventSource("/api/live");
  let lost = false;
  source.addEventListener("open", () => {
    tell("live", "Live");
    if (lost) missers.forEach((listener) => listener());
    lost = false;
  });
  source.addEventListener("record", (event) => publish(JSON.parse(event.data)));
  source.addEventListener("lagged", () => missers.forEach((listener) => listener()));
  source.addEventListener("error", () => {
    // The browser tries again by itself, unless it was told no.
    lost = true;
    if (source.readyState !== EventSource.CLOSED) return tell("lost", "Not connected, trying again");
    tell("lost", "Not live: asking every few seconds");
    poll();
  });
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
