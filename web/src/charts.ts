// Charts: <div data-chart="trend|durations" data-points="[[x…],[y…],…]">, drawn with uPlot in the theme's colours.
import uPlot from "uplot";

const HALF_DAY_SECONDS = 43_200;

type Points = [number[], ...(number | null)[][]];
const drawn = new Map<HTMLElement, { plot: uPlot; points: string }>();

function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function axis(values?: uPlot.Axis.Values): uPlot.Axis {
  const grid = { stroke: token("--border"), width: 1 };
  return { stroke: token("--muted"), font: "11px Inter Variable, sans-serif", grid, ticks: { show: false }, gap: 6, ...(values ? { values } : {}) };
}

/** A line of one point is none: a first day has to be drawn as a dot. */
const isAlone = (values: ArrayLike<number | null | undefined>) => Array.from(values).filter((value) => value != null).length === 1;
const percent = (value: number) => `${value < 10 && value % 1 ? value.toFixed(1) : Math.round(value)} %`;
const day = (seconds: number) =>
  new Date(seconds * 1000).toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" });
/** Dates, or times of day where the axis is so short that every date would be the same. */
const moment = (ticks: number[]) => (seconds: number) =>
  ticks.at(-1)! - ticks[0]! < 4 * HALF_DAY_SECONDS
    ? new Date(seconds * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })
    : new Date(seconds * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short" });
const count = (value: number | null | undefined, one: string, many: string) => `${value ?? 0} ${value === 1 ? one : many}`;

function tooltip(lines: (plot: uPlot, index: number) => string[]): uPlot.Plugin {
  const tip = document.createElement("div");
  tip.className = "chart-tip";
  tip.hidden = true;
  return {
    hooks: {
      init: (plot) => void plot.over.append(tip),
      setCursor: (plot) => {
        const { idx, left } = plot.cursor;
        tip.hidden = idx === null || idx === undefined || (left ?? -1) < 0;
        if (tip.hidden) return;
        tip.replaceChildren(...lines(plot, idx!).map((line) => Object.assign(document.createElement("div"), { textContent: line })));
        const x = plot.valToPos(plot.data[0]![idx!]!, "x");
        tip.style.left = `${Math.min(Math.max(x - tip.offsetWidth / 2, 0), plot.over.clientWidth - tip.offsetWidth)}px`;
        tip.style.top = "4px";
      },
    },
  };
}

/** Runs a day as bars, the share of runs hit by a flake as a line over them. */
function trend(size: { width: number; height: number }): uPlot.Options {
  const bars = uPlot.paths.bars!({ size: [0.66, 18], radius: 0.25 });
  return {
    ...size,
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    scales: {
      x: { time: true, range: (_u, min, max) => [min - HALF_DAY_SECONDS, max + HALF_DAY_SECONDS] },
      runs: { range: (_u, _min, max) => [0, Math.max(4, max * 1.6)] },
      rate: { range: (_u, _min, max) => [0, max > 50 ? 100 : Math.max(10, max * 1.25)] },
    },
    padding: [8, 0, 0, 0],
    axes: [
      { size: 26, ...axis((_u, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short", timeZone: "UTC" }))), grid: { show: false }, space: 64 },
      { ...axis((_u, ticks) => ticks.map(percent)), scale: "rate", size: 46, space: 40 },
      { ...axis(), scale: "runs", side: 1, grid: { show: false }, size: 34, space: 40 },
    ],
    series: [
      {},
      { scale: "runs", paths: bars, fill: token("--chart-bar"), stroke: token("--chart-bar"), width: 0, points: { show: false } },
      { scale: "rate", stroke: token("--flaky-mark"), width: 2, fill: `color-mix(in srgb, ${token("--flaky-mark")} 9%, transparent)`, spanGaps: true, points: { show: (plot, index) => isAlone(plot.data[index]!), size: 7, fill: token("--flaky-mark") } },
    ],
    plugins: [
      tooltip((plot, at) => {
        const [days, runs, rate] = plot.data;
        return [day(days![at]!), count(runs![at], "run", "runs"), rate![at] == null ? "no runs" : `${percent(rate![at]!)} hit by a flake`];
      }),
    ],
  };
}

/** Duration of each run as points: passed ones and failed ones apart. */
function durations(size: { width: number; height: number }): uPlot.Options {
  const seconds = (value: number) => (value >= 1 || value === 0 ? `${+value.toFixed(1)} s` : `${Math.round(value * 1000)} ms`);
  const series = (name: string): uPlot.Series => ({
    stroke: token(name), width: 0, paths: () => null, points: { show: true, size: 6, fill: token(name), stroke: token(name), width: 0 },
  });
  return {
    ...size,
    cursor: { y: false, points: { size: 9 } },
    legend: { show: false },
    scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, max * 1.15 || 1] } },
    padding: [8, 14, 0, 0],
    axes: [{ size: 26, ...axis((_u, ticks) => ticks.map(moment(ticks))), grid: { show: false }, space: 64 }, { ...axis((_u, ticks) => ticks.map(seconds)), size: 52, space: 30 }],
    series: [{}, series("--stable-mark"), series("--broken-mark")],
    plugins: [
      tooltip((plot, at) => {
        const [when, passed, failed] = plot.data;
        const value = passed![at] ?? failed![at];
        return [new Date(when![at]! * 1000).toLocaleString(), `${passed![at] == null ? "failed" : "passed"} in ${value == null ? "?" : seconds(value)}`];
      }),
    ],
  };
}

/** Jobs ended a minute as bars, jobs waiting as a line. */
function queues(size: { width: number; height: number }): uPlot.Options {
  const bars = uPlot.paths.bars!({ size: [0.7, 14] });
  return {
    ...size,
    cursor: { y: false, points: { size: 7 } },
    legend: { show: false },
    scales: {
      x: { time: true },
      ended: { range: (_u, _min, max) => [0, Math.max(4, max * 1.2)] },
      waiting: { range: (_u, _min, max) => [0, Math.max(4, max * 1.2)] },
    },
    padding: [8, 0, 0, 0],
    axes: [
      { size: 26, ...axis((_u, ticks) => ticks.map((at) => new Date(at * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" }))), grid: { show: false }, space: 64 },
      { ...axis(), scale: "ended", size: 42, space: 30 },
      { ...axis(), scale: "waiting", side: 1, grid: { show: false }, size: 42, space: 30 },
    ],
    series: [
      {},
      { scale: "ended", paths: bars, fill: token("--chart-bar"), stroke: token("--chart-bar"), width: 0, points: { show: false } },
      { scale: "waiting", stroke: token("--flaky-mark"), width: 2, points: { show: false } },
    ],
    plugins: [
      tooltip((plot, at) => {
        const [when, ended, waiting] = plot.data;
        return [new Date(when![at]! * 1000).toLocaleTimeString(), `${count(ended![at], "job", "jobs")} ended`, `${count(waiting![at], "job", "jobs")} waiting`];
      }),
    ],
  };
}

const KINDS = { trend, durations, queues };

function draw(element: HTMLElement, again: boolean): void {
  const text = element.dataset.points ?? "[]";
  const known = drawn.get(element);
  if (known && !again) {
    if (known.points !== text) known.plot.setData(JSON.parse(text) as Points as uPlot.AlignedData);
    known.points = text;
    return;
  }
  known?.plot.destroy();
  const points = JSON.parse(text) as Points;
  if (!points[0]?.length) return;
  const make = KINDS[element.dataset.chart as keyof typeof KINDS];
  const size = { width: element.clientWidth, height: element.clientHeight };
  drawn.set(element, { plot: new uPlot(make(size), points as uPlot.AlignedData, element), points: text });
}

function drawAll(again = false): void {
  for (const element of drawn.keys()) if (!element.isConnected) drawn.delete(element);
  for (const element of document.querySelectorAll<HTMLElement>("[data-chart]")) draw(element, again);
}

const resized = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    drawn.get(target as HTMLElement)?.plot.setSize({ width: contentRect.width, height: (target as HTMLElement).clientHeight });
  }
});

void document.fonts.ready.then(() => {
  drawAll();
  for (const element of document.querySelectorAll("[data-chart]")) resized.observe(element);
});
document.addEventListener("htmx:afterSettle", () => drawAll());
document.addEventListener("fg:theme", () => drawAll(true));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(true));
