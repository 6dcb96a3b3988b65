// Rates and latencies over time, drawn by uPlot.

import { byId, count, micros, rate, setText } from "./format.js";

const HEIGHT = 190;
let ratePlot = null;
let latencyPlot = null;
let latest = null;

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// On a logarithmic axis lines at powers of ten only: nine more between two of them hide the data.
function decades(_, __, low, high) {
  const found = [];
  for (let power = Math.ceil(Math.log10(low) - 1e-9); 10 ** power <= high * 1.001; power += 1) found.push(10 ** power);
  return found;
}

function options(target, series, values, scale, ticks) {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui", gap: 6 };
  return {
    width: Math.max(target.clientWidth, 200),
    height: HEIGHT,
    padding: [10, 8, 0, 0],
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: scale },
    axes: [{ ...axis, size: 30, space: 70, values: [[60, "{HH}:{mm}", null, null, null, null, null, null, 1], [1, "{HH}:{mm}:{ss}", null, null, null, null, null, null, 1]] }, { ...axis, size: 64, ...ticks }],
    series: [{ value: "{HH}:{mm}:{ss}" }, ...series.map((each) => ({ width: 1.8, points: { show: false }, value: (_, value) => (value === null ? "–" : values(value)), ...each }))],
    legend: { live: true },
  };
}

function draw() {
  const { times, rates, p50, p99 } = latest;
  const accent = colour("--accent");
  const rateTarget = byId("rate-plot");
  const latencyTarget = byId("latency-plot");
  if (!ratePlot) {
    ratePlot = new uPlot(options(rateTarget, [{ label: "events/s", stroke: accent, fill: colour("--accent-soft") }], rate, { range: (_, low, high) => [0, Math.max(high * 1.15, 1)] }, { values: (_, ticks) => ticks.map(count) }), [times, rates], rateTarget);
    const positive = { distr: 3, log: 10, range: (_, low, high) => [10 ** Math.floor(Math.log10(Math.max(low || 10, 1))), 10 ** Math.ceil(Math.log10(Math.max(high || 100, 10)))] };
    latencyPlot = new uPlot(options(latencyTarget, [{ label: "p99", stroke: colour("--watch") }, { label: "p50", stroke: accent }], micros, positive, { splits: decades, filter: (_, ticks) => ticks, values: (_, ticks) => ticks.map(micros) }), [times, p99, p50], latencyTarget);
  } else {
    ratePlot.setData([times, rates]);
    latencyPlot.setData([times, p99, p50]);
  }
  const last = (list) => list.at(-1) ?? null;
  for (const plot of [ratePlot, latencyPlot]) if (plot.cursor.idx === null || plot.cursor.left < 0) plot.setLegend({ idx: times.length - 1 }, false);
  rateTarget.setAttribute("aria-label", `Events per second over time; now ${rate(last(rates))}`);
  latencyTarget.setAttribute("aria-label", `Latency over time; now p50 ${micros(last(p50))}, p99 ${micros(last(p99))}`);
}

export function showPlots(series) {
  latest = series;
  if (series.times.length) draw();
}

export function redrawPlots() {
  ratePlot?.destroy();
  latencyPlot?.destroy();
  ratePlot = latencyPlot = null;
  if (latest?.times.length) draw();
}

export function startPlots(onSource) {
  const observer = new ResizeObserver(() => {
    ratePlot?.setSize({ width: byId("rate-plot").clientWidth, height: HEIGHT });
    latencyPlot?.setSize({ width: byId("latency-plot").clientWidth, height: HEIGHT });
  });
  observer.observe(byId("rate-plot"));
  byId("plot-source").addEventListener("change", (event) => onSource(event.target.value));
}

export function showSources(names) {
  const select = byId("plot-source");
  const wanted = ["", ...names];
  if (wanted.length === select.options.length && wanted.every((name, at) => select.options[at].value === name)) return;
  const chosen = select.value;
  select.replaceChildren(...wanted.map((name) => {
    const option = document.createElement("option");
    option.value = name;
    setText(option, name || "all connections");
    return option;
  }));
  select.value = wanted.includes(chosen) ? chosen : "";
}
