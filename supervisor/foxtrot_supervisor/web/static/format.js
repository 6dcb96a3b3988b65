// Numbers, times and elements for people. No state.

const NUMBER = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

export const DASH = "–";

export function count(value) {
  if (value === null || value === undefined) return DASH;
  for (const [factor, unit] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (value >= factor) return (value / (unit === "k" ? 1e3 : factor)).toFixed(1) + unit;
  }
  return NUMBER.format(value);
}

export function rate(value) {
  if (value === null || value === undefined) return DASH;
  return value < 10 ? value.toFixed(1) : count(value);
}

export function micros(value) {
  if (!value) return DASH;
  if (value < 1000) return `${value.toFixed(0)} µs`;
  if (value < 1e6) return `${(value / 1e3).toFixed(value < 1e4 ? 1 : 0)} ms`;
  return `${(value / 1e6).toFixed(1)} s`;
}

export function seconds(value) {
  if (value === null || value === undefined) return DASH;
  if (value < 10) return `${value.toFixed(1)} s`;
  const whole = Math.floor(value);
  if (whole < 60) return `${whole} s`;
  const pad = (number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h ${pad(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d ${pad(Math.floor((whole % 86400) / 3600))}h`;
}

export function bytes(value) {
  if (!value) return DASH;
  return value < 2 ** 30 ? `${(value / 2 ** 20).toFixed(0)} MiB` : `${(value / 2 ** 30).toFixed(1)} GiB`;
}

// A worker on another node serves until its successor there does.
export function serves(worker) {
  return ["RUNNING", "serving", "leaving"].includes(worker.state);
}

export function clock(ms) {
  return TIME.format(ms);
}

export function element(tag, options = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

// Changing a text that is the same would make screen readers and layout work for nothing.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function byId(id) {
  return document.getElementById(id);
}
