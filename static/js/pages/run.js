/* The page of one run: a run that had not started when the page was made gets its terminal once it has. */

const run = document.getElementById("run");
const waits = document.querySelector("[data-waits-for-output]");

if (run && waits) {
  run.addEventListener("watchbell:live", () => {
    const state = run.querySelector("[data-live-part=run-head] [data-state]")?.getAttribute("data-state");
    if (state && !["queued", "claimed", "retry_wait"].includes(state)) location.reload();
  });
}
