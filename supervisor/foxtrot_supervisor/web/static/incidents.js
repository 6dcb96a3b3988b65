// Incidents: a timeline of the last minutes, and a list, newest first.

import { byId, clock, element, setText } from "./format.js";

const KEPT = 500;
const SHOWN = 200;
const SPAN_MS = 15 * 60 * 1000;
const TITLES = { bad: "Bad", watch: "Watch", good: "Recovered", note: "Planned" };
const GOOD = new Set(["recovered", "topic_flowing"]);
const PLANNED = new Set(["restart", "stopped", "reload", "rotation", "topic_delisted", "maintenance"]);
const WATCH = new Set(["backfill_failed", "clock", "gap", "resync", "rotation_failed", "snapshots_rejected", "topic_gap", "topic_invalid", "rate_limited", "template_off", "crossed_book", "growth", "reload_refused", "strays_killed"]);

const kept = [];
let runId = "";
let openedAt = 0; // what happened before is not announced
let waiting = [];
let announceTimer = 0;

export function toneOf(kind) {
  if (GOOD.has(kind)) return "good";
  if (PLANNED.has(kind)) return "note";
  return WATCH.has(kind) ? "watch" : "bad";
}

export function pageOpened(atMs) {
  openedAt ||= atMs;
}

export function lastSeq() {
  return kept.length ? kept[0].seq : 0;
}

export function addIncidents({ run_id: run, incidents }) {
  if (run !== runId) {
    runId = run;
    kept.length = 0;
  }
  const fresh = incidents.filter((each) => each.seq > lastSeq());
  kept.unshift(...fresh.reverse());
  kept.length = Math.min(kept.length, KEPT);
  announce(fresh.filter((each) => toneOf(each.kind) !== "note" && openedAt && each.at_ns / 1e6 > openedAt));
  showList();
  showTimeline();
}

// A burst is read as one sentence: a screen reader must not be flooded.
function announce(incidents) {
  waiting.push(...incidents);
  if (announceTimer || !waiting.length) return;
  announceTimer = setTimeout(() => {
    const [latest] = waiting;
    const more = waiting.length - 1;
    setText(byId("announcer"), `${titleOf(latest)}: ${latest.worker || "supervisor"}, ${latest.cause}${more ? `, and ${more} more` : ""}`);
    waiting = [];
    announceTimer = 0;
  }, 1000);
}

function titleOf(incident) {
  return incident.kind.replaceAll("_", " ");
}

function chosen() {
  return new Set([...document.querySelectorAll("#incidents .choices button")].filter((each) => each.getAttribute("aria-pressed") === "true").map((each) => each.dataset.tone));
}

export function showList() {
  const tones = chosen();
  const wanted = kept.filter((each) => tones.has(toneOf(each.kind)));
  setText(byId("incidents-count"), kept.length ? `${kept.length}${kept.length === KEPT ? "+" : ""}` : "");
  const rows = wanted.slice(0, SHOWN).map((each) => {
    const at = Math.round(each.at_ns / 1e6);
    const extra = [each.rung && each.rung !== "ask" ? `rung ${each.rung}` : "", each.incarnation ? `#${each.incarnation}` : "", each.suppressed ? `${each.suppressed} alike left out` : ""].filter(Boolean).join(" · ");
    return element("li", { "data-tone": toneOf(each.kind), "data-seq": each.seq },
      element("time", { datetime: new Date(at).toISOString(), text: clock(at) }),
      element("span", { class: "badge", text: titleOf(each) }),
      element("p", {}, element("span", { class: "where", text: each.worker || each.connection || "supervisor" }), " ",
        element("span", { class: "what", text: each.cause }), extra ? element("span", { class: "extra", text: ` ${extra}` }) : null));
  });
  if (!rows.length) rows.push(element("li", { class: "fine", text: kept.length ? "None of the chosen kinds." : "None since this run was started." }));
  byId("incident-list").replaceChildren(...rows);
}

export function showTimeline() {
  const now = Date.now();
  const line = byId("timeline");
  const recent = kept.filter((each) => now - each.at_ns / 1e6 < SPAN_MS);
  const marks = recent.slice(0, SHOWN).map((each) => {
    const mark = element("i", { "data-tone": toneOf(each.kind), title: `${clock(each.at_ns / 1e6)} ${titleOf(each)} ${each.worker}` });
    mark.style.left = `${100 * (1 - (now - each.at_ns / 1e6) / SPAN_MS)}%`;
    return mark;
  });
  const ticks = [15, 10, 5, 0].map((minutes) => {
    const tick = element("b", { text: minutes ? `−${minutes} min` : "now" });
    tick.style.left = `${100 * (1 - minutes / 15)}%`;
    return tick;
  });
  line.replaceChildren(...ticks, ...marks);
  const of = (tone) => recent.filter((each) => toneOf(each.kind) === tone).length;
  line.setAttribute("aria-label", `Incidents of the last 15 minutes: ${Object.keys(TITLES).map((tone) => `${of(tone)} ${TITLES[tone].toLowerCase()}`).join(", ")}`);
}

export function startIncidents() {
  for (const button of document.querySelectorAll("#incidents .choices button")) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
      showList();
    });
  }
  showList();
  showTimeline();
  setInterval(showTimeline, 5000);
}
