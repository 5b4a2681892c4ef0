/* Whether somebody is there: what an open page asks by itself must not keep the session of whoever has left from ending. */

const AWAY_MS = 60000;
const HANDS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

let movedAt = Date.now();

for (const kind of HANDS) addEventListener(kind, () => (movedAt = Date.now()), { capture: true, passive: true });

/** Return what a request says beside its own headers: nothing while somebody is there. @returns {Record<string, string>} */
export function presence() {
  return Date.now() - movedAt > AWAY_MS ? { "X-Away": "1" } : {};
}
