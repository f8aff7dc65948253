// Short messages in a corner, announced to screen readers by the region's aria-live.
const SHOWN_MILLISECONDS = 6000;

/** Shows `text`; `kind` is "good", "bad" or "". */
export function toast(text: string, kind: "good" | "bad" | ""): void {
  const region = document.getElementById("toasts");
  if (!region) return;
  const item = document.createElement("div");
  item.className = `toast ${kind}`.trim();
  item.textContent = text;
  region.append(item);
  setTimeout(() => item.remove(), SHOWN_MILLISECONDS);
}

export function installToasts(): void {
  document.addEventListener("htmx:responseError", (event) => {
    const { xhr } = (event as CustomEvent<{ xhr: XMLHttpRequest }>).detail;
    toast(xhr.status === 403 ? "You may not do this, or the page is too old: reload it." : `The server answered ${xhr.status}.`, "bad");
  });
  document.addEventListener("htmx:sendError", () => toast("The server cannot be reached.", "bad"));
  document.addEventListener("toast", (event) => {
    const { value } = (event as CustomEvent<{ value?: string }>).detail;
    if (value) toast(value, "good");
  });
}
