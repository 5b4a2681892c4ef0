/* The list of tasks: its search field and filters drive the table, and the address follows. */

import { startServerList } from "../lib/server_list.js";

startServerList("tasks", { owner: "all" });
