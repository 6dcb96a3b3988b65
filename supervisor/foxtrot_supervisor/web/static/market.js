// The market of the chosen symbol: last trade, spread, best levels, depth.

import { DASH, byId, clock, element, setText } from "./format.js";

const LEVELS_SHOWN = 10;
let latest = null;

export function startMarket(onSymbol) {
  const input = byId("symbol");
  input.addEventListener("change", () => onSymbol(input.value.trim()));
  new ResizeObserver(drawDepth).observe(byId("depth"));
}

// Suggestions; the first one is chosen until somebody chooses another.
export function showSymbols(all) {
  const names = [...new Set(all)];
  const list = byId("symbols");
  if (list.dataset.key === names.join()) return;
  list.dataset.key = names.join();
  list.replaceChildren(...names.map((name) => element("option", { value: name })));
  const input = byId("symbol");
  if (!input.value && names.length) {
    [input.value] = names;
    input.dispatchEvent(new Event("change"));
  }
}

// Exchanges pad numbers with zeros; the digits that any level uses are kept, so that columns stay aligned.
function places(levels, at) {
  return Math.max(...levels.map((level) => (level[at].split(".")[1] ?? "").replace(/0+$/, "").length), 0);
}

function padded(text, digits) {
  if (text === null || text === undefined || text.includes("e") || text.includes("E")) return text ?? DASH;
  const [whole, part = ""] = text.split(".");
  return digits ? `${whole}.${part.slice(0, digits).padEnd(digits, "0")}` : whole;
}

export function showMarket(market) {
  latest = market;
  const { trade, bids, asks, top, partial } = market;
  const [bestBid, bestAsk] = top ? [top[0], top[2]] : [null, null];
  const bid = Number(bestBid);
  const ask = Number(bestAsk);
  const spread = bid && ask ? ask - bid : null;
  const near = [...bids.slice(0, LEVELS_SHOWN), ...asks.slice(0, LEVELS_SHOWN)];
  const digits = Math.max(places(near, 0), places(trade ? [[trade.price]] : [], 0), places([bestBid, bestAsk].filter(Boolean).map((price) => [price]), 0));
  const sizes = places(near, 1);
  latest.digits = digits;
  const facts = [
    ["Last trade", trade ? `${trade.side === "buy" ? "▲" : "▼"} ${padded(trade.price, digits)}` : DASH, trade ? (trade.side === "buy" ? "bid" : "ask") : ""],
    ["Size", trade ? padded(trade.size, places([[trade.size]], 0)) : DASH, ""],
    ["Spread", spread === null ? DASH : spread.toFixed(digits), ""],
    ["Spread, bp", spread === null ? DASH : ((spread / ((ask + bid) / 2)) * 1e4).toFixed(2), ""],
    ["Best bid", padded(bestBid, digits), "bid"],
    ["Best ask", padded(bestAsk, digits), "ask"],
    ["At", trade ? clock(trade.at_ms) : DASH, ""],
  ];
  const quote = byId("quote");
  if (!quote.children.length) quote.append(...facts.map(([title]) => element("div", {}, element("dt", { text: title }), element("dd"))));
  facts.forEach(([, text, side], at) => {
    const value = quote.children[at].lastChild;
    setText(value, text);
    value.dataset.side = side;
  });
  byId("partial").hidden = !partial;
  showLevels(bids, asks, digits, sizes);
  drawDepth();
}

function showLevels(bids, asks, digits, sizes) {
  const body = byId("levels");
  const shown = Math.min(LEVELS_SHOWN, Math.max(bids.length, asks.length));
  while (body.children.length > shown) body.lastChild.remove();
  while (body.children.length < shown) body.append(element("tr", {}, ...["num size", "num bid", "num ask", "num size ask"].map((kind) => element("td", { class: kind }))));
  const top = Math.max(...[...bids.slice(0, shown), ...asks.slice(0, shown)].map(([, size]) => Number(size)), 1e-12);
  for (let at = 0; at < shown; at += 1) {
    const cells = body.children[at].children;
    const texts = [bids[at]?.[1], bids[at]?.[0], asks[at]?.[0], asks[at]?.[1]];
    texts.forEach((text, place) => setText(cells[place], text === undefined ? "" : padded(text, place % 3 ? digits : sizes)));
    cells[0].style.setProperty("--share", `${bids[at] ? (100 * Number(bids[at][1])) / top : 0}%`);
    cells[3].style.setProperty("--share", `${asks[at] ? (100 * Number(asks[at][1])) / top : 0}%`);
  }
}

// Cumulated size against price: bids to the left of the middle, asks to the right.
export function drawDepth() {
  const canvas = byId("depth");
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width || !height) return;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  context.font = "11px system-ui";
  context.fillStyle = colour("--muted");
  if (!latest || (!latest.bids.length && !latest.asks.length)) {
    context.textAlign = "center";
    context.fillText(latest ? "no order book for this symbol yet" : "choose a symbol", width / 2, height / 2);
    return;
  }
  const sides = [["bids", "--bid"], ["asks", "--ask"]].map(([name, tone]) => {
    let sum = 0;
    return { tone, points: latest[name].map(([price, size]) => [Number(price), (sum += Number(size))]) };
  });
  const all = sides.flatMap(({ points }) => points);
  const bid = sides[0].points[0]?.[0];
  const ask = sides[1].points[0]?.[0];
  const middle = bid && ask ? (bid + ask) / 2 : (bid ?? ask);
  const reach = Math.max(...all.map(([price]) => Math.abs(price - middle)), middle * 1e-6);
  const top = Math.max(...all.map(([, sum]) => sum)) * 1.1;
  const base = height - 20;
  const x = (price) => ((price - middle) / reach) * (width / 2) + width / 2;
  const y = (sum) => base - (sum / top) * (base - 14);
  for (const { tone, points } of sides) {
    if (!points.length) continue;
    const end = tone === "--bid" ? 0 : width;
    context.beginPath();
    context.moveTo(x(points[0][0]), base);
    let before = base;
    for (const [price, sum] of points) {
      context.lineTo(x(price), before);
      context.lineTo(x(price), (before = y(sum)));
    }
    context.lineTo(end, before);
    context.strokeStyle = context.fillStyle = colour(tone);
    context.lineWidth = 1.6;
    context.stroke();
    context.lineTo(end, base);
    context.closePath();
    context.globalAlpha = 0.18;
    context.fill();
    context.globalAlpha = 1;
  }
  context.strokeStyle = colour("--line");
  context.beginPath();
  context.moveTo(0, base + 0.5);
  context.lineTo(width, base + 0.5);
  context.stroke();
  context.fillStyle = colour("--muted");
  const { digits } = latest;
  const label = (text, place, align) => {
    context.textAlign = align;
    context.fillText(text, place, height - 5);
  };
  label((middle - reach).toFixed(digits), 2, "left");
  label(middle.toFixed(digits), width / 2, "center");
  label((middle + reach).toFixed(digits), width - 2, "right");
  context.textAlign = "left";
  const shownTop = top / 1.1;
  context.fillText(`${shownTop.toFixed(shownTop < 10 ? 2 : 0)} cumulated`, 2, 11);
  const depth = (at) => (sides[at].points.at(-1)?.[1] ?? 0).toPrecision(4);
  canvas.setAttribute("aria-label", `Depth of ${latest.symbol}: bids ${depth(0)} down to ${(middle - reach).toFixed(digits)}, asks ${depth(1)} up to ${(middle + reach).toFixed(digits)}`);
}
