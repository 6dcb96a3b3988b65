// The table of workers: sides of a connection together, only changed texts are written.

import { DASH, byId, bytes, count, element, micros, rate, seconds, serves, setText } from "./format.js";

const ROWS_SHOWN = 200;
const SPARK_POINTS = 60;
const TONES = { RUNNING: "good", STARTING: "note", CONNECTING: "note", BACKOFF: "watch", STOPPING: "watch", STOPPED: "off", EXITED: "off", FATAL: "bad", LOST: "bad",
  serving: "good", starting: "note", leaving: "watch", ended: "off", unknown: "watch", away: "bad" };
const SORTS = {
  "": null,
  trouble: (worker) => (serves(worker) ? 0 : 1e6) + (worker.topics_total - worker.topics_flowing) * 1e3 + worker.restarts_total,
  rate: (worker) => worker.events_per_s,
  p99: (worker) => worker.latency_p99_us,
  age: (worker) => worker.last_data_age_s ?? -1,
  restarts: (worker) => worker.restarts_total,
};

const rows = new Map();
let latest = null;
let rates = {};
let onOpen = () => {};

// Each column: class, text, tone.
const COLUMNS = [
  ["num", (worker) => String(worker.pid ?? DASH)],
  ["num", (worker) => String(worker.incarnation)],
  ["num", (worker) => (worker.retry_in_s === null ? seconds(worker.ready_s) : `in ${seconds(worker.retry_in_s)}`)],
  ["", (worker) => (worker.topics_total ? `${worker.topics_flowing}/${worker.topics_total}` : DASH), (worker) => (worker.topics_flowing < worker.topics_total ? "watch" : "")],
  ["num strong", (worker) => rate(worker.events_per_s)],
  ["spark", null],
  ["num", (worker) => micros(worker.latency_p50_us)],
  ["num", (worker) => micros(worker.latency_p99_us), (worker) => (worker.latency_p99_us > 1e6 ? "watch" : "")],
  ["num", (worker) => seconds(worker.last_data_age_s), (worker) => (worker.last_data_age_s > 60 ? "watch" : "")],
  ["num", (worker) => count(worker.restarts_total), (worker) => (worker.restarts_total ? "watch" : "zero")],
  ["num", (worker) => count(worker.gaps_total), (worker) => (worker.gaps_total ? "watch" : "zero")],
  ["num", (worker) => count((worker.lost_total || 0) + (worker.dropped_total || 0)), (worker) => (worker.lost_total || worker.dropped_total ? "bad" : "zero")],
  ["num", (worker) => bytes(worker.rss_bytes)],
];
const SPARK_AT = COLUMNS.findIndex(([kind]) => kind === "spark");
const LABELS = ["Pid", "Inc.", "Serving", "Topics", "Events/s", "1 min", "p50", "p99", "Data age", "Restarts", "Gaps", "Lost", "Memory"];

export function startConnections(open) {
  onOpen = open;
  byId("filter").addEventListener("input", () => latest && showConnections(latest, rates));
  byId("sort").addEventListener("change", () => latest && showConnections(latest, rates));
}

export function showConnections(view, series) {
  latest = view;
  rates = series;
  const shown = chosen(view.workers);
  const fresh = [];
  let before = null;
  for (const worker of shown.slice(0, ROWS_SHOWN)) {
    let row = rows.get(worker.name);
    if (!row) rows.set(worker.name, (row = makeRow(worker)));
    fillRow(row, worker, before?.connection === worker.connection);
    fresh.push(row.node);
    before = worker;
  }
  const body = byId("workers");
  if (fresh.length !== body.children.length || fresh.some((node, at) => body.children[at] !== node)) body.replaceChildren(...fresh);
  const names = new Set(view.workers.map((worker) => worker.name));
  for (const name of rows.keys()) if (!names.has(name)) rows.delete(name);
  const connections = new Set(view.workers.map((worker) => worker.connection)).size;
  setText(byId("connections-count"), `${connections} connections, ${view.workers.length} workers${shown.length < view.workers.length ? `, ${shown.length} shown` : ""}`);
  const more = byId("more-workers");
  more.hidden = shown.length <= ROWS_SHOWN;
  setText(more, more.hidden ? "" : `${shown.length - ROWS_SHOWN} more: use the filter, or sort trouble first`);
}

function chosen(workers) {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (worker) => `${worker.name} ${worker.exchange ?? ""} ${worker.state} ${worker.shard_of ?? ""} ${worker.node ?? ""} ${worker.host ?? ""}`.toLowerCase();
  const found = words.length ? workers.filter((worker) => words.every((word) => text(worker).includes(word))) : workers;
  const key = SORTS[byId("sort").value];
  return key ? [...found].sort((a, b) => key(b) - key(a)) : found;
}

function makeRow(worker) {
  const title = element("button", { type: "button", class: "name", "aria-haspopup": "dialog", onclick: () => onOpen(worker.name) });
  const cells = COLUMNS.map(([kind], at) => element("td", { class: kind, "data-label": LABELS[at] }));
  const spark = element("canvas", { width: 120, height: 24, "aria-hidden": "true" });
  cells[SPARK_AT].append(spark);
  const state = element("span", { class: "pill" });
  const cause = element("span", { class: "cause" });
  const open = element("button", { type: "button", class: "dots", "aria-label": `Details and actions of ${worker.name}`, "aria-haspopup": "dialog", text: "⋯", onclick: () => onOpen(worker.name) });
  const exchange = element("span", { class: "muted small" });
  const node = element("tr", {}, element("th", { scope: "row" }, title, exchange), element("td", { class: "state" }, state, cause), ...cells, element("td", { class: "end" }, open));
  return { node, title, exchange, state, cause, cells, spark };
}

function place(worker, isSide) {
  if (worker.node !== null) return worker.node ? `on ${worker.node}` : "on no node";
  if (isSide) return "";
  return worker.shard_of ? `${worker.exchange}, shard of ${worker.shard_of}` : worker.exchange;
}

function fillRow(row, worker, isSide) {
  row.node.classList.toggle("same", isSide);
  setText(row.title, worker.name);
  setText(row.exchange, place(worker, isSide));
  setText(row.state, ["going", "coming"].includes(worker.rotation) ? `${worker.state} (${worker.rotation})` : worker.state);
  row.state.dataset.tone = TONES[worker.state] ?? "watch";
  row.node.dataset.tone = serves(worker) ? "" : row.state.dataset.tone;
  setText(row.cause, serves(worker) ? "" : worker.cause);
  COLUMNS.forEach(([, text, tone], at) => {
    if (!text) return;
    setText(row.cells[at], text(worker));
    row.cells[at].dataset.tone = tone ? tone(worker) : "";
  });
  drawSpark(row.spark, rates[worker.name] ?? []);
}

function drawSpark(canvas, points) {
  const key = points.join();
  if (canvas.dataset.key === key) return;
  canvas.dataset.key = key;
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  if (points.length < 2) return;
  const top = Math.max(...points, 1);
  const style = getComputedStyle(canvas);
  const x = (at) => width - ((points.length - 1 - at) * width) / (SPARK_POINTS - 1);
  const y = (value) => height - 2 - (value / top) * (height - 5);
  context.beginPath();
  points.forEach((value, at) => (at ? context.lineTo(x(at), y(value)) : context.moveTo(x(at), y(value))));
  context.strokeStyle = style.color;
  context.lineWidth = 1.6;
  context.stroke();
  context.lineTo(x(points.length - 1), height);
  context.lineTo(x(0), height);
  context.globalAlpha = 0.16;
  context.fillStyle = style.color;
  context.fill();
  context.globalAlpha = 1;
}
