// Uploads, a row each: from this device to the bucket, and on until the record is there.

import { knownOf, rowOf } from "./await.js";
import { byId, el, icon, say } from "./dom.js";
import { problem } from "./problem.js";
import { readable } from "./reencode.js";
import { presign, put } from "./send.js";
import { bytes, confidence, objectUrl, reasonText, visible } from "./show.js";

const AT_ONCE = 4; // uploads
const ROWS = 50; // in the list, before ended ones make room

/** @typedef {{ key: string, note: string, prepare: () => Promise<{ body: Blob, type: string, key: string, note: string }> }} Upload */

/**
 * @param {{ bucket: string, uploads: boolean }} about
 * @param {(record: object) => void} done a row was written @param {(record: object) => void} open
 */
export function startUploads(about, done, open) {
  const list = byId("uploads");
  /** @type {{ upload: Upload, row: ReturnType<typeof addRow> }[]} */
  const queue = [];
  /** Keys under way: two versions of one object go one after the other, or the older could win. */
  const busy = new Set();

  function add(upload) {
    queue.push({ upload, row: addRow(upload.key) });
    next();
  }

  function next() {
    while (busy.size < AT_ONCE) {
      const index = queue.findIndex(({ upload }) => !busy.has(upload.key));
      if (index < 0) return;
      const [{ upload, row }] = queue.splice(index, 1);
      busy.add(upload.key);
      run(upload, row)
        .catch((error) => row.fail(error, () => (queue.push({ upload, row }), next())))
        .finally(() => {
          busy.delete(upload.key);
          next();
        });
    }
  }

  async function run(upload, row) {
    const prepared = await upload.prepare();
    const presigned = await presign(prepared);
    const { bucket, key } = presigned;
    const known = await knownOf(bucket, key);
    const notes = [prepared.note, known.length ? "a new version" : ""].filter(Boolean).join(", ");
    row.sending(key, notes);
    const etag = await put(presigned, prepared.body, row.progress);
    row.waiting();
    // The next upload may begin: only the order of the PUTs matters.
    rowOf({ bucket, key, etag }, known, row.late).then((record) => {
      if (!record) return row.lost();
      row.finish(record);
      done(record);
    });
  }

  /** What is under way, or can be tried again, stays. */
  function makeRoom() {
    const ended = [...list.children].filter(({ dataset }) => ["done", "refused"].includes(dataset.state));
    while (list.children.length > ROWS && ended.length) ended.pop().remove();
  }

  function addRow(key) {
    const name = el("span", { class: "upload-name" }, visible(key));
    const note = el("span", { class: "upload-note" }, "waits for its turn");
    const bar = el("progress", { max: 1, value: 0, "aria-label": `Upload of ${visible(key)}` });
    const item = el("li", { "data-state": "sending" }, name, note, bar);
    list.prepend(item);
    makeRoom();
    let notes = "";
    const set = (state, text) => {
      item.dataset.state = state;
      note.textContent = [text, notes].filter(Boolean).join(" · ");
      if (["refused", "failed"].includes(state)) say(byId("uploads-said"), `${name.textContent}: ${text}`);
      if (state !== "sending") bar.remove();
    };
    return {
      sending(as, said) {
        notes = said;
        name.textContent = visible(as);
        item.dataset.key = as;
        set("sending", "uploading");
      },
      progress(sent, of) {
        bar.value = of ? sent / of : 0;
        note.textContent = [`${bytes(sent)} of ${bytes(of)}`, notes].filter(Boolean).join(" · ");
      },
      waiting: () => set("waiting", "in the bucket, waiting for the answer"),
      late: () => set("waiting", "no record after a minute: a filter left it out, or the function tries again"),
      lost: () => set("failed", "no record after five minutes; the object is in the bucket"),
      fail(error, again) {
        notes = "";
        const refused = [413, 415].includes(error.status); // and would be once more
        set(refused ? "refused" : "failed", error.message);
        if (refused) return;
        const button = el(
          "button",
          {
            type: "button",
            class: "upload-answer",
            onclick: () => {
              button.remove();
              item.append(bar);
              bar.value = 0;
              set("sending", "waits for its turn");
              again();
            },
          },
          "Try again",
        );
        item.append(button);
      },
      finish(record) {
        const refused = record.status === "rejected";
        set(refused ? "refused" : "done", refused ? `refused: ${reasonText(record.reason)}` : record.status);
        const label = refused
          ? icon("refused")
          : el("strong", {}, record.status === "unsure" ? `${record.label}?` : record.label);
        const says = el("span", { class: "upload-answer" }, label, !refused && ` ${confidence(record.confidence)}`);
        const title = visible(objectUrl(record.bucket, record.key));
        name.replaceChildren(
          el("button", { type: "button", class: "link", title, onclick: () => open(record) }, ...name.childNodes),
        );
        item.append(says);
        if (!refused) say(byId("uploads-said"), `${visible(record.key)}: ${says.textContent}, ${record.status}`);
      },
    };
  }

  const addFiles = (files, key = (file) => file.name) => {
    for (const file of files) {
      add({
        key: key(file),
        note: "",
        prepare: async () => ({ ...(await readable(file)), ...(key(file) === file.name ? {} : { key: key(file) }) }),
      });
    }
  };
  if (about.uploads) takeFiles(addFiles);
  byId("pad").hidden = !about.uploads;
  return {
    addDrawing: (body, key) =>
      add({ key, note: "", prepare: async () => ({ body, type: "image/png", key, note: "" }) }),
  };
}

/** Chosen, dropped anywhere, or pasted. */
function takeFiles(addFiles) {
  const input = /** @type {HTMLInputElement} */ (byId("files"));
  input.addEventListener("change", () => {
    addFiles([...input.files]);
    input.value = ""; // so that the same file can be chosen again
  });
  const target = byId("drop");
  let inside = 0; // dragenter and dragleave come for every element on the way
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const over = (change) => (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    inside = Math.max(0, inside + change);
    target.toggleAttribute("data-over", inside > 0);
  };
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  addEventListener("dragover", over(0));
  addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    over(-Infinity)(event);
    const files = [...event.dataTransfer.files];
    if (!files.length) problem("drop", new Error("Nothing was dropped that this browser gives out as a file."));
    addFiles(files);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    // What is copied from a screen is always called image.png.
    const time = new Date().toISOString().replace(/[:.]/g, "-");
    addFiles(files, (file) => (file.name === "image.png" ? `pasted/${time}.png` : file.name));
  });
}
