/* Next runs: when the first moment has passed, the list is read anew at once instead of at its next turn. */

import { startFilters } from "../lib/filters.js";
import { serverNow } from "../lib/time.js";

const LATER_MS = 1500;
const LONGEST_MS = 24 * 3600 * 1000;
const table = document.getElementById("next-table");

/** @param {HTMLElement} rows @param {any} api */
function waitForFirst(rows, api) {
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    const first = rows.querySelector("tbody time[datetime]");
    const due = Date.parse(first?.getAttribute("datetime") ?? "");
    const later = Math.max(due - serverNow(), 0) + LATER_MS;
    if (Number.isNaN(due) || later > LONGEST_MS) return;
    timer = setTimeout(() => (document.hidden ? wait() : api.draw("page")), later);
  };
  api.on("draw", wait);
  wait();
}

const { jQuery } = window;
// Module scripts run in the order of the page, so main.js has made the table by now.
if (table && jQuery?.fn?.dataTable?.isDataTable(table)) waitForFirst(table, jQuery(table).DataTable());
else startFilters("next-filters");
