// One object's bytes to the bucket, by a presigned request: straight to S3, through the same pipeline as any upload.

import { api, ApiError } from "./api.js";

/** Headers that only the browser may set; it sets these as they were signed. */
const OWN = new Set(["host", "content-length", "accept-encoding", "connection", "date"]);

/**
 * @param {{ key: string, body: Blob, type: string }} upload
 * @returns {Promise<{ bucket: string, key: string, method: string, url: string, headers: Record<string, string> }>}
 *   the key may have got a prefix
 */
export function presign({ key, body, type }) {
  return api.upload({ key, size: body.size, content_type: type });
}

/**
 * @param {Awaited<ReturnType<typeof presign>>} presigned @param {Blob} body
 * @param {(sent: number, of: number) => void} progress
 * @returns {Promise<string | null>} the ETag as records have it, once S3 has the object
 */
export function put(presigned, body, progress) {
  const request = new XMLHttpRequest(); // fetch tells nothing of how far an upload is
  return new Promise((resolve, reject) => {
    const fail = (message) => reject(new ApiError(message, request.status));
    request.open(presigned.method, presigned.url);
    for (const [name, value] of Object.entries(presigned.headers)) {
      if (!OWN.has(name.toLowerCase())) request.setRequestHeader(name, value);
    }
    request.upload.addEventListener("progress", (event) => progress(event.loaded, event.total));
    request.addEventListener("load", () => {
      if (request.status >= 300) return fail(`S3 refused the upload: ${reason(request)}.`);
      resolve(header(request, "etag")?.replaceAll('"', "") || null);
    });
    request.addEventListener("error", () => {
      fail(
        `${new URL(presigned.url).host} does not answer: is this device online, and may this page upload there (CORS)?`,
      );
    });
    request.addEventListener("timeout", () => fail("The upload took too long."));
    request.addEventListener("abort", () => fail("The upload was broken off."));
    request.send(body);
  });
}

/** Only those that the bucket's CORS rules expose can be read; asking for another is an error in the console. */
function header(request, name) {
  const all = request.getAllResponseHeaders().toLowerCase();
  return all.includes(`${name}:`) ? request.getResponseHeader(name) : null;
}

/** S3 says why in XML: `<Error><Code>AccessDenied</Code>…`. */
function reason(request) {
  const code = /<Code>([^<]+)<\/Code>/.exec(request.responseText)?.[1];
  return code ? `${code} (${request.status})` : `${request.status} ${request.statusText}`.trim();
}
