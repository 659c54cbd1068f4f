// Waits for the row of an upload: it comes live, or is asked for where nothing came.

import { api } from "./api.js";
import { onRecord } from "./live.js";
import { correctionTime, rowId } from "./show.js";

const LOOK = 1500; // ms between two looks at objects that are waited for
const AT_ONCE = 4; // objects asked about in one look
const LONG = 60_000; // ms, after which it is said that it takes long
const TOO_LONG = 300_000; // ms, after which nobody looks any more

/**
 * @typedef {{ bucket: string, key: string, etag: string | null, known: Set<string>, since: number, slow: boolean,
 *   found: (record: object) => void, late: () => void, lost: () => void }} Wait
 */

/** @type {Set<Wait>} */
const waits = new Set();
let looking = false;

/** What is known of an object before an upload, so that what comes after can be told from it. */
export async function knownOf(bucket, key) {
  try {
    const { history } = await api.object(bucket, key);
    return history;
  } catch (error) {
    if (error.status === 404) return [];
    throw error;
  }
}

/**
 * @param {{ bucket: string, key: string, etag: string | null }} object just put @param {object[]} known
 * @param {() => void} late called once, if it takes long
 * @returns {Promise<object | null>} the new row; null if none came within minutes
 */
export function rowOf({ bucket, key, etag }, known, late) {
  return new Promise((resolve) => {
    const wait = {
      bucket,
      key,
      etag,
      known: new Set(known.map(rowId)),
      since: Date.now(),
      slow: false,
      late,
      found: resolve,
      lost: () => resolve(null),
    };
    waits.add(wait);
    look();
  });
}

onRecord(settle);

/** A row answers the upload it is of, and those before it: they were replaced. Without ETags any new row has to do. */
function settle(record) {
  if (correctionTime(record) !== null || record.status === "version_removed") return;
  const same = [...waits].filter(
    ({ bucket, key, known }) => bucket === record.bucket && key === record.key && !known.has(rowId(record)),
  );
  const meant = same.some(({ etag }) => etag) ? same.filter((wait) => isOf(record, wait)) : same;
  const last = Math.max(...meant.map(({ since }) => since));
  for (const wait of same.filter(({ since }) => since <= last)) {
    waits.delete(wait);
    wait.found(record);
  }
}

/** A deletion has no ETag and may be older than the upload; after a minute it is all that there is. */
function isOf(record, { etag, slow }) {
  return record.etag === null ? slow : record.etag === etag;
}

async function look() {
  if (looking) return;
  looking = true;
  while (waits.size) {
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    for (const wait of [...waits].slice(0, AT_ONCE)) await lookFor(wait);
  }
  looking = false;
}

async function lookFor(wait) {
  try {
    // The oldest first: each upload is to have its own row.
    for (const record of (await knownOf(wait.bucket, wait.key)).reverse()) settle(record);
  } catch {
    // Live or the next look will tell; that Spotter does not answer is said elsewhere.
  }
  if (!waits.delete(wait)) return;
  const waited = Date.now() - wait.since;
  if (waited > TOO_LONG) return wait.lost();
  waits.add(wait); // at the end of the row: the others are asked about first
  if (waited > LONG && !wait.slow) {
    wait.slow = true;
    wait.late();
  }
}
