/* A chart over time from a table that stands on the page anyway.
 *
 * <figure class="wb-chart__frame" data-chart="ID of the table" data-chart-column="2" data-chart-token="--wb-running" data-chart-unit="%">
 *   The first column holds the seconds, the named one the values, both as data-order of their cells. What stands in the figure
 *   for readers without scripts ([data-chart-plain]) makes room for the canvas. Chart.js comes with the page, as a plain script. */

import { element } from "./dom.js";
import { colour } from "./theme.js";
import { grouped, signedAsRead } from "./words.js";

/** @param {number} seconds */
function clock(seconds) {
  if (seconds < 120) return `${grouped(Number(seconds.toFixed(1)))} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${signedAsRead((seconds / 3600).toFixed(1))} h`;
}

/** @param {HTMLTableElement} table @param {number} column */
function points(table, column) {
  return [...(table.tBodies[0]?.rows ?? [])].map((row) => ({
    x: Number(row.cells[0].dataset.order),
    y: Number(row.cells[column].dataset.order),
  }));
}

/** @param {HTMLElement} figure @param {any} Chart */
function draw(figure, Chart) {
  const table = document.getElementById(figure.dataset.chart ?? "");
  if (!(table instanceof HTMLTableElement)) return null;
  const data = points(table, Number(figure.dataset.chartColumn));
  const unit = figure.dataset.chartUnit ?? "";
  const ink = colour(figure.dataset.chartToken ?? "--wb-running");
  const muted = colour("--wb-muted");
  const line = colour("--wb-line");
  const canvas = element("canvas", { role: "img", "aria-label": figure.dataset.chartLabel ?? "" });
  figure.querySelector(".wb-chart")?.remove();
  figure.append(element("div", { class: "wb-chart" }, canvas));
  figure.querySelector("[data-chart-plain]")?.setAttribute("hidden", "");
  const axis = { grid: { color: line }, border: { color: line }, ticks: { color: muted, maxTicksLimit: 6 } };
  return new Chart(canvas, {
    type: "line",
    data: { datasets: [{ data, borderColor: ink, backgroundColor: ink.replace(/^rgb\((.*)\)$/, "rgba($1, 0.15)"), borderWidth: 1.5, fill: "origin", pointRadius: 0, pointHitRadius: 12, tension: 0 }] },
    options: {
      animation: false,
      maintainAspectRatio: false,
      interaction: { mode: "nearest", axis: "x", intersect: false },
      scales: {
        x: { ...axis, type: "linear", min: 0, ticks: { ...axis.ticks, callback: (/** @type {number} */ value) => clock(value) } },
        y: { ...axis, beginAtZero: true, suggestedMax: unit === "%" ? 10 : undefined, ticks: { ...axis.ticks, callback: (/** @type {number} */ value) => `${grouped(value)} ${unit}` } },
      },
      plugins: {
        legend: { display: false },
        tooltip: {
          displayColors: false,
          callbacks: {
            title: (/** @type {any[]} */ items) => clock(items[0].parsed.x),
            label: (/** @type {any} */ item) => `${grouped(item.parsed.y)} ${unit}`,
          },
        },
      },
    },
  });
}

/** @param {HTMLElement} place */
export function startCharts(place) {
  const Chart = /** @type {any} */ (globalThis).Chart;
  if (!Chart) return;
  /** @type {any[]} */
  let drawn = [];
  const all = () => {
    for (const chart of drawn) chart?.destroy();
    drawn = [...place.querySelectorAll("[data-chart]")].map((figure) => draw(/** @type {HTMLElement} */ (figure), Chart));
  };
  all();
  document.addEventListener("watchbell:theme", all);
  place.addEventListener("watchbell:live", all);
}
