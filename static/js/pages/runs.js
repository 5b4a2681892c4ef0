/* The history of runs: its filters, and rows that are ticked and done something with. */

import { startFilters } from "../lib/filters.js";
import { startSelection } from "../lib/selection.js";

startSelection();
startFilters("run-filters");
