/* The form of a recurring order: when it is due, and for how many devices, follow what is typed. */

import { follow } from "../lib/trial.js";

const form = document.getElementById("schedule-form");
const place = document.getElementById("trial");
if (form instanceof HTMLFormElement && place) follow(form, place, () => form.dataset.isNew === undefined);
