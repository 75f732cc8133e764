// Pixels of a picture at full depth: PNG read here, so that 16-bit values and label numbers are those of the file;
// everything else by the browser, which gives 8 bits.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

/**
 * Decode a picture.
 * @param {ArrayBuffer} bytes
 * @returns {Promise<{width, height, channels, depth, data, exact}>} `data` has height x width x channels numbers
 */
export async function decodePicture(bytes, kind = "") {
  const head = new Uint8Array(bytes, 0, Math.min(8, bytes.byteLength));
  if (SIGNATURE.every((each, at) => head[at] === each)) {
    const read = await decodePng(bytes);
    if (read) return read;
  }
  return decodeByBrowser(bytes, kind);
}

async function decodeByBrowser(bytes, kind) {
  const bitmap = await createImageBitmap(new Blob([bytes], { type: kind }), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width, height } = bitmap;
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return { width, height, channels: 4, depth: 8, data: context.getImageData(0, 0, width, height).data, exact: false };
}

/** A PNG that is not interlaced; null for one that is. */
async function decodePng(bytes) {
  const view = new DataView(bytes);
  const parts = [];
  let header = null;
  let palette = null;
  for (let at = 8; at + 12 <= bytes.byteLength; ) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...new Uint8Array(bytes, at + 4, 4));
    if (at + 12 + length > bytes.byteLength) break;
    if (type === "IHDR") header = { width: view.getUint32(at + 8), height: view.getUint32(at + 12), depth: view.getUint8(at + 16), color: view.getUint8(at + 17), interlaced: view.getUint8(at + 20) };
    if (type === "PLTE") palette = new Uint8Array(bytes, at + 8, length);
    if (type === "IDAT") parts.push(new Uint8Array(bytes, at + 8, length));
    at += 12 + length;
  }
  if (!header || header.interlaced) return null;
  const { width, height, depth, color } = header;
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[color];
  const raw = new Uint8Array(await new Response(new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer());
  const step = Math.max(1, (channels * depth) / 8);
  const stride = Math.ceil((width * channels * depth) / 8);
  if (raw.length < (stride + 1) * height) throw new Error("the picture ends before its last line");
  const lines = unfiltered(raw, height, stride, step);
  const data = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width * channels; x += 1) {
      const line = y * stride;
      if (depth === 8) data[y * width * channels + x] = lines[line + x];
      else if (depth === 16) data[y * width * channels + x] = (lines[line + 2 * x] << 8) | lines[line + 2 * x + 1];
      else {
        const bit = x * depth;
        data[y * width * channels + x] = (lines[line + (bit >> 3)] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
      }
    }
  }
  return { width, height, channels, depth, data, exact: true, palette };
}

function unfiltered(raw, height, stride, step) {
  const lines = new Uint8Array(stride * height);
  for (let y = 0; y < height; y += 1) {
    const filter = raw[y * (stride + 1)];
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    for (let x = 0; x < stride; x += 1) {
      const left = x >= step ? lines[to + x - step] : 0;
      const up = y ? lines[to + x - stride] : 0;
      const corner = x >= step && y ? lines[to + x - stride - step] : 0;
      lines[to + x] = raw[from + x] + [0, left, up, (left + up) >> 1, filter === 4 ? paeth(left, up, corner) : 0][filter];
    }
  }
  return lines;
}

function paeth(left, up, corner) {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}

/** Values at a pixel, as the file has them. */
export function at(picture, x, y) {
  if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return null;
  const start = (y * picture.width + x) * picture.channels;
  return Array.from(picture.data.slice(start, start + picture.channels));
}

/** As 8-bit RGBA between black and white levels. */
export function shown(picture, low, high) {
  const { width, height, channels, data, palette } = picture;
  const out = new ImageData(width, height);
  const scale = 255 / Math.max(1e-9, high - low);
  const gray = channels < 3;
  for (let place = 0; place < width * height; place += 1) {
    const from = place * channels;
    const to = place * 4;
    for (let each = 0; each < 3; each += 1) {
      const stored = data[from + (gray ? 0 : each)];
      out.data[to + each] = palette ? palette[stored * 3 + each] : (stored - low) * scale;
    }
    out.data[to + 3] = 255;
  }
  return out;
}

/** Levels that show most of it: the whole range of 8 bits, else without the outermost half percent. */
export function levels(picture) {
  if (picture.depth <= 8) return [0, picture.palette ? 255 : (1 << picture.depth) - 1];
  const values = picture.data.filter((_, place) => place % Math.max(1, Math.floor(picture.data.length / 65536)) === 0).sort();
  const [low, high] = [values[Math.floor(values.length * 0.005)], values[Math.floor((values.length - 1) * 0.995)]];
  return low < high ? [low, high] : [low, low + 1];
}
