/* The timeline: dragging over it chooses a stretch of time, which then stands in the address; a click where nothing is drawn asks why. */

const SVG = "http://www.w3.org/2000/svg";
const LEAST_PIXELS = 8;
const LEAST_MS = 120_000;

/** @typedef {{plot: SVGSVGElement, from: number, at: number, mark: SVGRectElement}} Drag */
/** @type {Drag|null} */
let drag = null;

/** @param {SVGSVGElement} plot @param {number} clientX */
function place(plot, clientX) {
  const box = plot.getBoundingClientRect();
  return Math.min(Math.max(clientX - box.left, 0), box.width);
}

/** @param {EventTarget|null} target */
function plotOf(target) {
  const plot = target instanceof Element ? target.closest("svg.wb-timeline__plot") : null;
  return plot instanceof SVGSVGElement ? plot : null;
}

function end() {
  drag?.mark.remove();
  drag = null;
}

/** @param {EventTarget|null} target @param {number} at */
function askWhy(target, at) {
  const gap = target instanceof Element ? target.closest("[data-why]") : null;
  if (!gap) return;
  // Nobody aims at seconds; the answer names the moments before and after.
  const minute = new Date(Math.round(at / 60_000) * 60_000).toISOString().replace(/\.\d+Z/, "Z");
  location.assign(`${gap.getAttribute("data-why")}?at=${minute}`);
}

document.addEventListener("pointerdown", (event) => {
  const plot = plotOf(event.target);
  // A finger scrolls the picture; a link that is clicked is followed.
  if (!plot || event.button !== 0 || event.pointerType === "touch") return;
  const mark = document.createElementNS(SVG, "rect");
  mark.setAttribute("class", "wb-timeline__chosen");
  mark.setAttribute("height", "100%");
  drag = { plot, from: place(plot, event.clientX), at: place(plot, event.clientX), mark };
});

document.addEventListener("pointermove", (event) => {
  if (!drag) return;
  drag.at = place(drag.plot, event.clientX);
  if (Math.abs(drag.at - drag.from) < LEAST_PIXELS) return;
  if (!drag.mark.isConnected) drag.plot.append(drag.mark);
  drag.mark.setAttribute("x", String(Math.min(drag.from, drag.at)));
  drag.mark.setAttribute("width", String(Math.abs(drag.at - drag.from)));
});

document.addEventListener("pointerup", (event) => {
  if (!drag) return;
  const { plot, from, mark } = drag;
  const at = place(plot, event.clientX);
  const was = mark.isConnected;
  end();
  const [begin, until] = [Number(plot.dataset.from), Number(plot.dataset.to)];
  const perPixel = (until - begin) / plot.getBoundingClientRect().width;
  if (!was) askWhy(event.target, begin + at * perPixel);
  if (!was || Math.abs(at - from) < LEAST_PIXELS) return;
  const start = begin + Math.min(from, at) * perPixel;
  const stop = Math.max(begin + Math.max(from, at) * perPixel, start + LEAST_MS);
  const address = new URL(location.href);
  address.searchParams.set("from", new Date(start).toISOString().replace(/\.\d+Z/, "Z"));
  address.searchParams.set("to", new Date(stop).toISOString().replace(/\.\d+Z/, "Z"));
  address.searchParams.delete("page");
  // The click that follows on a link under the pointer would lead elsewhere.
  addEventListener("click", (click) => click.preventDefault(), { capture: true, once: true });
  location.assign(address);
});

document.addEventListener("pointercancel", end);
document.addEventListener("keydown", (event) => event.key === "Escape" && end());
// A link that is dragged would begin to be dropped somewhere.
document.addEventListener("dragstart", (event) => plotOf(event.target) && event.preventDefault());

for (const plot of document.querySelectorAll(".wb-timeline__plot")) plot.setAttribute("data-can-drag", "");
for (const hint of document.querySelectorAll("[data-needs-script]")) hint.removeAttribute("hidden");
