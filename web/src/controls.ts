// Theme, copy buttons, dialogs, menus, filters. One listener each on the document: swapped-in parts need no wiring.
import { toast } from "./toasts";

const COPIED_MILLISECONDS = 1600;

async function copy(button: HTMLElement): Promise<void> {
  const source = document.getElementById(button.dataset.copy ?? "");
  const text = button.dataset.copyText ?? source?.textContent ?? "";
  try {
    await navigator.clipboard.writeText(text.trim());
  } catch {
    // Plain http on another host has no clipboard: select the text, so that Ctrl-C does it.
    if (source) getSelection()?.selectAllChildren(source);
    toast("Press Ctrl+C to copy the selected text", "");
    return;
  }
  button.dataset.copied = "";
  document.getElementById("announce")!.textContent = "Copied";
  setTimeout(() => delete button.dataset.copied, COPIED_MILLISECONDS);
}

function toggleTheme(): void {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // The choice lasts for this page only.
  }
  document.dispatchEvent(new CustomEvent("fg:theme"));
}

function onClick(event: MouseEvent): void {
  const target = event.target instanceof Element ? event.target : null;
  const button = target?.closest<HTMLElement>("[data-copy],[data-copy-text],[data-theme-toggle],[data-dialog],[data-close]");
  if (button?.matches("[data-copy],[data-copy-text]")) void copy(button);
  else if (button?.matches("[data-theme-toggle]")) toggleTheme();
  else if (button?.dataset.dialog) (document.getElementById(button.dataset.dialog) as HTMLDialogElement | null)?.showModal();
  else if (button?.matches("[data-close]")) button.closest("dialog")?.close();
  for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
    if (!target || !menu.contains(target)) menu.open = false;
  }
}

function onKeydown(event: KeyboardEvent): void {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll<HTMLDetailsElement>("details.menu[open]")) {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary")?.focus();
    }
  }
  const typing = (event.target as Element | null)?.closest?.("input, textarea, select, dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const search = document.querySelector<HTMLInputElement>('input[type="search"]');
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
}

/** An address without empty parameters is one a person can read. */
function dropEmpty(event: Event): void {
  const { verb, parameters } = (event as CustomEvent<{ verb: string; parameters: Record<string, unknown> }>).detail;
  if (verb !== "get") return;
  for (const key of Object.keys(parameters)) if (parameters[key] === "") delete parameters[key];
}

function openAnchored(): void {
  const anchored = location.hash ? document.getElementById(location.hash.slice(1)) : null;
  if (anchored instanceof HTMLDetailsElement) anchored.open = true;
}

/** Histories read from the left, but the newest run, at the right, is what people come for. */
function showNewest(): void {
  for (const strip of document.querySelectorAll(".strip-scroll")) strip.scrollLeft = strip.scrollWidth;
}

/** What was just done is not said again when the page is loaded anew, gone back to or sent to somebody. */
function forgetNotice(): void {
  const address = new URL(location.href);
  if (!address.searchParams.has("notice")) return;
  address.searchParams.delete("notice");
  history.replaceState(history.state, "", address);
}

export function installControls(): void {
  document.addEventListener("click", onClick);
  document.addEventListener("keydown", onKeydown);
  document.addEventListener("htmx:configRequest", dropEmpty);
  addEventListener("hashchange", openAnchored);
  openAnchored();
  showNewest();
  forgetNotice();
}
