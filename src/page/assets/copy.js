// The object as somebody would type it elsewhere: quoted right for whatever its key holds.

import { objectUrl } from "./show.js";

/** A letter that a terminal would act on, not take: controls, and what turns the text around. */
// eslint-disable-next-line no-control-regex -- these are what it is about
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** One word of a POSIX shell; with `$'…'` (bash, zsh, ksh) where a letter could not be pasted as it is. */
export function shell(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (!UNSEEN.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const quoted = [...text].map((c) => {
    if (c === "'" || c === "\\") return `\\${c}`;
    // Three octal digits end by themselves, whatever comes next.
    if (UNSEEN.test(c))
      return [...new TextEncoder().encode(c)].map((b) => `\\${b.toString(8).padStart(3, "0")}`).join("");
    return c;
  });
  return `$'${quoted.join("")}'`;
}

/** A text of CQL. Its strings know no escapes but the doubled quote; other bytes are named in hex. */
export function cql(text) {
  if (!UNSEEN.test(text)) return `'${text.replaceAll("'", "''")}'`;
  const hex = [...new TextEncoder().encode(text)].map((b) => b.toString(16).padStart(2, "0")).join("");
  return `blobAsText(0x${hex})`;
}

/** @returns {[string, string][]} what it is called, and what is copied */
export function copies(bucket, key) {
  const url = shell(objectUrl(bucket, key));
  return [
    ["aws s3 cp", `aws s3 cp ${url} .`],
    ["spotter get", `spotter get ${url}`],
    [
      "CQL",
      "SELECT event_time, version, model, status, label, confidence FROM spotter.by_object\n" +
        `WHERE bucket = ${cql(bucket)} AND key = ${cql(key)};`,
    ],
  ];
}
