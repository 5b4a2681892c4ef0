/* Reads texts, one JSON list of parts on each line, as the page of a run does, and says on a line what was wrong with what came out. */

import { createInterface } from "node:readline";
import { visible } from "../../static/js/lib/ansi.js";
import { LONGEST, Lines } from "../../static/js/lib/lines.js";

const CLASSES = /^(?:wb-sgr-(?:bold|dim|italic|underline|strike|f[0-7]|b[0-7])(?: |$))*$/;

for await (const text of createInterface({ input: process.stdin })) {
  const begin = performance.now();
  let problem = "";
  try {
    const lines = new Lines();
    const found = [];
    for (const part of JSON.parse(text)) found.push(...lines.read(part));
    if (lines.current) found.push(lines.current);
    problem = found.map(check).find(Boolean) ?? "";
  } catch (error) {
    problem = String(error.stack);
  }
  process.stdout.write(`${JSON.stringify({ problem, milliseconds: performance.now() - begin })}\n`);
}

/** @param {import("../../static/js/lib/lines.js").Line} line */
function check(line) {
  let length = 0;
  for (const piece of line.pieces) {
    if (!CLASSES.test(piece.classes)) return `classes ${piece.classes}`;
    const shown = visible(piece.text).map((part) => part.text).join("");
    if (/[\x00-\x08\x0b-\x1f\x7f-\x9f]/.test(shown)) return `shown ${JSON.stringify(shown.slice(0, 200))}`;
    length += piece.text.length;
  }
  return length > LONGEST ? `a line of ${length}` : "";
}
