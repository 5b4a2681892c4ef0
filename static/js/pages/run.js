/* The page of one run: a run that had not started when the page was made gets its terminal once it has, and one that has ended
 * without a word on stdout is shown where it said something. */

import { loadAnew } from "../lib/anew.js";
import { startCharts } from "../lib/chart.js";

const run = document.getElementById("run");
const waits = document.querySelector("[data-waits-for-output]");
const isChosen = new URLSearchParams(location.search).has("stream");

/** @param {HTMLElement} place @returns {string} */
function state(place) {
  return place.querySelector("[data-live-part=run-head] [data-state]")?.getAttribute("data-state") ?? "";
}

if (run) startCharts(run);
if (run && waits) {
  const before = state(run);
  run.addEventListener("watchbell:live", () => {
    // One that never started stays as it is, whatever else is told of it: there is nothing new to show.
    if (state(run) !== before && !["", "queued", "claimed", "retry_wait"].includes(state(run))) loadAnew();
  });
} else if (run && !isChosen && run.querySelector("[data-active]")) {
  run.addEventListener("watchbell:live", () => {
    const terminal = run.querySelector("[data-stream=stdout] [data-output-text]");
    if (!run.querySelector("[data-active]") && terminal && !terminal.querySelector(".wb-line")) loadAnew();
  });
}
