// Swap style "morph": changes only what differs, so focus, caret, scroll and open <details> survive a refresh.
import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";

const callbacks = {
  beforeAttributeUpdated: (name: string, element: Element) =>
    !(name === "open" && (element instanceof HTMLDetailsElement || element instanceof HTMLDialogElement)),
  beforeNodeMorphed: (old: Element, fresh: Node) => {
    if (!(old instanceof HTMLElement) || !(fresh instanceof HTMLElement)) return true;
    if (!old.dataset.chart) return true;
    old.dataset.points = fresh.dataset.points ?? "[]"; // the canvas stays, its data changes
    return false;
  },
};

export function installMorph(): void {
  htmx.defineExtension("morph", {
    isInlineSwap: (style: string) => style === "morph",
    handleSwap: (style: string, target: Node, fragment: Node) =>
      style === "morph"
        ? (Idiomorph.morph(target, (fragment as DocumentFragment).children, {
            morphStyle: "outerHTML",
            ignoreActiveValue: true,
            callbacks,
          }) as Node[])
        : false,
  } as never);
}
