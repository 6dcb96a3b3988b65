// Puts the parts together: each event of the stream goes to the panels that show it.

import { allow, openDetails, setRunFacts, startActions, toast, unlock } from "./actions.js";
import { showConnections, startConnections } from "./connections.js";
import { showEngine } from "./engine.js";
import { DASH, byId, bytes, clock, count, micros, seconds, setText } from "./format.js";
import { addIncidents, lastSeq, pageOpened, startIncidents } from "./incidents.js";
import { drawDepth, showMarket, showSymbols, startMarket } from "./market.js";
import { makeTiles, showFindings, showOverview, sumsOf } from "./overview.js";
import { redrawPlots, showPlots, showSources, startPlots } from "./plots.js";
import { Stream } from "./stream.js";
import { makeLegend, showTopics } from "./topics.js";

const POINTS = 600; // of history: ten minutes at one a second
const SPARK_POINTS = 60;
const THEMES = { "": "Auto", light: "Light", dark: "Dark" };

let view = null;
let source = "";
const series = { times: [], all: { rates: [], p50: [], p99: [] }, of: new Map() }; // of each connection
const sparks = {};

function decode(data) {
  return { ...data, workers: data.workers.map((values) => Object.fromEntries(data.fields.map((field, at) => [field, values[at]]))) };
}

// The server sends the last minutes once; from then on each view adds a point.
function recall(history) {
  series.times = history.times;
  series.all = history.all;
  series.of = new Map(Object.entries(history.connections));
  for (const lists of [series.all, ...series.of.values()]) {
    for (const list of Object.values(lists)) while (list.length < series.times.length) list.unshift(null);
  }
  for (const name of Object.keys(sparks)) delete sparks[name];
  Object.assign(sparks, history.workers);
}

function groupsOf(workers) {
  const groups = new Map();
  for (const worker of workers) {
    const name = worker.shard_of ?? worker.connection;
    const group = groups.get(name) ?? { rates: null, p50: null, p99: null };
    group.rates = (group.rates ?? 0) + (worker.events_per_s || 0);
    group.p50 = Math.max(group.p50, worker.latency_p50_us || 0) || null;
    group.p99 = Math.max(group.p99, worker.latency_p99_us || 0) || null;
    groups.set(name, group);
  }
  return groups;
}

function remember(shown) {
  const at = Math.floor(shown.at_ms / 1000);
  if (series.times.at(-1) >= at) return;
  const groups = groupsOf(shown.workers);
  for (const worker of shown.workers) {
    const spark = (sparks[worker.name] ??= []);
    spark.push(worker.events_per_s || 0);
    if (spark.length > SPARK_POINTS) spark.shift();
  }
  const most = (field) => Math.max(0, ...[...groups.values()].map((group) => group[field] ?? 0)) || null;
  const points = { rates: sumsOf(shown).rate, p50: most("p50"), p99: most("p99") };
  for (const name of groups.keys()) {
    if (!series.of.has(name)) series.of.set(name, { rates: nothing(), p50: nothing(), p99: nothing() });
  }
  series.times.push(at);
  const tooMany = series.times.length > POINTS;
  if (tooMany) series.times.shift();
  for (const [lists, point] of [[series.all, points], ...[...series.of].map(([name, each]) => [each, groups.get(name) ?? {}])]) {
    for (const [field, list] of Object.entries(lists)) {
      list.push(point[field] ?? null);
      if (tooMany) list.shift();
    }
  }
}

function nothing() {
  return new Array(series.times.length).fill(null);
}

function plots() {
  const lists = series.of.get(source) ?? series.all;
  showPlots({ times: series.times, ...lists });
}

