// The gallery: as long as the listing, but only what is near the window is in the document.

import { api } from "./api.js";
import { byId, el, say } from "./dom.js";
import { matches } from "./filters.js";
import { onBack, onMissed, onRecord } from "./live.js";
import { Pages } from "./pages.js";
import { problem, solved } from "./problem.js";
import { correctionTime, number, rowId, versionId } from "./show.js";
import { change, current, FILTERS, onState, query } from "./state.js";
import { stepOf, tile } from "./tile.js";

const TILE = 104; // px, at least
const HEIGHT = 152; // px, as in style.css
const GAP = 8; // px
const AROUND = 3; // rows of tiles kept above and below the window
const TALLEST = 15e6; // px: Firefox cuts elements off at 17.9 million
const PAUSE = 150; // ms between two looks at what came in
const HELD = 1000; // rows that came in, before the listing is better begun anew
const NEWEST = 100; // rows that are looked at after a while without news

/** @param {{ model: string }} about @param {(record: object) => void} open */
export function startGallery(about, open) {
  const box = byId("gallery");
  const count = byId("count");
  /** @type {Map<number, { record: object | null, item: HTMLElement }>} */
  const shown = new Map();
  /** @type {object[]} rows that came in while somebody was further down, the newest last */
  let held = [];
  let missed = false;
  let pages = begin();
  let columns = 1;
  let width = TILE;
  let focused = 0; // one tile is a tab stop; arrows go on from it
  let drawing = 0;
  let adding = 0;

  function begin() {
    const asked = current();
    return new Pages(
      async (cursor, limit, signal) => {
        const page = await api.records({ ...query(asked), seen: true, limit, cursor }, signal);
        solved("records");
        return page;
      },
      schedule,
      (error) => (problem("records", error), schedule()),
    );
  }

  function restart() {
    pages.stop();
    pages = begin();
    held = [];
    missed = false;
    focused = 0;
    for (const { item } of shown.values()) item.remove();
    shown.clear();
    pages.more();
    schedule();
  }

  function schedule() {
    drawing ||= requestAnimationFrame(() => {
      drawing = 0;
      draw();
    });
  }

  function draw() {
    if (byId("results").hidden) return;
    const inner = box.clientWidth;
    columns = Math.max(1, Math.floor((inner + GAP) / (TILE + GAP)));
    width = (inner - GAP * (columns - 1)) / columns;
    const rows = Math.ceil(pages.length / columns);
    box.style.height = `${Math.max(0, rows * (HEIGHT + GAP) - GAP)}px`;
    const top = -box.getBoundingClientRect().top;
    const step = HEIGHT + GAP;
    const from = Math.max(0, Math.floor(top / step) - AROUND) * columns;
    const to = Math.min(pages.length, (Math.ceil((top + innerHeight) / step) + AROUND) * columns);
    place(from, to);
    const full = rows * step > TALLEST;
    const near = to >= pages.length - columns * AROUND;
    if (near && !full) pages.more();
    tell(full);
  }

  function place(from, to) {
    const focusedHere = box.contains(document.activeElement);
    for (const [index, { item }] of shown) {
      const kept = focusedHere && index === focused && index < pages.length;
      if ((index < from || index >= to) && !kept) {
        item.remove();
        shown.delete(index);
      }
    }
    for (let index = from; index < to; index++) put(index);
  }

  function put(index) {
    const record = pages.at(index);
    const was = shown.get(index);
    let item = was?.item;
    if (!was || was.record !== record) {
      const focus = was?.item.contains(document.activeElement);
      item = el(
        "li",
        { "aria-posinset": index + 1, "aria-setsize": pages.ended ? pages.length : -1 },
        tile(record, open),
      );
      if (was) was.item.replaceWith(item);
      else box.insertBefore(item, after(index));
      shown.set(index, { record, item });
      if (focus) item.firstElementChild.focus({ preventScroll: true });
    }
    item.firstElementChild.tabIndex = index === focused ? 0 : -1;
    item.style.width = `${width}px`;
    const x = (index % columns) * (width + GAP);
    item.style.transform = `translate(${x}px, ${Math.floor(index / columns) * (HEIGHT + GAP)}px)`;
  }

  /** The tile before which this one stands: a screen reader goes by the document's order. */
  function after(index) {
    for (const item of box.children) if (Number(item.getAttribute("aria-posinset")) > index + 1) return item;
    return null;
  }

  function setFocused(index) {
    const before = shown.get(focused)?.item.firstElementChild;
    if (before) before.tabIndex = -1;
    focused = index;
    const now = shown.get(index)?.item.firstElementChild;
    if (now) now.tabIndex = 0;
  }

  function tell(full) {
    const { length, ended, loading } = pages;
    const state = current();
    const filtered = FILTERS.some((name) => state[name]);
    const what = `${number(length)} ${length === 1 ? "record" : "records"}`;
    if (full) say(count, `${what}. For older ones, set “until”.`);
    else if (ended) say(count, length || !filtered ? what : "No record matches these filters.");
    else if (pages.failing) say(count, length ? `${what}; the rest cannot be read now` : "Nothing can be read now.");
    else if (length === 0) say(count, filtered ? "Looking…" : "Loading…");
    else say(count, `${what}, more below`);
    box.setAttribute("aria-busy", String(loading));
    // Said once for each question; not at every page that scrolling brings.
    if (pages.pages.length <= 1) say(byId("found"), count.textContent);
    byId("empty").hidden = !(ended && length === 0 && !filtered);
    byId("newer").hidden = held.length === 0 && !missed;
    byId("newer-count").textContent = missed ? "Many" : number(held.length);
    byId("older").hidden = !full;
  }

  function came(record) {
    if (correctionTime(record) !== null) return corrected(record);
    if (pages.has(record)) return;
    const state = current();
    const fits = matches(record, state, about.model);
    // Which rows are current only the server knows: one that came may put an end to another.
    if (state.current ? fits || pages.names(record) : fits && held.length >= HELD) return again();
    if (!fits || missed) return;
    held.push(record);
    adding ||= setTimeout(take, PAUSE);
  }

  function again() {
    held = [];
    missed = true;
    adding ||= setTimeout(take, PAUSE);
  }

  /** What came in goes to the top, but never moves what somebody is looking at. */
  function take() {
    adding = 0;
    // A listing on its way is not broken off: while many rows come, none would arrive.
    if (missed && pages.loading) return void (adding = setTimeout(take, PAUSE));
    held = held.filter((record) => !pages.has(record));
    if (box.getBoundingClientRect().top < -HEIGHT) schedule();
    else showHeld();
  }

  function showHeld() {
    if (missed) return restart();
    const rows = held;
    held = [];
    const before = pages.length;
    if (!rows.every((record) => pages.add(record))) return restart();
    shift(pages.length - before);
    schedule();
  }

  /** What is there moves on, and keeps the focus if it has it. */
  function shift(by) {
    const moved = [...shown].map(([index, one]) => [index + by, one]);
    shown.clear();
    for (const [index, one] of moved) {
      shown.set(index, one);
      one.item.setAttribute("aria-posinset", index + 1);
    }
    if (box.contains(document.activeElement)) focused += by;
  }

  /** After a while without news: where the newest rows are those that are there, nothing moves. */
  async function back() {
    const asked = pages;
    const state = current();
    if (state.current) return again(); // what was replaced is not among the newest
    try {
      const { records } = await api.records({ ...query(state), limit: NEWEST });
      if (asked !== pages) return;
      const there = new Map([...held, ...pages.loaded()].map((row) => [rowId(row), row]));
      if (!records.every((record) => there.has(rowId(record)))) return again();
      const said = (record) => record.corrected ?? null;
      const other = records.filter((record) => said(record) !== said(there.get(rowId(record))));
      for (const record of other) mark(versionId(record), record.corrected);
    } catch {
      again(); // what is wrong is said where the listing is read
    }
  }

  function corrected(record) {
    mark(versionId(record), record.status === "classified" ? record.label : null);
  }

  /** What people say of a version. */
  function mark(version, label) {
    for (const row of pages.loaded()) {
      if (versionId(row) === version) row.corrected = label;
    }
    for (const one of shown.values()) if (one.record && versionId(one.record) === version) one.record = undefined; // drawn anew
    schedule();
  }

  function move(event) {
    if (!box.contains(document.activeElement)) return;
    const step = stepOf(event.key, columns, Math.floor(innerHeight / (HEIGHT + GAP)));
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const to = Math.min(pages.length - 1, Math.max(0, focused + step));
    put(to);
    const button = shown.get(to).item.firstElementChild;
    button.focus({ preventScroll: true });
    button.scrollIntoView({ block: "nearest" });
  }

  box.addEventListener("keydown", move);
  box.addEventListener("focusin", (event) => {
    setFocused(Number(event.target.closest("li").getAttribute("aria-posinset")) - 1);
  });
  addEventListener("scroll", schedule, { passive: true });
  new ResizeObserver(schedule).observe(box);
  byId("newer").addEventListener("click", () => {
    showHeld();
    byId("results").scrollIntoView({ block: "start" });
  });
  byId("older").addEventListener("click", () => {
    const last = pages.at(pages.length - 1);
    // A page that ends within a millisecond begins the next one with it: better twice than never.
    if (last) change({ until: new Date(Date.parse(last.event_time) + 1).toISOString() });
  });
  onRecord(came);
  onMissed(again);
  onBack(back);
  onState((state, before) => {
    const asked = ["model", ...FILTERS].some((name) => state[name] !== before[name]);
    if (asked) restart();
    else if (state.view !== before.view) schedule();
  });
  pages.more();
  return { refresh: restart };
}
