/* The editor of a handler: line numbers beside its script. */

import { Source } from "../lib/source.js";
import { element } from "../lib/dom.js";

const text = document.getElementById("script_content");
if (text instanceof HTMLTextAreaElement) {
  const frame = element("div", { class: "wb-source" });
  text.before(frame);
  frame.append(text);
  text.classList.add("wb-source__text");
  new Source(frame, text);
}
