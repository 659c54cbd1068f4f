// How values are shown: keys, times, sizes, shares.

const time = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });

/**
 * Text with everything that has no shape, or that turns the text around it, made visible: a key with U+202E in it
 * reads backwards, and so would what follows.
 */
export function visible(text) {
  // eslint-disable-next-line no-control-regex -- these are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060\u2066-\u2069\ufeff]/g, (c) => {
    const code = c.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `[U+${code.toString(16).toUpperCase().padStart(4, "0")}]`;
  });
}

export function objectUrl(bucket, key) {
  return `s3://${bucket}/${key}`;
}

/** `s3://bucket/key` taken apart; null if it is none. */
export function parseObjectUrl(text) {
  const found = /^s3:\/\/([^/]+)\/([^]+)$/.exec(text ?? "");
  return found && { bucket: found[1], key: found[2] };
}

/** As the command line prints it. */
export function confidence(value) {
  if (value === null || value === undefined) return "–";
  return value.toFixed(3);
}

export function share(part, whole) {
  return whole ? `${Math.floor((part / whole) * 1000) / 10} %` : "–";
}

export function number(value) {
  return value.toLocaleString();
}

export function bytes(size) {
  if (size === null || size === undefined) return "–";
  if (size < 1000) return `${size} bytes`;
  if (size < 1e6) return `${(size / 1e3).toFixed(1)} kB`;
  return size < 1e9 ? `${(size / 1e6).toFixed(1)} MB` : `${(size / 1e9).toFixed(1)} GB`;
}

export function milliseconds(ms) {
  if (ms < 0.05) return "< 0.1 ms";
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** A moment in the person's own zone; today's without the date. */
export function moment(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return text;
  return at.toDateString() === new Date().toDateString() ? clock.format(at) : time.format(at);
}

const STATUS = {
  classified: "classified",
  unsure: "unsure",
  rejected: "rejected",
  deleted: "deleted",
  version_removed: "version removed",
};
const REASON = {
  below_threshold: "below the threshold",
  outlier: "unlike what the model knows",
  several_objects: "several objects",
  not_an_image: "not an image",
  broken: "broken",
  too_large: "too large",
  unsupported: "unsupported format",
  deleted: "the object was deleted",
  superseded: "the object was replaced",
};

/** What a classified picture shows: where a model finds several labels, the record says which others (`why`). */
export function labelsOf({ status, label, why, top }) {
  if (status !== "classified") return [];
  return why ? [label, ...top.map((guess) => guess.label)] : [label];
}

export function statusText(status) {
  return STATUS[status] ?? status;
}

export function reasonText(reason) {
  return REASON[reason] ?? reason ?? "";
}

/** Is the row a person's correction, and when was it made? */
export function correctionTime(record) {
  return record.model?.startsWith("human@") ? record.model.slice("human@".length) : null;
}

/** What tells one row from every other. */
export function rowId(record) {
  return JSON.stringify([record.bucket, record.key, record.seq, record.event_time, record.version, record.model]);
}

/** What tells one version of an object from every other, whoever spoke about it. */
export function versionId(record) {
  return JSON.stringify([record.bucket, record.key, record.seq, record.event_time, record.version]);
}
