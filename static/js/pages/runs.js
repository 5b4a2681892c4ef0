/* The history of runs: its filters, and rows that are ticked and done something with. */

import { startFilters } from "../lib/filters.js";
import { startSelection } from "../lib/selection.js";
import { leadOn } from "../lib/server_list.js";

const { jQuery } = window;
const table = document.getElementById("runs");
// Module scripts run in the order of the page, so main.js has made the table by now.
if (table && jQuery?.fn?.dataTable?.isDataTable(table)) {
  const api = jQuery(table).DataTable();
  api.on("draw", () => leadOn(api));
} else startFilters("run-filters");
startSelection();
