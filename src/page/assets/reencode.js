// Pictures in formats that the function does not read, made into ones it does, where this browser can read them.

/** What `spotter` decodes. */
const READ = new Set(["image/jpeg", "image/png", "image/gif", "image/webp", "image/bmp", "image/tiff"]);
const BY_NAME = {
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  png: "image/png",
  gif: "image/gif",
  webp: "image/webp",
  bmp: "image/bmp",
  tif: "image/tiff",
  tiff: "image/tiff",
  heic: "image/heic",
  heif: "image/heif",
  avif: "image/avif",
  svg: "image/svg+xml",
  jxl: "image/jxl",
};
const LONGEST = 4096; // px of the longer side: far more than a model looks at
const PHOTO = 512 * 512; // px: above that it is a photograph and becomes a JPEG

/** The content type of a file; by its name where the browser knows none. */
export function typeOf(file) {
  if (file.type) return file.type === "image/x-ms-bmp" ? "image/bmp" : file.type;
  const extension = file.name.slice(file.name.lastIndexOf(".") + 1).toLowerCase();
  return BY_NAME[extension] ?? "application/octet-stream";
}

/**
 * @param {File} file
 * @returns {Promise<{ body: Blob, type: string, key: string, note: string }>} the file as it is where it can be read,
 * or where this browser cannot read it either: then the function refuses it by its name
 */
export async function readable(file) {
  const type = typeOf(file);
  const asItIs = { body: file, type, key: file.name, note: "" };
  if (READ.has(type) || !type.startsWith("image/")) return asItIs;
  const image = await decode(file).catch(() => null);
  if (!image) return asItIs;
  const scale = Math.min(1, LONGEST / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const brush = canvas.getContext("2d");
  brush.fillStyle = "#fff"; // paper behind what is transparent
  brush.fillRect(0, 0, canvas.width, canvas.height);
  brush.drawImage(image, 0, 0, canvas.width, canvas.height);
  const [as, ending] = canvas.width * canvas.height > PHOTO ? ["image/jpeg", "jpg"] : ["image/png", "png"];
  const body = await new Promise((resolve) => canvas.toBlob(resolve, as, 0.92));
  if (!body) return asItIs;
  return { body, type: as, key: `${file.name}.${ending}`, note: `re-encoded as ${ending.toUpperCase()}` };
}

/** An `img` reads what createImageBitmap does not: SVG. */
async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    const image = new Image();
    const url = URL.createObjectURL(file);
    try {
      image.src = url;
      await image.decode();
      return image;
    } finally {
      URL.revokeObjectURL(url);
    }
  }
}
