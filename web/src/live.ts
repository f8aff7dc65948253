// One event stream a page tells it that something changed; parts with hx-trigger="fg:change from:body" then refresh.
// A hidden tab closes its stream: browsers allow six connections a host over HTTP/1.1, and people open many tabs.
import htmx from "htmx.org";

const HIDDEN_MILLISECONDS = 20_000;

class Live {
  private stream: EventSource | null = null;
  private lost = false;
  private timer = 0;

  constructor(
    private readonly address: string,
    private readonly sign: HTMLElement | null,
  ) {}

  open(): void {
    clearTimeout(this.timer);
    if (this.stream) return;
    this.stream = new EventSource(this.address);
    this.stream.addEventListener("open", () => this.opened());
    this.stream.addEventListener("error", () => this.failed());
    this.stream.addEventListener("change", () => this.changed());
  }

  closeSoon(): void {
    this.timer = window.setTimeout(() => this.close(), HIDDEN_MILLISECONDS);
  }

  close(): void {
    clearTimeout(this.timer);
    this.stream?.close();
    this.stream = null;
    this.lost = true; // what happened meanwhile is looked up on return
  }

  private opened(): void {
    this.show("on", "Live");
    if (this.lost) this.changed();
    this.lost = false;
  }

  private failed(): void {
    this.show("off", "Reconnecting…");
    this.lost = true;
    if (this.stream?.readyState === EventSource.CLOSED) {
      // The server refused (signed out, removed): the browser does not try again, and neither do we.
      this.show("off", "Not live");
    }
  }

  private changed(): void {
    htmx.trigger(document.body, "fg:change", {});
  }

  private show(state: string, text: string): void {
    if (!this.sign) return;
    this.sign.hidden = false;
    this.sign.dataset.state = state;
    this.sign.querySelector("span")!.textContent = text;
  }
}

export function installLive(): void {
  const address = document.body.dataset.live;
  if (!address) return;
  const live = new Live(address, document.getElementById("live-state"));
  live.open();
  document.addEventListener("visibilitychange", () => (document.hidden ? live.closeSoon() : live.open()));
  // A page kept for going back would keep its connection too, and timers stand still there: close now.
  addEventListener("pagehide", () => live.close());
  addEventListener("pageshow", (event) => event.persisted && live.open());
}
