// What changes the run: each needs the token, and what destroys asks first.

import { byId, element, setText } from "./format.js";

let stream = null;
let canAct = false;
let submit = null;
let toastTimer = 0;

export function startActions(opened) {
  stream = opened;
  byId("unlock").addEventListener("click", () => (stream.token ? lock() : unlock()));
  byId("run-menu").addEventListener("click", openRunMenu);
  for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
  byId("question-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submit?.(byId("question-input").value.trim());
  });
}

export function allow(hello) {
  canAct = hello.can_act;
  byId("unlock").hidden = !canAct;
  show();
}

function show() {
  const open = Boolean(stream.token);
  setText(byId("unlock"), open ? "Lock actions" : "Unlock actions");
  byId("run-menu").hidden = !open;
}

function lock() {
  stream.token = "";
  show();
  toast("Actions are locked.");
}

export function unlock(reason = "The token is in the file that the view was started with. It stays in this page until it is closed.") {
  ask({
    title: "Token", text: reason, label: "Token", secret: true, yes: "Unlock",
    then: async (token) => {
      const response = await post("/api/unlock", {}, token);
      if (!response.ok) throw new Error(await problemOf(response));
      stream.token = token;
      show();
      stream.open();
      toast("Actions are unlocked.");
    },
  });
}

async function post(path, body, token = stream.token) {
  return fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json", Authorization: `Bearer ${token}` },
    body: JSON.stringify(body), cache: "no-store", credentials: "omit",
  });
}

async function problemOf(response) {
  return (await response.text()).trim() || `status ${response.status}`;
}

// A question in a dialog; `then` may throw, which keeps the dialog open with the reason.
function ask({ title, text, label, secret = false, yes, danger = false, expect = null, then }) {
  const dialog = byId("question");
  const input = byId("question-input");
  const button = byId("question-yes");
  setText(byId("question-title"), title);
  setText(byId("question-text"), text);
  setText(byId("question-problem"), "");
  byId("question-label").hidden = !label;
  setText(byId("question-label").firstElementChild, label ?? "");
  input.type = secret ? "password" : "text";
  input.value = "";
  setText(button, yes);
  button.className = danger ? "danger" : "primary";
  button.disabled = false;
  submit = async (value) => {
    if (expect !== null && value !== expect) {
      setText(byId("question-problem"), `Type ${expect} to confirm.`);
      return;
    }
    button.disabled = true;
    try {
      await then(value);
      dialog.close();
    } catch (error) {
      setText(byId("question-problem"), error.message);
      button.disabled = false;
    }
  };
  dialog.showModal();
}

async function order(body, done) {
  toast(`${body.action.replace("_", " ")} ${body.worker ?? ""} …`, true);
  const response = await post("/api/action", body);
  if (!response.ok) throw new Error(await problemOf(response));
  const { ok, problem } = await response.json();
  if (!ok) {
    toast("");
    throw new Error(problem);
  }
  toast(done);
}

const ORDERS = {
  restart: (worker) => ({
    title: `Restart ${worker}?`, yes: "Restart", danger: true,
    text: "Its process is stopped and a new one started. Unless another side of its connection serves, events are missing until then.",
    then: () => order({ action: "restart", worker, confirm: worker }, `${worker} has been restarted.`),
  }),
  stop_worker: (worker) => ({
    title: `Stop ${worker}?`, yes: "Stop", danger: true,
    text: "What it has received is still handled. It stays stopped until it is restarted; unless another side of its connection serves, events are missing until then.",
    then: () => order({ action: "stop_worker", worker, confirm: worker }, `${worker} has been stopped.`),
  }),
  subscribe: (worker) => ({
    title: `Subscribe ${worker}`, yes: "Subscribe", label: "Symbols, separated by spaces", text: "The connection stays open.",
    then: (value) => order({ action: "subscribe", worker, symbols: symbolsOf(value) }, `${worker} has subscribed ${value}.`),
  }),
  unsubscribe: (worker) => ({
    title: `Unsubscribe symbols of ${worker}?`, yes: "Unsubscribe", danger: true, label: "Symbols, separated by spaces",
    text: "Handlers get no more events of these symbols from this connection.",
    then: (value) => order({ action: "unsubscribe", worker, symbols: symbolsOf(value), confirm: worker }, `${worker} has unsubscribed ${value}.`),
  }),
  reload: () => ({
    title: "Reload the configuration?", yes: "Reload",
    text: "The supervisor reads its file again. Connections that changed are replaced; a file with a mistake changes nothing.",
    then: () => order({ action: "reload" }, "The configuration is in force."),
  }),
  stop: () => ({
    title: "Stop the whole run?", yes: "Stop everything", danger: true, label: "Type stop to confirm", expect: "stop",
    text: "Every connection, the engine and the supervisor end. Nothing here can start them again.",
    then: () => order({ action: "stop", confirm: "stop" }, "The run has ended."),
  }),
};

function symbolsOf(text) {
  const symbols = text.split(/[\s,]+/).filter(Boolean);
  if (!symbols.length) throw new Error("Name at least one symbol.");
  return symbols;
}

function buttonsFor(names, worker) {
  return names.map((name) => {
    const danger = ["stop", "stop_worker", "restart", "unsubscribe"].includes(name);
    const label = name.replace("_", " ");
    return element("button", { type: "button", class: danger ? "danger" : "", text: `${label[0].toUpperCase()}${label.slice(1)} …`, onclick: () => {
      byId("details").close();
      ask(ORDERS[name](worker));
    } });
  });
}

// `node`: where the worker runs, "" for no node; null: here.
export function openDetails(title, facts, worker, node = null) {
  setText(byId("details-title"), title);
  byId("details-facts").replaceChildren(...facts.map(([name, text]) => element("div", {}, element("dt", { text: name }), element("dd", { text }))));
  const names = worker ? ["restart", "stop_worker", "subscribe", "unsubscribe"] : ["reload", "stop"];
  const locked = canAct ? "Actions are locked: unlock them with the token." : "This view is read-only: it was started without a token file.";
  const elsewhere = "It runs on another node: its process is shown and changed there, its shard by foxtrot-supervisor cluster.";
  if (node !== null) byId("details-actions").replaceChildren(element("p", { class: "muted", text: elsewhere }));
  else byId("details-actions").replaceChildren(...(stream.token ? buttonsFor(names, worker) : [element("p", { class: "muted", text: locked })]));
  byId("details").showModal();
}

let runFacts = [];

export function setRunFacts(facts) {
  runFacts = facts;
}

function openRunMenu() {
  openDetails("This run", runFacts, null);
}

export function toast(text, stays = false) {
  const node = byId("toast");
  setText(node, text);
  node.classList.toggle("shown", Boolean(text));
  clearTimeout(toastTimer);
  if (text && !stays) toastTimer = setTimeout(() => toast(""), 5000);
}