const handlers = {
  hello: allow,
  view(data) {
    view = decode(data);
    pageOpened(view.at_ms);
    remember(view);
    showOverview(view);
    showFindings(view);
    showConnections(view, sparks);
    showEngine(view);
    showSources([...series.of.keys()]);
    plots();
    const { run } = view;
    setRunFacts([["Run directory", run.run_dir], ["State", run.state], ["Supervisor", `pid ${run.pid}, ${bytes(run.rss_bytes)}`], ["Hot paths", run.form], ["Up", seconds(run.uptime_s)]]);
  },
  history: recall,
  away(data) {
    byId("banner").hidden = data === null;
    if (data === null) return;
    const state = byId("run-state");
    setText(state, "no run");
    state.dataset.tone = "bad";
    const seen = data.since_ms ? ` What follows is of ${clock(data.since_ms)}.` : "";
    setText(byId("banner"), `The run does not answer: ${data.problem}.${seen}`);
  },
  topics(data) {
    showTopics(data);
    showSymbols(data.flatMap(({ exchange, symbols }) => Object.keys(symbols).map((symbol) => `${symbol}.${exchange.toUpperCase()}`)));
  },
  incidents(data) {
    addIncidents(data);
    stream.query.after = lastSeq();
  },
  market: showMarket,
  refused: (data) => toast(data.problem),
};

function onLink(state, problem) {
  const link = byId("link");
  link.dataset.tone = { live: "good", locked: "watch", lost: "bad" }[state];
  setText(byId("link-text"), { live: "live", locked: "locked", lost: "reconnecting" }[state]);
  link.title = problem ?? "";
  if (state === "locked") {
    byId("unlock").hidden = false;
    unlock("This view is shown to those who have its token.");
  }
}

const stream = new Stream((name, data) => handlers[name]?.(data), onLink);

function details(name) {
  const worker = view?.workers.find((each) => each.name === name);
  if (!worker) return;
  if (worker.node !== null) {
    openDetails(name, [
      ["State", worker.state], ["Connection", worker.connection], ["Node", worker.node || DASH], ["Machine", worker.host || DASH],
      ["Incarnation", String(worker.incarnation)], ["Events", count(worker.events_total)],
      ["Latency", `p50 ${micros(worker.latency_p50_us)}, p99 ${micros(worker.latency_p99_us)}, by the clocks of both machines`],
      ["Data age", seconds(worker.last_data_age_s)], ["Gaps", count(worker.gaps_total)], ["Lost", count(worker.lost_total)],
    ], name, worker.node);
    return;
  }
  openDetails(name, [
    ["State", `${worker.state}, wanted ${worker.desired}`], ["Cause", worker.cause || DASH], ["Last exit", worker.exit || "none"],
    ["Connection", `${worker.connection}, side ${worker.side}`], ["Exchange", worker.exchange], ["Process", `pid ${worker.pid ?? DASH}, incarnation ${worker.incarnation}`],
    ["Health", worker.health ?? DASH], ["Serving for", seconds(worker.ready_s)], ["Events", count(worker.events_total)],
    ["Latency", `p50 ${micros(worker.latency_p50_us)}, p99 ${micros(worker.latency_p99_us)}`], ["Data age", seconds(worker.last_data_age_s)],
    ["Loop lag", worker.loop_lag_ms === null ? DASH : `${worker.loop_lag_ms.toFixed(1)} ms`], ["Memory", bytes(worker.rss_bytes)],
    ["Restarts", `${worker.restarts_total}, of these by SIGKILL ${worker.kills_total}`], ["Rotations", count(worker.rotations_total)],
    ["Frames not understood", count(worker.rejected_total)],
  ], name);
}

function startTheme() {
  const button = byId("theme");
  const apply = (name) => {
    if (name) document.documentElement.dataset.theme = name;
    else delete document.documentElement.dataset.theme;
    setText(button, THEMES[name]);
    button.setAttribute("aria-label", `Colours: ${name || "as the system"}`);
    redrawPlots();
    drawDepth();
  };
  let name = "";
  try {
    name = localStorage.getItem("theme") ?? "";
  } catch {
    // the page works without a memory
  }
  apply(name in THEMES ? name : "");
  button.addEventListener("click", () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      // as above
    }
    apply(next);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(document.documentElement.dataset.theme ?? ""));
}

makeTiles();
makeLegend();
startIncidents();
startConnections(details);
startActions(stream);
startPlots((name) => {
  source = name;
  plots();
});
startMarket((symbol) => {
  stream.query.symbol = symbol;
  stream.open();
});
startTheme();
stream.open();
