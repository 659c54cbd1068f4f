// The form above the gallery, and the same question asked of one row as it comes in.

import { byId, el } from "./dom.js";
import { labelsOf, statusText } from "./show.js";
import { change, current, FILTERS, onState } from "./state.js";

const TYPING = 350; // ms without a key until a text counts as typed
const AGES = { s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };
const STATUSES = ["classified", "unsure", "rejected", "deleted", "version_removed"];

/** @param {{ labels: string[] }} about */
export function startFilters(about) {
  const form = /** @type {HTMLFormElement} */ (byId("filters"));
  const fields = form.elements;
  const any = () => el("option", { value: "" }, "any");
  fields.label.replaceChildren(any(), ...about.labels.map((label) => el("option", { value: label }, label)));
  const statuses = STATUSES.map((status) => el("option", { value: status }, statusText(status)));
  fields.status.replaceChildren(any(), ...statuses);

  let typing = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(typing);
    const text = ["text", "number", "search"].includes(event.target.type);
    if (text) typing = setTimeout(take, TYPING);
    else take();
  });
  form.addEventListener("change", () => {
    clearTimeout(typing);
    take();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    take();
  });
  byId("clear-filters").addEventListener("click", () => {
    change(Object.fromEntries(FILTERS.map((name) => [name, ""])));
    fields.label.focus();
  });

  function take() {
    const read = (name) =>
      fields[name].type === "checkbox" ? (fields[name].checked ? "true" : "") : fields[name].value;
    change(Object.fromEntries(FILTERS.map((name) => [name, read(name).trimStart()])));
  }
  onState(show);
  show(current());

  function show(state) {
    for (const name of FILTERS) {
      const field = fields[name];
      if (field.type === "checkbox") field.checked = state[name] === "true";
      else if (field.tagName === "SELECT" && state[name] && !has(field, state[name])) {
        field.append(el("option", { value: state[name] }, state[name])); // a label of another model
        field.value = state[name];
      } else if (field !== document.activeElement || field.value.trimStart() !== state[name]) field.value = state[name];
    }
    const set = FILTERS.filter((name) => state[name]).length;
    byId("clear-filters").hidden = set === 0;
    for (const id of ["filters-set", "filters-folded"]) byId(id).textContent = set ? `${set} set` : "";
  }
}

/** Would a listing with these filters hold this row, which just came in? */
export function matches(record, state, servedModel) {
  const { status, label } = state;
  const removal = record.status === "deleted" || record.status === "version_removed";
  if (removal ? status !== record.status : record.model !== (state.model || servedModel)) return false;
  if (status && record.status !== status) return false;
  if (label && !labelsOf(record).includes(label) && !(status && record.label === label)) return false;
  if ((state.min_confidence || state.max_confidence) && record.confidence === null) return false;
  if (state.min_confidence && !(record.confidence >= Number(state.min_confidence))) return false;
  if (state.max_confidence && !(record.confidence <= Number(state.max_confidence))) return false;
  if (state.bucket && record.bucket !== state.bucket) return false;
  if (state.prefix && !record.key.startsWith(state.prefix)) return false;
  const at = Date.parse(record.event_time);
  return !(at < moment(state.since, -Infinity)) && !(at >= moment(state.until, Infinity));
}

/** A time as the API takes it (RFC 3339, a date, an age), in milliseconds; `otherwise` where there is none. */
function moment(text, otherwise) {
  const age = /^(\d+)([smhd])$/.exec(text ?? "");
  if (age) return Date.now() - Number(age[1]) * AGES[age[2]];
  const at = Date.parse(text);
  return Number.isNaN(at) ? otherwise : at;
}

function has(select, value) {
  return [...select.options].some((option) => option.value === value);
}
