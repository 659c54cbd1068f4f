// What the page shows, kept in its address: a reload, a link sent to somebody and the back button all work.

/** What narrows the gallery, named as in the API. */
export const FILTERS = [
  "label",
  "status",
  "min_confidence",
  "max_confidence",
  "bucket",
  "prefix",
  "since",
  "until",
  "current",
];
const OTHERS = ["model", "view", "a", "b", "object"];

/** @typedef {Record<string, string>} State every name is there, empty where nothing is said */

/** @type {((state: State, before: State) => void)[]} */
const listeners = [];
let state = read();

export function current() {
  return state;
}

export function onState(listener) {
  listeners.push(listener);
}

/**
 * @param {Partial<State>} changes
 * @param {"push" | "replace"} how `push` makes a step for the back button
 */
export function change(changes, how = "push") {
  const next = { ...state, ...changes };
  if (same(next, state)) return;
  const search = write(next);
  history[how === "push" ? "pushState" : "replaceState"](null, "", search || location.pathname);
  enter(next);
}

/** The filters that are set, as the API wants them. */
export function query(of = state) {
  const set = FILTERS.filter((name) => of[name]).map((name) => [name, of[name]]);
  return Object.fromEntries(of.model ? [...set, ["model", of.model]] : set);
}

addEventListener("popstate", () => enter(read()));

function enter(next) {
  const before = state;
  state = next;
  for (const listener of listeners) listener(state, before);
}

function read() {
  const params = new URLSearchParams(location.search);
  return Object.fromEntries([...FILTERS, ...OTHERS].map((name) => [name, params.get(name) ?? ""]));
}

function write(of) {
  const params = new URLSearchParams();
  for (const name of [...FILTERS, ...OTHERS]) if (of[name]) params.set(name, of[name]);
  const text = params.toString();
  return text && `?${text}`;
}

function same(a, b) {
  return Object.keys(a).every((name) => a[name] === b[name]);
}
