// The stream of server-sent events, read by fetch: EventSource cannot send the token.

const RETRY_MS = [500, 1000, 2000, 5000];
const SILENT_MS = 15000; // the server writes at least every 5 s

export class Stream {
  constructor(onEvent, onLink) {
    this.onEvent = onEvent;
    this.onLink = onLink;
    this.token = "";
    this.query = {};
    this.failures = 0;
    this.controller = null;
    this.timer = 0;
  }

  open() {
    clearTimeout(this.timer);
    this.controller?.abort();
    this.controller = new AbortController();
    this.read(this.controller).catch((error) => this.failed(error));
  }

  async read(controller) {
    const query = new URLSearchParams(Object.entries(this.query).filter(([, value]) => value)).toString();
    const headers = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    const options = { headers, signal: controller.signal, cache: "no-store", credentials: "omit" };
    const response = await fetch(query ? `/api/stream?${query}` : "/api/stream", options);
    if (response.status === 401) {
      this.onLink("locked");
      return;
    }
    if (!response.ok) throw new Error((await response.text()).trim() || `status ${response.status}`);
    this.failures = 0;
    this.onLink("live");
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let pending = "";
    for (;;) {
      const watch = setTimeout(() => controller.abort(new Error("nothing received")), SILENT_MS);
      const { value, done } = await reader.read().finally(() => clearTimeout(watch));
      if (done) throw new Error("the server ended the stream");
      const records = (pending + value).split("\n\n");
      pending = records.pop();
      records.forEach((record) => this.handle(record));
    }
  }

  handle(record) {
    const [first, second] = record.split("\n");
    if (first.startsWith("event: ") && second?.startsWith("data: ")) {
      this.onEvent(first.slice(7), JSON.parse(second.slice(6)));
    }
  }

  failed(error) {
    if (error.name === "AbortError") return; // replaced by another one
    const wait = RETRY_MS[Math.min(this.failures++, RETRY_MS.length - 1)];
    this.onLink("lost", error.message);
    this.timer = setTimeout(() => this.open(), wait);
  }
}
