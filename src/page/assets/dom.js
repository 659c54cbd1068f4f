// Elements, made without HTML: whatever is user-given goes through setAttribute and text nodes only.

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [attributes] `onclick` and the like are listeners; null and false leave one out
 * @param {...(Node | string | number | null | false)} children
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An icon of index.html; decoration only, so what it stands for is said in text beside it or in a label. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return fill(svg, { class: "icon", "aria-hidden": "true", focusable: "false" }, []);
}

/** A picture of the API (base64 of a PNG), or null where there is none. */
export function picture(base64, alt, attributes = {}) {
  return base64 ? el("img", { src: `data:image/png;base64,${base64}`, alt, decoding: "async", ...attributes }) : null;
}

/** The element of index.html with this id. */
export function byId(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** Says something where a screen reader listens, which speaks at every change: so only if there is one. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}
