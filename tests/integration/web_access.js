// What everybody needs of the page; returns a list of what is missing.
(() => {
  const found = [];
  const shown = (node) => node.checkVisibility({ visibilityProperty: true });
  const name = (node) => {
    const by = node.getAttribute("aria-labelledby");
    const referred = by && by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ");
    const label = node.labels?.length ? node.labels[0].textContent : "";
    return (referred || node.getAttribute("aria-label") || label || node.getAttribute("title") || node.textContent || "").trim();
  };
  const told = (node) => `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ""}.${node.className}`;

  // every control has a name, and can be reached
  for (const node of document.querySelectorAll("button, input, select, a[href], [role=region], [role=img], section, dialog")) {
    if (shown(node) && !name(node)) found.push(`without a name: ${told(node)}`);
  }
  for (const node of document.querySelectorAll("button, input, select, a[href]")) {
    if (node.tabIndex < 0) found.push(`not reached by keyboard: ${told(node)}`);
  }
  // what scrolls can be scrolled by keyboard
  for (const node of document.querySelectorAll("main *")) {
    const style = getComputedStyle(node);
    if (/auto|scroll/.test(style.overflowX + style.overflowY) && node.scrollHeight + node.scrollWidth > node.clientHeight + node.clientWidth + 2 && node.tabIndex < 0) {
      found.push(`scrolls without focus: ${told(node)}`);
    }
  }
  // one h1, no level left out, landmarks, language, title
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((node) => Number(node.tagName[1]));
  if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) found.push(`headings: ${levels}`);
  levels.forEach((level, at) => at && level > levels[at - 1] + 1 && found.push(`heading level ${level} after ${levels[at - 1]}`));
  for (const landmark of ["header", "main", "footer", "h1"]) if (!document.querySelector(landmark)) found.push(`no ${landmark}`);
  if (!document.documentElement.lang || !document.title) found.push("no language or title");
  if (!document.querySelector("[aria-live]")) found.push("nothing is announced");
  // ids are unique, references lead somewhere
  const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
  ids.filter((id, at) => ids.indexOf(id) !== at).forEach((id) => found.push(`twice: #${id}`));
  for (const node of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
    for (const id of `${node.getAttribute("aria-labelledby") ?? ""} ${node.getAttribute("aria-describedby") ?? ""}`.split(" ").filter(Boolean)) {
      if (!document.getElementById(id)) found.push(`refers to nothing: ${id}`);
    }
  }
  // tables have headers
  for (const table of document.querySelectorAll("table:not(.u-legend)")) {
    if (!table.querySelector("th[scope]")) found.push(`table without headers: ${told(table)}`);
  }

  // contrast of texts: 4.5 to 1, large ones 3 to 1
  const parsed = (colour) => {
    const canvas = parsed.canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, below) => [0, 1, 2].map((at) => top[at] * top[3] + below[at] * (1 - top[3])).concat(1);
  const ground = (node) => (node ? over(parsed(getComputedStyle(node).backgroundColor), ground(node.parentElement)) : [255, 255, 255, 1]);
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => (value / 255 <= 0.03928 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const poor = new Set();
  for (const node of document.querySelectorAll("body *")) {
    const has = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    if (!has || !shown(node) || node.closest(".unseen, .skip, .toast")) continue;
    const style = getComputedStyle(node);
    const behind = ground(node);
    const front = over(parsed(style.color), behind);
    const [a, b] = [light(front), light(behind)].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && Number(style.fontWeight) >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) poor.add(`contrast ${((a + 0.05) / (b + 0.05)).toFixed(2)}: ${told(node)} ${node.textContent.trim().slice(0, 20)}`);
  }
  // buttons are large enough for fingers
  for (const node of document.querySelectorAll("button, select, input")) {
    const box = node.getBoundingClientRect();
    if (shown(node) && (box.height < 24 || box.width < 24)) found.push(`too small, ${box.width.toFixed(0)} x ${box.height.toFixed(0)}: ${told(node)}`);
  }
  return [...found, ...poor];
})()
