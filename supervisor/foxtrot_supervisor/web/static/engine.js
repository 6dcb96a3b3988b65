// The engine: queue, dispatch, handlers by cost.

import { DASH, byId, bytes, count, element, micros, rate, seconds, setText } from "./format.js";

const FACTS = [
  ["Events/s", (engine) => rate(engine.events_per_s)],
  ["Queue", (engine) => count(engine.queue_depth)],
  ["Dispatch p50", (engine) => micros(engine.dispatch_p50_us)],
  ["Dispatch p99", (engine) => micros(engine.dispatch_p99_us)],
  ["Loop lag", (engine) => (engine.loop_lag_ms === null ? DASH : `${engine.loop_lag_ms.toFixed(1)} ms`)],
  ["Slow calls", (engine) => count(engine.slow_handlers)],
  ["Failed calls", (engine) => count(engine.handler_errors_total)],
  ["Serving", (engine) => seconds(engine.ready_s)],
  ["Memory", (engine) => bytes(engine.rss_bytes)],
  ["Pid", (engine) => String(engine.pid ?? DASH)],
];

export function showEngine(view) {
  const { engine } = view;
  const state = byId("engine-state");
  setText(state, engine ? engine.state : "none");
  state.dataset.tone = engine?.state === "RUNNING" ? "good" : "bad";
  const facts = byId("engine-facts");
  if (!facts.children.length) {
    facts.append(...FACTS.map(([title]) => element("div", {}, element("dt", { text: title }), element("dd", { text: DASH }))));
  }
  FACTS.forEach(([, text], at) => setText(facts.children[at].lastChild, engine ? text(engine) : DASH));
  const cost = (handler) => handler.calls * handler.p50_us;
  const handlers = [...(engine?.handlers ?? [])].sort((a, b) => cost(b) - cost(a));
  byId("handlers").replaceChildren(
    ...handlers.map((each) =>
      element("tr", { "data-tone": each.suspended || each.errors ? "bad" : each.slow ? "watch" : "" },
        element("th", { scope: "row", text: shortName(each.handler), title: each.handler }),
        element("td", { text: each.type || "every" }),
        ...[count(each.calls), micros(each.p50_us), micros(each.p99_us), micros(each.max_us), count(each.slow),
          each.suspended ? "suspended" : count(each.errors)].map((text) => element("td", { class: "num", text })))),
  );
  if (!handlers.length) byId("handlers").append(element("tr", {}, element("td", { colspan: 8, class: "muted", text: "No handler was called yet." })));
}

function shortName(name) {
  return name.split(".").slice(-2).join(".");
}
