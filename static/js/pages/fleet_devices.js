/* The list of devices: its search field and filters drive the table, and the address follows. */

import { startServerList } from "../lib/server_list.js";

startServerList("devices");
