// Runs before the first paint: a chosen theme must not flash into place.
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // No storage (private window, blocked cookies): the system's theme it is.
}
