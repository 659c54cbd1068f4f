// The JSON API, and nothing but it: every answer is JSON, every error one sentence.

const TOKEN = "spotter-token"; // sessionStorage: gone with the tab, and never in a URL

/** @type {(wrong: boolean) => Promise<void>} Asks the person for a token; set by token.js. */
let askForToken = () => Promise.reject(new ApiError("A token is needed.", 401));
/** @type {Promise<void> | null} One question, however many requests are waiting for the answer. */
let asking = null;

export class ApiError extends Error {
  /** @param {string} message one sentence @param {number} status 0 where nothing answered */
  constructor(message, status) {
    super(message);
    this.status = status;
  }

  /** The question is wrong, and stays so: asking again is no use. */
  get final() {
    return this.status >= 400 && this.status < 500 && ![408, 429].includes(this.status);
  }
}

export function onTokenNeeded(ask) {
  askForToken = ask;
}

export function keepToken(token) {
  sessionStorage.setItem(TOKEN, token);
}

export const api = {
  about: () => get("about"),
  records: (query, signal) => get("records", query, signal),
  object: (bucket, key, signal) => get("object", { bucket, key }, signal),
  stats: (query, signal) => get("stats", query, signal),
  review: (model, limit) => get("review", { model, limit }),
  diff: (a, b, cursor, signal) => get("diff", { a, b, cursor }, signal),
  journey: (bucket, key, signal) => get("journey", { bucket, key }, signal),
  upload: (upload) => post("uploads", upload),
  /** Of the version that the person saw: who sees another one has said nothing of it. */
  correct: ({ bucket, key, seq, event_time, version }, label) =>
    post("corrections", { bucket, key, label, of: { seq, event_time, version } }),
  samples: () => post("samples", {}),
};

/** Asks again by ETag (a 304 costs nothing): null while the answer is the one that had `etag`. */
export async function changed(path, query, etag) {
  const response = await send(address(path, query), { cache: "no-cache" });
  const tag = response.headers.get("etag");
  if (tag && tag === etag) return null;
  return { body: await json(response), etag: tag };
}

async function get(path, query, signal) {
  return json(await send(address(path, query), { cache: "no-cache", signal }));
}

async function post(path, body) {
  const headers = { "content-type": "application/json" };
  return json(await send(address(path), { method: "POST", headers, body: JSON.stringify(body) }));
}

function address(path, query = {}) {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") params.set(name, value);
  }
  const text = params.toString();
  return text ? `/api/${path}?${text}` : `/api/${path}`;
}

async function send(url, options, again = true) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
  let response;
  try {
    response = await fetch(url, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Spotter does not answer: is it still running, and is this device online?", 0);
  }
  if (response.status === 401 && again) {
    asking ??= askForToken(token !== null).finally(() => (asking = null));
    await asking;
    return send(url, options, false);
  }
  if (!response.ok) throw new ApiError(await reason(response), response.status);
  return response;
}

async function json(response) {
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("Spotter's answer broke off or is not JSON.", response.status);
  }
}

async function reason(response) {
  const fallback = `Spotter answered ${response.status} ${response.statusText}`.trim() + ".";
  try {
    return (await response.json()).error ?? fallback;
  } catch {
    return fallback;
  }
}
