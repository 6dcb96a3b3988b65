// Headline, tiles and what is wrong.

import { byId, bytes, count, element, micros, rate, seconds, serves, setText } from "./format.js";

const TONES = { running: "good", starting: "watch", stopping: "watch", degraded: "watch", stopped: "off" };

const TILES = [
  ["serving", "Serving", (sums) => `${sums.serving}`, (sums) => `of ${sums.workers} workers`, (sums) => (sums.serving < sums.workers ? "bad" : "good")],
  ["rate", "Events", (sums) => rate(sums.rate), () => "per second"],
  ["p99", "Latency p99", (sums) => micros(sums.p99), () => "worst connection", (sums) => (sums.p99 > 1e6 ? "watch" : "")],
  ["age", "Oldest data", (sums) => seconds(sums.age), () => "of any worker", (sums) => (sums.age > 60 ? "watch" : "")],
  ["queue", "Engine queue", (sums) => count(sums.queue), () => "events wait", (sums) => (sums.queue > 10000 ? "bad" : "")],
  ["restarts", "Restarts", (sums) => count(sums.restarts), () => "of all workers", (sums) => (sums.restarts ? "watch" : "")],
  ["gaps", "Gaps", (sums) => count(sums.gaps), () => "announced", (sums) => (sums.gaps ? "watch" : "")],
  ["lost", "Lost", (sums) => count(sums.lost), () => "events, lost or dropped", (sums) => (sums.lost ? "bad" : "good")],
];

export function makeTiles() {
  byId("overview").replaceChildren(
    ...TILES.map(([id, title]) =>
      element("div", { class: "tile", id: `tile-${id}`, role: "group", "aria-label": title },
        element("h2", { text: title }), element("p", { class: "value", text: "–" }), element("p", { class: "note" })),
    ),
  );
}

export function sumsOf(view) {
  const { workers, engine } = view;
  const sum = (field) => workers.reduce((total, worker) => total + (worker[field] || 0), 0);
  const most = (field) => workers.reduce((top, worker) => Math.max(top, worker[field] || 0), 0);
  return {
    workers: workers.length,
    serving: workers.filter(serves).length,
    rate: sum("events_per_s"),
    p99: most("latency_p99_us"),
    age: most("last_data_age_s"),
    queue: engine?.queue_depth ?? null,
    restarts: sum("restarts_total"),
    gaps: sum("gaps_total"),
    lost: sum("lost_total") + sum("dropped_total") + (engine?.dropped_total || 0),
  };
}

export function showOverview(view) {
  const sums = sumsOf(view);
  for (const [id, , value, note, tone] of TILES) {
    const tile = byId(`tile-${id}`);
    setText(tile.children[1], value(sums));
    setText(tile.children[2], note(sums));
    tile.dataset.tone = tone ? tone(sums) : "";
  }
  const { run } = view;
  const state = byId("run-state");
  setText(state, run.state);
  state.dataset.tone = TONES[run.state] ?? "watch";
  setText(byId("run-facts"), `${run.run_dir} · pid ${run.pid} · up ${seconds(run.uptime_s)} · ${bytes(run.rss_bytes)} · v${run.version}`);
  document.title = view.bad_total ? `(${view.bad_total}) foxtrot-supervisor` : "foxtrot-supervisor";
}

export function showFindings(view) {
  const { findings, findings_total: total, bad_total: bad } = view;
  setText(byId("attention-count"), total ? `${bad} bad, ${total - bad} to watch` : "");
  const list = byId("findings");
  const key = JSON.stringify(findings);
  if (list.dataset.key === key) return; // keeps the reader's place in the list
  list.dataset.key = key;
  const rows = findings.map((each) =>
    element("li", { "data-tone": each.severity },
      element("span", { class: "badge", text: each.severity }),
      element("p", {}, element("span", { class: "where", text: each.where }), " ", element("span", { class: "what", text: each.what })),
      each.detail ? element("p", { class: "detail", title: each.detail, text: each.detail }) : null),
  );
  if (total > findings.length) rows.push(element("li", { class: "rest", text: `and ${total - findings.length} more: foxtrot-supervisor doctor` }));
  if (!rows.length) rows.push(element("li", { class: "fine", text: "Nothing: every worker serves, and no event is lost." }));
  list.replaceChildren(...rows);
}
