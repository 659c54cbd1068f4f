// The drawing area: a fat dark pen on white paper. Letting go of it for a moment is handing the drawing in.

import { byId } from "./dom.js";

const PEN = 34; // canvas pixels, of 448: what a marker is on a hand-sized sheet
const INK = "#16181d";
const LET_GO = 700; // ms without a stroke

/** @typedef {{ x: number, y: number }} Point */

/**
 * @param {(picture: Blob, key: string) => void} handIn called anew, with the same key, when the drawing goes on:
 * it is the same object then, in a new version
 */
export function startDrawing(handIn) {
  const canvas = /** @type {HTMLCanvasElement} */ (byId("draw"));
  const pen = canvas.getContext("2d");
  /** @type {Point[][]} */
  let strokes = [];
  /** @type {number | null} The pointer that draws; a second finger or a resting palm draws nothing. */
  let pointer = null;
  let key = "";
  let letGo = 0;

  function point(event) {
    const box = canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * canvas.width,
      y: ((event.clientY - box.top) / box.height) * canvas.height,
    };
  }

  function redraw() {
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    strokes.forEach(ink);
    byId("undo").disabled = byId("clear").disabled = strokes.length === 0;
    byId("draw-hint").hidden = strokes.length > 0;
  }

  /** Through the middles between points, so that a fast hand makes curves and no corners. */
  function ink(points) {
    pen.strokeStyle = pen.fillStyle = INK;
    pen.lineWidth = PEN;
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(points[0].x, points[0].y);
    for (let i = 1; i < points.length - 1; i++) {
      const { x, y } = points[i];
      pen.quadraticCurveTo(x, y, (x + points[i + 1].x) / 2, (y + points[i + 1].y) / 2);
    }
    const last = points[points.length - 1];
    pen.lineTo(last.x, last.y);
    pen.stroke();
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    event.preventDefault();
    clearTimeout(letGo);
    pointer = event.pointerId;
    canvas.setPointerCapture(pointer);
    if (!strokes.length) key = `drawn/${new Date().toISOString().replace(/[:.]/g, "-")}.png`;
    strokes.push([point(event)]);
    redraw();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    const events = event.getCoalescedEvents?.() ?? [];
    strokes[strokes.length - 1].push(...(events.length ? events : [event]).map(point));
    redraw();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(end, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      later();
    });
  }

  function later() {
    clearTimeout(letGo);
    if (!strokes.length) return;
    letGo = setTimeout(() => {
      const drawn = key;
      canvas.toBlob((picture) => picture && handIn(picture, drawn), "image/png");
    }, LET_GO);
  }

  byId("undo").addEventListener("click", () => {
    strokes.pop();
    redraw();
    later();
  });
  byId("clear").addEventListener("click", () => {
    clearTimeout(letGo);
    strokes = [];
    redraw();
  });
  redraw();
}
