// Tabs after the ARIA pattern: arrow keys move, only the chosen tab is in the tab order.
function choose(tab: HTMLElement): void {
  const list = tab.closest('[role="tablist"]');
  for (const other of list?.querySelectorAll<HTMLElement>('[role="tab"]') ?? []) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls") ?? "")?.toggleAttribute("hidden", !chosen);
  }
}

function onKeydown(event: KeyboardEvent): void {
  const tab = (event.target as Element | null)?.closest?.<HTMLElement>('[role="tab"]');
  if (!tab) return;
  const tabs = [...tab.closest('[role="tablist"]')!.querySelectorAll<HTMLElement>('[role="tab"]')];
  const at = tabs.indexOf(tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const next = tabs[(to + tabs.length) % tabs.length]!;
  choose(next);
  next.focus();
}

export function installTabs(): void {
  document.addEventListener("keydown", onKeydown);
  document.addEventListener("click", (event) => {
    const tab = (event.target as Element | null)?.closest<HTMLElement>('[role="tab"]');
    if (tab) choose(tab);
  });
}
