// Waits for the row of an upload: it comes live, or is asked for where nothing came.

import { api } from "./api.js";
import { onRecord } from "./live.js";
import { correctionTime, rowId } from "./show.js";

const LOOK = 1500; // ms between two looks at objects that are waited for
const AT_ONCE = 4; // objects asked about in one look
const LONG = 60_000; // ms, after which it is said that it takes long
const TOO_LONG = 300_000; // ms, after which nobody looks any more

/**
 * @typedef {{ bucket: string, key: string, known: Set<string>, since: number, slow: boolean,
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
 * @param {{ bucket: string, key: string }} object @param {object[]} known
 * @param {() => void} late called once, if it takes long
 * @returns {Promise<object | null>} the new row; null if none came within minutes
 */
export function rowOf({ bucket, key }, known, late) {
  return new Promise((resolve) => {
    const wait = {
      bucket,
      key,
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

onRecord((record) => {
  for (const wait of waits) settle(wait, record);
});

function settle(wait, record) {
  if (record.bucket !== wait.bucket || record.key !== wait.key) return;
  if (correctionTime(record) !== null || record.status === "version_removed" || wait.known.has(rowId(record))) return;
  waits.delete(wait);
  wait.found(record);
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
    for (const record of await knownOf(wait.bucket, wait.key)) if (waits.has(wait)) settle(wait, record);
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
