/* What every page needs. Each part does nothing when the page has nothing for it. */

import { startAnew } from "./lib/anew.js";
import { startAttention } from "./lib/attention.js";
import { startBusy } from "./lib/busy.js";
import { startDialogs } from "./lib/dialog.js";
import { startGuards } from "./lib/guard.js";
import { startHere } from "./lib/here.js";
import { startLive } from "./lib/live.js";
import { startMenus } from "./lib/menu.js";
import { startOutputs } from "./lib/output.js";
import { startPictures } from "./lib/pictures.js";
import { startOwn } from "./lib/own.js";
import { startPalette } from "./lib/palette.js";
import { startShortcuts } from "./lib/shortcuts.js";
import { startStream } from "./lib/stream.js";
import { startTables } from "./lib/datatable.js";
import { startTheme } from "./lib/theme.js";
import { startTime } from "./lib/time.js";

startAnew();
startTheme();
startHere();
startTime();
startMenus();
startDialogs();
startBusy();
startGuards();
startPalette();
startShortcuts();
startTables();
startOutputs();
startPictures();
startLive();
startAttention();
startOwn();
startStream();

// After a refused form the summary of what is wrong is what the reader, seeing or not, should meet first.
document.querySelector("[data-focus-on-load]")?.focus();
