// The states of topics: for each connection symbols by channels, one cell for each side.

import { byId, element, setText } from "./format.js";

const STATES = {
  flowing: ["good", "●", "data flow"],
  acknowledged: ["note", "○", "acknowledged, waits for its first event"],
  asked: ["note", "…", "subscription requested"],
  gap: ["watch", "G", "has a gap"],
  invalid: ["watch", "×", "invalid or refused"],
  silent: ["bad", "!", "acknowledged but silent"],
  stale: ["bad", "S", "data are old"],
  delisted: ["off", "D", "ended by the exchange"],
};
const SYMBOLS_SHOWN = 60;

export function makeLegend() {
  byId("topic-legend").replaceChildren(
    ...Object.entries(STATES).map(([state, [tone, glyph, text]]) =>
      element("li", {}, element("span", { class: "cell", "data-tone": tone, "aria-hidden": "true", text: glyph }), ` ${state}`,
        element("span", { class: "unseen", text: `: ${text}` }))),
  );
}

export function showTopics(connections) {
  let total = 0;
  let wrong = 0;
  for (const { symbols } of connections) {
    for (const cells of Object.values(symbols)) {
      total += cells.length;
      wrong += cells.filter(([, , state]) => !["flowing", "acknowledged"].includes(state)).length;
    }
  }
  setText(byId("topics-count"), total ? `${total - wrong} of ${total} are fine` : "");
  const open = new Set([...document.querySelectorAll("#matrix table.all")].map((table) => table.dataset.name));
  byId("matrix").replaceChildren(...connections.filter(({ channels }) => channels.length).map((each) => tableOf(each, open.has(each.name))));
}

function tableOf(connection, all) {
  const { name, sides, channels, symbols } = connection;
  const rows = Object.entries(symbols);
  // rows with trouble first: they must not hide below hundreds that are fine
  const trouble = ([, cells]) => cells.filter(([, , state]) => state !== "flowing").length;
  const ordered = rows.length > SYMBOLS_SHOWN ? rows.map((row, at) => [row, at]).sort((a, b) => trouble(b[0]) - trouble(a[0]) || a[1] - b[1]).map(([row]) => row) : rows;
  const shown = all ? ordered : ordered.slice(0, SYMBOLS_SHOWN);
  const many = sides.length > 1;
  const table = element("table", { class: all ? "cells all" : "cells", "data-name": name },
    element("caption", { text: many ? `${name}, sides ${sides.join(" ")}` : name }),
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, element("span", { class: "unseen", text: "Symbol" })),
      ...channels.map((channel) => element("th", { scope: "col", text: channel || "topic" })))),
    element("tbody", {}, ...shown.map(([symbol, cells]) => element("tr", {}, element("th", { scope: "row", text: symbol }),
      ...channels.map((_, at) => element("td", {}, ...sides.map((side, place) => cellOf(cells.find((cell) => cell[0] === at && cell[1] === place), side))))))));
  if (shown.length < rows.length) {
    const button = element("button", { type: "button", text: `Show all ${rows.length} symbols`, onclick: () => table.replaceWith(tableOf(connection, true)) });
    table.append(element("tfoot", {}, element("tr", {}, element("td", { colspan: channels.length + 1 }, button))));
  }
  return table;
}

function cellOf(cell, side) {
  if (!cell) return element("span", { class: "cell", "data-tone": "none", text: " " });
  const [, , state, reason] = cell;
  const [tone, glyph] = STATES[state] ?? ["watch", "?"];
  const text = `${side}: ${state}${reason ? `, ${reason}` : ""}`;
  return element("span", { class: "cell", "data-tone": tone, role: "img", "aria-label": text, title: text, text: glyph });
}
