/* The dashboard: asks the admin plane every two seconds and shows what it answers.

   Rules: whatever the gateway says becomes text nodes and never markup, because buckets, keys and
   faults are other people's words; the token stays in a variable of this module; an answer that
   does not come is said, and old numbers are shown as old; rows are updated in place, so that focus
   and scroll positions stay. No framework, no build step: read it from top to bottom. */

const POLL_SECONDS = 2;
const ANSWER_SECONDS = 5; // until a question counts as not answered
const READING_SECONDS = 60; // the same of those for which 100,000 rules are read
const ORDER_SECONDS = 120; // the same of a reload, which waits for every worker
const KEPT_SECONDS = 600; // of samples
const MEAN_SECONDS = 10; // that a rate is the mean of
const SERIES = 8; // lines of a plot by colour; what is behind them is one more line
const RULES_PER_PAGE = 50;
const TARGETS = 200; // rows of the table
const STEPS = 25; // rules that are shown as tried
const NO_TARGET = ""; // the series of requests that were refused before they had a target
const OTHERS = "*"; // the series of targets that the history does not tell apart

// ---------------------------------------------------------------- elements

const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

/* An element with attributes and children; a child that is no node is text. */
function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

function drawn(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return node;
}

const asNode = (child) => (child instanceof Node ? child : document.createTextNode(String(child)));

/* Sets a text, only if it differs: what a screen reader is at is not disturbed. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/* Rows of a table, by key and in order. A cell is {c: class, l: label, t: text, parts, button}. */
function showRows(body, items, emptyText) {
  const known = new Map([...body.children].map((row) => [row.dataset.key, row]));
  let after = null;
  for (const { key, cells } of items) {
    const row = known.get(key) ?? element("tr", { "data-key": key });
    known.delete(key);
    cells.forEach((cell, index) => showCell(row, index, cell));
    const place = after ? after.nextSibling : body.firstChild;
    if (place !== row) body.insertBefore(row, place);
    after = row;
  }
  for (const row of known.values()) row.remove();
  if (!items.length) {
    const cell = element("td", { class: "empty", colspan: 99 }, emptyText);
    body.replaceChildren(element("tr", {}, cell));
  }
}

function showCell(row, index, cell) {
  const signature = JSON.stringify({ ...cell, act: undefined });
  let node = row.children[index];
  if (node && node.signature === signature) return;
  const made = element(cell.tag ?? "td", {
    class: cell.c, scope: cell.tag === "th" ? "row" : null,
    "data-label": cell.l, title: cell.title,
  });
  made.signature = signature;
  for (const part of cell.parts ?? [{ t: cell.t ?? "" }]) {
    if (part.t !== "" || part.c) made.append(part.c ? element("span", { class: part.c }, part.t) : part.t);
  }
  if (cell.button) {
    const button = element("button", { type: "button", class: "small", "aria-label": cell.button.says }, cell.button.t);
    button.addEventListener("click", () => cell.act());
    made.append(button);
  }
  if (node) node.replaceWith(made);
  else row.append(made);
}

// ---------------------------------------------------------------- numbers with units

function three(value) {
  if (value === 0) return "0";
  if (value < 0.01) return "<0.01";
  if (value < 1) return value.toFixed(2);
  if (value < 10) return value.toFixed(1);
  return value.toFixed(0);
}

function scaled(value, units, step) {
  let index = 0;
  while (value >= step * 0.9995 && index < units.length - 1) [value, index] = [value / step, index + 1];
  return [three(value), units[index]];
}

const join = ([number, unit]) => (unit ? `${number}\u00a0${unit}` : number);
const countOf = (value) => {
  if (Number.isInteger(value) && value < 10000) return String(value);
  const [number, unit] = scaled(value, ["", "k", "M", "G"], 1000);
  return number + unit;
};
const rateOf = (value) => `${countOf(value)}/s`;
const bytesParts = (value) => scaled(value, ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"], 1000);
const bytesOf = (value) => join(bytesParts(value));
const secondsParts = (value) => {
  if (value < 0.9995) return [three(value * 1000), "ms"];
  return value < 99.5 ? [three(value), "s"] : [three(value / 60), "min"];
};
const secondsOf = (value) => join(secondsParts(value));
const shareOf = (part, whole) => (whole > 0 ? `${three((100 * part) / whole)}\u00a0%` : "–");

function ageOf(seconds) {
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))}\u00a0s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)}\u00a0min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)}\u00a0h` : `${Math.round(seconds / 86400)} days`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const MINUTE = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const clockOf = (at) => CLOCK.format(at * 1000);

/* A time of day, with its day unless that is today. */
function momentOf(at) {
  const day = new Date(at * 1000).toDateString() === new Date().toDateString() ? "" : `${DAY.format(at * 1000)} `;
  return day + clockOf(at);
}

// ---------------------------------------------------------------- questions to the admin plane

class NoAnswer extends Error {}
class Refused extends Error {
  constructor(status, said) {
    super(said?.message ?? said?.error ?? `the answer has status ${status}`);
    this.status = status;
    this.said = said ?? {};
  }
}

async function ask(path, query = {}, options = {}, seconds = ANSWER_SECONDS) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  let response, said;
  try {
    response = await fetch(url, {
      cache: "no-store",
      headers: known.token ? { Authorization: `Bearer ${known.token}` } : {},
      signal: AbortSignal.timeout(seconds * 1000),
      ...options,
    });
    said = await response.json().catch(() => null);
  } catch (error) {
    throw new NoAnswer(String(error.message ?? error));
  }
  if (!response.ok || said === null) throw new Refused(response.status, said);
  return said;
}

/* A POST with the token. */
function order(path, body = {}) {
  return ask(path, {}, {
    method: "POST",
    headers: { Authorization: `Bearer ${known.token}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  }, ORDER_SECONDS);
}

// ---------------------------------------------------------------- what is known

const known = {
  status: null,
  samples: [], // oldest first: {at, seconds, all: row, targets: {name: row}}
  columns: {}, // name of a number -> its index in a row
  boot: "", // of the control process whose samples are counted
  since: 0,
  heard: 0, // milliseconds of this page's clock, of the last answer
  lostAt: null, // the last answer before none came, or null
  fault: null, // why there is none
  token: "",
};

async function learn() {
  const [status, history] = await Promise.all([ask("api/status"), ask("api/history", { since: known.since })]);
  if (history.boot !== known.boot && known.since) {
    known.since = 0; // another control process counts from 1 again
    return learn();
  }
  known.boot = history.boot;
  known.status = status;
  history.columns.forEach((name, index) => { known.columns[name] = index; });
  for (const sample of history.samples) {
    known.since = Math.max(known.since, sample.number);
    if (!known.samples.length || sample.at > known.samples.at(-1).at) known.samples.push(sample);
  }
  const oldest = (known.samples.at(-1)?.at ?? 0) - KEPT_SECONDS;
  while (known.samples.length && known.samples[0].at < oldest) known.samples.shift();
}

/* A number of a sample, of a target or of all; a target without traffic is not in a sample. */
function numberOf(sample, name, column) {
  const row = name === null ? sample.all : sample.targets[name];
  if (row) return row[known.columns[column]];
  return column.startsWith("p") ? null : 0;
}

/* The mean of a number over the last samples. */
function lately(column, name = null, seconds = MEAN_SECONDS) {
  const last = known.samples.filter((sample) => sample.at > known.samples.at(-1).at - seconds);
  const sum = last.reduce((total, sample) => total + numberOf(sample, name, column), 0);
  return last.length ? sum / last.length : 0;
}

function lastly(column, name = null) {
  const sample = known.samples.at(-1);
  return sample ? numberOf(sample, name, column) : null;
}

// ---------------------------------------------------------------- which series has which colour

const colours = new Map(); // name -> index, as long as the page is open

/* The names that the plots show: those with the most requests, in the order of their colours. */
function shownSeries(samples) {
  const sums = new Map((known.status?.targets ?? []).map((target) => [target.name, 0]));
  for (const sample of samples) {
    for (const [name, row] of Object.entries(sample.targets)) {
      sums.set(name, (sums.get(name) ?? 0) + row[known.columns.requests] * sample.seconds);
    }
  }
  const named = [...sums.keys()].filter((name) => name !== NO_TARGET && name !== OTHERS);
  named.sort((one, other) => sums.get(other) - sums.get(one)); // stable: as configured among equals
  const first = named.slice(0, SERIES);
  const taken = new Set(first.map((name) => colours.get(name)));
  for (const name of (known.status?.targets ?? []).map((target) => target.name).concat(first)) {
    if (!first.includes(name) || colours.has(name)) continue;
    const free = [...Array(SERIES).keys()].find((index) => !taken.has(index)) ?? colours.size % SERIES;
    colours.set(name, free);
    taken.add(free);
  }
  first.sort((one, other) => colours.get(one) - colours.get(other));
  const rest = named.slice(SERIES).concat(sums.has(OTHERS) ? [OTHERS] : []);
  const series = first.map((name) => ({ name, label: name, colour: `s${colours.get(name)}`, of: [name] }));
  if (rest.length) series.push({ name: OTHERS, label: "other targets", colour: "rest", of: rest });
  if (sums.get(NO_TARGET)) series.push({ name: NO_TARGET, label: "no target", colour: "rest", kind: "twin", of: [NO_TARGET] });
  return series;
}

// ---------------------------------------------------------------- plots

const GUTTER = { left: 52, right: 10, top: 8, bottom: 20 };
const HEIGHT = 180;

/* A line plot over time with axes, a cursor that all plots share, and a legend that reads out. */
class Plot {
  constructor(figure, { title, note, format, read, pairs = false, logarithmic = false, fallback = 1 }) {
    Object.assign(this, { title, format, read, logarithmic, fallback });
    this.when = element("span", { class: "when" }, note);
    this.note = note;
    this.svg = drawn("svg", { role: "img", tabindex: "0", "aria-label": title });
    this.legend = element("ul", { class: pairs ? "legend pairs" : "legend" });
    figure.append(element("figcaption", {}, element("h3", {}, title), this.when), this.svg, this.legend);
    this.svg.addEventListener("pointermove", (event) => pointAt(this.timeAt(event)));
    this.svg.addEventListener("pointerdown", (event) => pointAt(this.timeAt(event)));
    this.svg.addEventListener("pointerleave", () => pointAt(null));
    this.svg.addEventListener("blur", () => pointAt(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  timeAt(event) {
    const box = this.svg.getBoundingClientRect();
    const share = (event.clientX - box.left - GUTTER.left) / (box.width - GUTTER.left - GUTTER.right);
    return this.from + share * (this.to - this.from);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    if (event.key === "Escape") pointAt(null);
    if (step === undefined) return;
    event.preventDefault();
    const samples = known.samples.filter((sample) => sample.at >= this.from);
    const at = samples.findIndex((sample) => sample.at === cursor.at);
    const next = at < 0 ? samples.length - 1 : Math.min(Math.max(at + step, 0), samples.length - 1);
    if (samples[next]) pointAt(samples[next].at);
    const values = this.lines.map((line) => `${line.label} ${line.text}`);
    say(cursor.spoken, samples[next] ? `${clockOf(samples[next].at)}: ${values.join(", ")}` : "");
  }

  /* lines: [{label, colour, kind, points: [[at, value or null]], second: points of a dotted twin}] */
  draw(lines, from, to) {
    Object.assign(this, { lines, from, to });
    this.width = this.svg.clientWidth;
    if (!this.width) return;
    const values = lines.flatMap((line) => [...line.points, ...(line.second ?? [])]).map((point) => point[1]);
    this.scale(values.filter((value) => value !== null));
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const curves = lines.flatMap((line) => this.curves(line));
    this.svg.replaceChildren(...this.grid(), ...curves);
    if (!curves.length) this.svg.append(this.nothing());
    this.mark = drawn("g");
    this.svg.append(this.mark);
    this.readOut();
  }

  x(at) {
    return GUTTER.left + ((at - this.from) / (this.to - this.from)) * (this.width - GUTTER.left - GUTTER.right);
  }

  y(value) {
    const share = this.logarithmic
      ? (Math.log10(Math.max(value, this.low)) - Math.log10(this.low)) / (Math.log10(this.high) - Math.log10(this.low))
      : value / this.high;
    return HEIGHT - GUTTER.bottom - share * (HEIGHT - GUTTER.top - GUTTER.bottom);
  }

  /* Chooses the range of values and the marks of its axis: 1, 2, 5 times a power of ten. */
  scale(values) {
    const most = values.reduce((high, value) => Math.max(high, value), 0);
    if (this.logarithmic) {
      const least = values.reduce((low, value) => Math.min(low, value), Infinity);
      this.low = 10 ** Math.floor(Math.log10(Math.min(Math.max(least, 0.0001), this.fallback) * 1.0001));
      this.high = Math.max(10 ** Math.ceil(Math.log10(Math.max(most, 1e-9)) - 1e-9), this.low * 100);
      this.ticks = [];
      for (let tick = this.low; tick <= this.high * 1.001; tick *= 10) this.ticks.push(tick);
      return;
    }
    const rough = Math.max(most * 1.05, this.fallback) / 4;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
    const count = Math.ceil(Math.max(most * 1.02, this.fallback) / step - 1e-9);
    this.high = step * count;
    this.ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  }

  grid() {
    const made = [];
    for (const tick of this.ticks) {
      const y = Math.round(this.y(tick)) + 0.5;
      const base = tick === this.ticks[0];
      made.push(drawn("line", { class: base ? "grid base" : "grid", x1: GUTTER.left, x2: this.width - GUTTER.right, y1: y, y2: y }));
      made.push(drawn("text", { x: GUTTER.left - 8, y: y + 3.5, "text-anchor": "end" }, this.format(tick).replace(/\.0+(?!\d)/, "")));
    }
    const span = this.to - this.from;
    const room = Math.max(1, Math.floor((this.width - GUTTER.left) / 70));
    const step = [15, 30, 60, 120, 300].find((one) => span / one <= room) ?? 600;
    const format = step % 60 ? CLOCK : MINUTE;
    for (let at = Math.ceil(this.from / step) * step; at <= this.to; at += step) {
      const x = this.x(at);
      if (x < GUTTER.left + 4 || x > this.width - (step % 60 ? 30 : 20)) continue;
      made.push(drawn("line", { class: "grid base", x1: x, x2: x, y1: HEIGHT - GUTTER.bottom, y2: HEIGHT - GUTTER.bottom + 4 }));
      made.push(drawn("text", { x, y: HEIGHT - 4, "text-anchor": "middle" }, format.format(at * 1000)));
    }
    return made;
  }

  curves(line) {
    const made = [];
    const add = (points, kind) => {
      const d = this.path(points);
      if (d) made.push(drawn("path", { class: `line ${line.colour} ${kind}`, d }));
    };
    if (line.second) add(line.second, "twin");
    add(line.points, line.kind ?? "");
    return made;
  }

  /* The path of points; it breaks where there is no value, and where samples are missing. */
  path(points) {
    let path = "";
    let before = null;
    let alone = false;
    for (const [at, value] of points) {
      if (value === null) { before = null; continue; }
      const joined = before !== null && at - before <= POLL_SECONDS * 3;
      if (!joined && alone) path += "h.01";
      path += `${joined ? "L" : "M"}${this.x(at).toFixed(1)} ${this.y(value).toFixed(1)}`;
      alone = !joined;
      before = at;
    }
    return alone ? `${path}h.01` : path;
  }

  nothing() {
    const text = known.samples.length ? "nothing in this time" : "no samples yet";
    const x = GUTTER.left + (this.width - GUTTER.left - GUTTER.right) / 2;
    return drawn("text", { class: "nothing", x, y: HEIGHT / 2 }, text);
  }

  /* Shows the values at the cursor, or the last ones: in the legend, and as dots. */
  readOut() {
    if (!this.lines) return;
    const at = nearest(cursor.at, this.from);
    this.mark?.replaceChildren();
    say(this.when, at === null ? this.note : clockOf(at));
    if (at !== null && this.mark) {
      const x = this.x(at);
      this.mark.append(drawn("line", { class: "cursor", x1: x, x2: x, y1: GUTTER.top, y2: HEIGHT - GUTTER.bottom }));
    }
    for (const line of this.lines) {
      const value = valueAt(line.points, at);
      const twin = line.second ? valueAt(line.second, at) : undefined;
      line.text = this.read(value, twin);
      if (at !== null && value !== null) {
        this.mark.append(drawn("circle", { class: `dot ${line.colour}`, cx: this.x(at), cy: this.y(value), r: 3.5 }));
      }
    }
    this.showLegend();
    if (at === null) {
      const texts = this.lines.map((line) => `${line.label} ${line.text}`);
      this.svg.setAttribute("aria-label", `${this.title}: ${texts.join(", ")}. Arrow keys read earlier values.`);
    }
  }

  showLegend() {
    while (this.legend.children.length > this.lines.length) this.legend.lastChild.remove();
    this.lines.forEach((line, index) => {
      let row = this.legend.children[index];
      if (!row) {
        row = element("li", {}, element("i", { "aria-hidden": "true" }), element("span", { class: "name" }), element("span", { class: "value" }));
        this.legend.append(row);
      }
      row.children[0].setAttribute("class", line.colour);
      row.children[1].setAttribute("title", line.label);
      say(row.children[1], line.label);
      say(row.children[2], line.text);
    });
  }
}

const cursor = { at: null, spoken: element("p", { class: "unseen", "aria-live": "polite" }) };

function pointAt(at) {
  cursor.at = at;
  for (const plot of Object.values(plots)) plot.readOut();
}

/* The time of the sample that is nearest to a time; null without one. */
function nearest(at, from) {
  if (at === null) return null;
  let best = null;
  for (const sample of known.samples) {
    if (sample.at >= from && (best === null || Math.abs(sample.at - at) < Math.abs(best - at))) best = sample.at;
  }
  return best;
}

function valueAt(points, at) {
  const point = at === null ? points.at(-1) : points.find((one) => one[0] === at);
  return point ? point[1] : null;
}

const dashIfNone = (format) => (value) => (value === null ? "–" : format(value));
const pairOf = (format) => (value, twin) => (value === null ? "–" : `${format(value)} · ${format(twin ?? 0)}`);

const plots = {
  rate: new Plot(byId("plot-rate"), { title: "Requests", note: "per second, to targets", format: countOf, read: dashIfNone(rateOf) }),
  latency: new Plot(byId("plot-latency"), {
    title: "Latency", note: "whole requests, logarithmic", format: secondsOf, read: dashIfNone(secondsOf), logarithmic: true, fallback: 0.001,
  }),
  errors: new Plot(byId("plot-errors"), { title: "Errors", note: "5xx solid · 4xx dotted", format: countOf, read: pairOf(rateOf), pairs: true }),
  bytes: new Plot(byId("plot-bytes"), {
    title: "Bytes", note: "to clients solid · from clients dotted", format: bytesOf, read: pairOf(bytesOf), pairs: true, fallback: 1000,
  }),
};

let span = 300; // seconds that the plots show

function showPlots() {
  const last = known.samples.at(-1)?.at ?? Date.now() / 1000;
  const to = last + (known.lostAt === null ? 0 : (performance.now() - known.heard) / 1000);
  const before = known.samples.filter((sample) => sample.at >= to - span - MEAN_SECONDS); // for the first means
  const samples = before.filter((sample) => sample.at >= to - span);
  const series = shownSeries(samples);
  const points = (names, column) => smooth(
    before.map((sample) => [sample.at, names.reduce((sum, name) => sum + numberOf(sample, name, column), 0)]),
  ).slice(before.length - samples.length);
  const lines = (first, second) =>
    series.map(({ label, colour, kind, of }) => ({
      label, colour, kind, points: points(of, first), second: second ? points(of, second) : undefined,
    }));
  const of = byId("latency-of").value || null;
  const quantiles = ["p50", "p95", "p99"].map((column) => ({
    label: column, colour: `q${column.slice(1)}`, points: samples.map((sample) => [sample.at, numberOf(sample, of, column)]),
  }));
  plots.rate.draw(lines("requests"), to - span, to);
  plots.latency.draw(quantiles, to - span, to);
  plots.errors.draw(lines("errors_5xx", "errors_4xx"), to - span, to);
  plots.bytes.draw(lines("bytes_out", "bytes_in"), to - span, to);
}

/* Means of the last ten seconds at each point: the quantiles are of as many. */
function smooth(points) {
  return points.map(([at], index) => {
    let [sum, count] = [0, 0];
    for (let back = index; back >= 0 && points[back][0] > at - MEAN_SECONDS; back--) [sum, count] = [sum + points[back][1], count + 1];
    return [at, sum / count];
  });
}

function showLatencyChoices() {
  const select = byId("latency-of");
  const names = (known.status.targets ?? []).map((target) => target.name);
  const present = [...select.options].slice(1).map((option) => option.value);
  if (JSON.stringify(names) === JSON.stringify(present)) return;
  const chosen = select.value;
  select.replaceChildren(select.options[0], ...names.map((name) => element("option", { value: name }, name)));
  select.value = names.includes(chosen) ? chosen : "";
}

function setUpPlots() {
  document.body.append(cursor.spoken);
  byId("latency-of").addEventListener("change", showPlots);
  byId("spans").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    span = Number(button.dataset.seconds);
    for (const one of byId("spans").children) one.setAttribute("aria-pressed", String(one === button));
    showPlots();
  });
  new ResizeObserver(showPlots).observe(byId("plot-rate"));
}

// ---------------------------------------------------------------- what is now

function showFacts() {
  const { status } = known;
  const facts = [
    ["Configuration", status.configuration ?? "without a file"],
    ["Generation", status.generation === null ? "–" : `${status.generation}, ${status.rolled_out ? "served by all workers" : "on its way to the workers"}`],
    ["Digest", (status.digest ?? "–").slice(0, 16)],
  ];
  const place = byId("facts");
  while (place.children.length > facts.length) place.lastChild.remove();
  facts.forEach(([name, value], index) => {
    const row = place.children[index] ?? place.appendChild(element("div", {}, element("dt"), element("dd")));
    say(row.children[0], name);
    say(row.children[1], value);
  });
  say(byId("foot"), `s3gateway ${status.version} · supervisor ${status.supervisor} · control ${status.control}`);
}

function showTile(name, [number, unit], sub, bad = false) {
  const tile = byId(`tile-${name}`);
  if (tile.textContent !== number + (unit ?? "")) tile.replaceChildren(number, ...(unit ? [element("small", {}, unit)] : []));
  tile.classList.toggle("bad", bad);
  say(byId(`tile-${name}-sub`), sub || "\u00a0");
}

function showTiles() {
  const { status } = known;
  const rate = lately("requests");
  const [four, five] = [lately("errors_4xx"), lately("errors_5xx")];
  showTile("rate", [countOf(rate), "/s"], known.samples.length ? "mean of 10 s" : "no samples yet");
  showTile("errors", rate > 0 ? [three((100 * five) / rate), "%"] : ["0", "%"], `${rateOf(five)} 5xx · ${rateOf(four)} 4xx`, five > 0 && five / rate >= 0.01);
  const [p50, p95, p99] = ["p50", "p95", "p99"].map((column) => lastly(column));
  if (p50 === null) showTile("latency", ["–"], "no requests");
  else showTile("latency", secondsParts(p50), `p95 ${secondsOf(p95)} · p99 ${secondsOf(p99)}`);
  showTile("bytes", bytesParts(lately("bytes_out")), `${bytesOf(lately("bytes_in"))} received`);
  const sum = (member) => status.workers.reduce((total, worker) => total + worker[member], 0);
  showTile("flight", [countOf(sum("requests"))], sum("connections") === 1 ? "1 connection" : `${countOf(sum("connections"))} connections`);
  const configured = status.targets.filter((target) => target.configured);
  const out = configured.filter((target) => stateOf(target).out);
  const sub = out.length === 1 ? `${out[0].name}: ${stateOf(out[0]).text}` : `${out.length || "none"} out of use`;
  showTile("targets", [String(configured.length - out.length), `of ${configured.length}`], sub, out.length > 0);
}

// ---------------------------------------------------------------- targets and workers

function stateOf(target) {
  if (target.disabled) return { text: "disabled", class: "warn", out: true };
  if (target.health?.state === "unhealthy") return { text: "unhealthy", class: "bad", out: true };
  const open = (target.breakers ?? []).filter((breaker) => breaker.state === "open");
  if (open.length && open.length >= known.status.workers.length) return { text: "breaker open", class: "bad", out: true };
  if (open.length) return { text: `breaker open in ${open.length} of ${known.status.workers.length} workers`, class: "warn" };
  if ((target.breakers ?? []).length) return { text: "breaker half open", class: "warn" };
  if (target.health?.state === "healthy") return { text: "healthy", class: "good" };
  return { text: target.health ? "not checked yet" : "in use", class: "" };
}

/* Since when a target is in its state, as far as it is known. */
function sinceOf(target) {
  const since = target.disabled ? null : target.health?.since ?? target.breakers?.[0]?.since;
  return since ? `for ${ageOf(Date.now() / 1000 - since)}` : "";
}

function showTargets() {
  const { targets } = known.status;
  const rows = shownTargets(targets).map((target) => {
    const state = stateOf(target);
    const rate = lately("requests", target.name);
    const failed = lately("errors_5xx", target.name);
    const p95 = lastly("p95", target.name);
    const fault = target.last_fault || target.health?.fault || "";
    const colour = colours.has(target.name) ? `s${colours.get(target.name)}` : "rest";
    return {
      key: target.name,
      cells: [
        { tag: "th", c: "name-cell", parts: [{ c: `swatch ${colour}`, t: "" }, { t: target.name }, { c: "under", t: target.endpoint ?? "not in the configuration" }] },
        { l: "State", c: "state-cell", parts: [{ c: `pill ${state.class}`, t: state.text }, { c: "under", t: sinceOf(target) }] },
        { l: "Requests", c: "number", t: rateOf(rate) },
        { l: "Errors", c: "number", t: rate > 0 ? shareOf(failed, rate) : "–" },
        { l: "p95", c: "number", t: p95 === null ? "–" : secondsOf(p95) },
        { l: "Last fault", c: fault ? "text" : "text none", t: fault || "–" },
        switchCell(target),
      ],
    };
  });
  showRows(byId("targets-rows"), rows, "No target is configured.");
  const checked = targets.filter((target) => target.health).length;
  const more = targets.length - rows.length;
  const about = checked ? `${checked} of ${targets.length} checked regularly` : "none is checked: no target has a health section";
  say(byId("targets-aside"), more ? `${about}; ${more} that are in use are not shown` : about);
}

/* Of very many targets those that are out of use come first, and the others as far as there is room. */
function shownTargets(targets) {
  if (targets.length <= TARGETS) return targets;
  const isOut = (target) => stateOf(target).out === true;
  return [...targets.filter(isOut), ...targets.filter((target) => !isOut(target))].slice(0, TARGETS);
}

function switchCell(target) {
  if (!known.token || !target.can_be_disabled) return { c: "action" };
  const word = target.disabled ? "Enable" : "Disable…";
  return {
    c: "action",
    button: { t: word, says: `${target.disabled ? "Enable" : "Disable"} target ${target.name}` },
    act: () => switchTarget(target.name, !target.disabled),
  };
}

function showWorkers() {
  const { workers, generation } = known.status;
  const rows = workers.map((worker) => {
    const behind = worker.generation !== generation;
    const late = worker.state === "serving" && worker.lag_seconds > 1;
    const [text, colour] = [late ? "late" : worker.state, late || worker.state !== "serving" ? "warn" : "good"];
    return {
      key: String(worker.worker),
      cells: [
        { tag: "th", t: `worker ${worker.worker}` },
        { l: "State", parts: [{ c: `pill ${colour}`, t: text }] },
        { l: "Process", c: "number", t: String(worker.pid) },
        { l: "Generation", c: "number", t: behind ? `${worker.generation} of ${generation}` : String(worker.generation) },
        { l: "Connections", c: "number", t: countOf(worker.connections) },
        { l: "In flight", c: "number", t: countOf(worker.requests) },
        { l: "Lag", c: "number", t: secondsOf(worker.lag_seconds) },
      ],
    };
  });
  showRows(byId("workers-rows"), rows, "No worker runs yet.");
  const exits = known.status.worker_exits;
  say(byId("workers-aside"), exits ? `${countOf(exits)} replaced since the start` : "none replaced since the start");
}

// ---------------------------------------------------------------- where would this go?

let explained = 0; // questions so far

async function explain(event) {
  event.preventDefault();
  const place = byId("where-answer");
  const fields = Object.fromEntries([...new FormData(byId("where-form"))].map(([name, value]) => [name, name === "key" ? value : value.trim()]));
  const asked = ++explained;
  const slow = setTimeout(() => place.replaceChildren(element("p", { class: "empty" }, "Reading the rules…")), 500);
  let shown;
  try {
    shown = explanation(await ask("api/decision", fields, {}, READING_SECONDS));
  } catch (error) {
    shown = [element("p", { class: "result bad" }, error instanceof NoAnswer ? "The gateway does not answer." : error.message)];
  }
  clearTimeout(slow);
  if (asked === explained) place.replaceChildren(...shown); // else a later question is under way
}

function explanation(said) {
  const made = [];
  const { refused } = said;
  const targets = said.targets?.length ? said.targets.join(", ") : said.target;
  if (targets) made.push(element("p", { class: "verdict-line" }, `To ${targets}`));
  if (said.endpoint) made.push(element("p", { class: "aside" }, said.endpoint));
  if (refused) {
    made.push(element("p", { class: "verdict-line" }, `Refused: ${refused.status} ${refused.code}`), element("p", { class: "aside" }, refused.message));
  }
  if (!targets && !refused) made.push(element("p", { class: "verdict-line" }, "The gateway answers this itself."));
  const { upstream } = said;
  if (upstream && (upstream.bucket !== said.bucket || upstream.key !== said.key)) {
    made.push(part("There it is called", [element("p", { class: "mono" }, [upstream.bucket, upstream.key].filter(Boolean).join("/"))]));
  }
  const several = (said.keys ?? []).length > 1;
  for (const one of said.keys ?? []) {
    if (one.chain?.length) made.push(part(several ? `Places of ${one.key}` : "Places, in order", [list("steps", one.chain.map(placeLine))]));
    if (one.rules?.length) made.push(part(several ? `Rules tried for ${one.key}` : "Rules tried", [list("steps", fewSteps(one.rules))]));
  }
  if (said.remarks?.length) made.push(part("Notes", [list("steps", said.remarks.map((text) => ({ text })))]));
  return made;
}

const part = (title, nodes) => element("div", {}, element("h3", {}, title), ...nodes);
const list = (name, lines) =>
  element("ul", { class: name }, ...lines.map(({ text, won }) => element("li", { class: won ? "won" : null }, element("span", {}, text))));

/* The first rules that were tried and the last ones: the one that decides is among those. */
function fewSteps(steps) {
  if (steps.length <= STEPS) return steps.map(stepLine);
  const between = { text: `${(steps.length - STEPS).toLocaleString("en")} more rules that do not match`, won: false };
  return [...steps.slice(0, 5).map(stepLine), between, ...steps.slice(5 - STEPS).map(stepLine)];
}

function stepLine(step) {
  if (step.rule === null) return { text: step.verdict, won: step.won };
  const note = step.description ? ` — ${step.description}` : "";
  return { text: `rule ${step.rule} (line ${step.line}) ${step.pattern}: ${step.verdict}${note}`, won: step.won };
}

function placeLine(place) {
  const named = place.upstream ? ` as ${place.upstream.bucket}/${place.upstream.key}` : "";
  return { text: [`${place.target}${named}`, place.role, place.what].filter(Boolean).join(", "), won: false };
}

// ---------------------------------------------------------------- the routing table

const rules = { offset: 0, asked: 0, generation: null };

async function showRules() {
  const asked = ++rules.asked;
  let said;
  try {
    const query = { offset: rules.offset, limit: RULES_PER_PAGE, search: byId("rules-search").value.trim() };
    said = await ask("api/routes", query, {}, READING_SECONDS);
  } catch (error) {
    if (asked === rules.asked) say(byId("rules-shown"), `not shown: ${error.message}`);
    return;
  }
  if (asked !== rules.asked) return; // a later question is under way
  const rows = said.rules.map((rule) => ({ key: String(rule.number), cells: ruleCells(rule) }));
  showRows(byId("rules-rows"), rows, said.total ? "No rule has these words." : "There are no rules: everything goes to the default target.");
  const last = said.offset + said.rules.length;
  const range = said.rules.length ? `${said.offset + 1}–${last} of ${said.matched.toLocaleString("en")}` : "none";
  const found = said.matched === said.total ? "" : `, out of ${said.total.toLocaleString("en")}`;
  const otherwise = said.default_target ? ` · otherwise: ${said.default_target}` : "";
  say(byId("rules-shown"), range + found + otherwise);
  byId("rules-back").disabled = said.offset === 0;
  byId("rules-on").disabled = last >= said.matched;
}

const RULE_SHOWN = ["number", "line", "pattern", "target", "fallback", "description"]; // in cells of their own

function ruleCells(rule) {
  const given = Object.entries(rule).filter(([name, value]) => !RULE_SHOWN.includes(name) && value !== null && wordsOf(value) !== "");
  const further = (words) => given.map(([name, value]) => `${name.replaceAll("_", " ")}: ${words(value)}`).join("; ");
  const rest = further(fewWordsOf);
  return [
    { tag: "th", l: "Rule", c: "number", t: String(rule.number) },
    { l: "Line", c: "number", t: rule.line ? String(rule.line) : "–" },
    { l: "Pattern", c: "text mono", t: rule.pattern },
    { l: "Target", c: "text", t: [rule.target, ...(rule.fallback ?? [])].join(", then ") },
    { l: "Further", c: rest ? "text" : "text none", t: rest || "–", title: rest === further(wordsOf) ? null : further(wordsOf) },
    { l: "Description", c: rule.description ? "text" : "text none", t: rule.description || "–" },
  ];
}

/* A long list by its first members: the whole one is the cell's title. */
function fewWordsOf(value) {
  if (!Array.isArray(value) || value.length <= 5) return wordsOf(value);
  return `${wordsOf(value.slice(0, 3))} and ${value.length - 3} more`;
}

function wordsOf(value) {
  if (Array.isArray(value)) return value.map(wordsOf).join(", ");
  if (value !== null && typeof value === "object") return Object.entries(value).map(([name, one]) => `${name} ${wordsOf(one)}`).join(", ");
  return String(value);
}

function setUpRules() {
  let waiting;
  byId("rules-search").addEventListener("input", () => {
    clearTimeout(waiting);
    rules.offset = 0;
    waiting = setTimeout(showRules, 200);
  });
  const turn = (pages) => () => { rules.offset = Math.max(0, rules.offset + pages * RULES_PER_PAGE); showRules(); };
  byId("rules-back").addEventListener("click", turn(-1));
  byId("rules-on").addEventListener("click", turn(1));
}

// ---------------------------------------------------------------- errors, decisions, reloads

const RECENT = {
  errors: {
    path: "api/errors",
    heads: ["Time", "Answer", "Request", "Identity", "Target", "Took"],
    none: "No error lately.",
    note: "newest first; at most 20 a second of each worker",
    cells: (one) => [
      { c: "when", t: momentOf(one.time) },
      { l: "Answer", c: "text", parts: [{ t: answerOf(one) }, { c: "under", t: one.request_id }] },
      { l: "Request", c: "text", parts: requestParts(one) },
      { l: "Identity", t: one.identity || "–" },
      { l: "Target", t: one.target || "–" },
      { l: "Took", c: "number", t: tookOf(one) },
    ],
  },
  decisions: {
    path: "api/decisions",
    heads: ["Time", "Request", "Identity", "Target", "Rule", "Status", "Took"],
    none: "No request lately.",
    note: "newest first; at most 10 a second of each worker",
    cells: (one) => [
      { c: "when", t: momentOf(one.time) },
      { l: "Request", c: "text", parts: requestParts(one) },
      { l: "Identity", t: one.identity || "–" },
      { l: "Target", t: one.target || "–" },
      { l: "Rule", c: "rule", t: one.rule === null || one.rule === "" ? "–" : String(one.rule) },
      { l: "Status", c: "number", t: one.status ? String(one.status) : "–" },
      { l: "Took", c: "number", t: tookOf(one) },
    ],
  },
  reloads: {
    path: "api/reloads",
    heads: ["Time", "Result", "Generation", "Digest", "Took"],
    none: "No reload since control started.",
    note: "newest first",
    cells: (one) => [
      { c: "when", t: momentOf(one.began) },
      { l: "Result", c: "text", parts: [{ c: one.ok ? "pill good" : "pill bad", t: one.ok ? "served" : "refused" }, ...reloadLines(one)] },
      { l: "Generation", c: "number", t: one.generation ? String(one.generation) : "–" },
      { l: "Digest", c: one.digest ? "mono" : "none", t: (one.digest ?? "").slice(0, 16) },
      { l: "Took", c: "number", t: typeof one.seconds === "number" ? secondsOf(one.seconds) : "–" },
    ],
  },
};

function reloadLines(one) {
  const restart = (one.needs_restart ?? []).map((name) => `${name} needs a restart`);
  return [...(one.problems ?? []), ...(one.warnings ?? []), ...restart].map((text) => ({ c: "under mono", t: text }));
}

const answerOf = (one) => (one.status ? `${one.status} ${one.code}`.trim() : "none: the client left");
const tookOf = (one) => (typeof one.seconds === "number" ? secondsOf(one.seconds) : "–");
const requestParts = (one) => [
  { t: one.operation || one.method || "–" },
  { c: "under", t: [one.bucket, one.key].filter(Boolean).join("/") },
];

let recent = "errors";

async function showRecent() {
  const tab = RECENT[recent];
  const name = recent;
  let said;
  try {
    said = await ask(tab.path, { limit: 50 });
  } catch (error) {
    if (name === recent) say(byId("recent-aside"), `not shown: ${error.message}`);
    return;
  }
  if (name !== recent) return; // another tab was chosen meanwhile
  showHeads(tab.heads);
  const rows = (said[name] ?? []).map((one, index) => ({ key: `${one.time ?? one.began} ${one.request_id ?? index}`, cells: tab.cells(one) }));
  showRows(byId("recent-rows"), rows, tab.none);
  say(byId("recent-aside"), said.left_out ? `${tab.note}; ${countOf(said.left_out)} were not told since control started` : tab.note);
}

function showHeads(names) {
  const place = byId("recent-head");
  if (place.dataset.names === names.join()) return;
  place.dataset.names = names.join();
  const numbers = ["Status", "Took", "Generation"];
  place.replaceChildren(element("tr", {}, ...names.map((name) => element("th", { scope: "col", class: numbers.includes(name) ? "number" : null }, name))));
  byId("recent-rows").replaceChildren();
}

function setUpRecent() {
  const tabs = [...byId("recent-tabs").children];
  const choose = (tab) => {
    recent = tab.id.slice("tab-".length);
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    byId("recent-panel").setAttribute("aria-labelledby", tab.id);
    byId("recent-panel").scrollTop = 0;
    showRecent();
  };
  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step === undefined) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      next.focus();
      choose(next);
    });
  });
}

// ---------------------------------------------------------------- changes

/* Asks whether it is meant; Escape and Cancel are no. */
function confirmed(title, text, word) {
  const dialog = byId("confirm");
  say(byId("confirm-title"), title);
  say(byId("confirm-text"), text);
  say(byId("confirm-yes"), word);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      if (dialog.open) return; // the event is of the question before: it comes late
      dialog.removeEventListener("close", closed);
      resolve(dialog.returnValue === "yes");
    };
    dialog.addEventListener("close", closed);
  });
}

function showResult(text, kind = "", lines = [], place = byId("changes-result")) {
  const problems = lines.length ? [element("ul", { class: "lines" }, ...lines.map((line) => element("li", {}, line)))] : [];
  place.replaceChildren(element("div", { class: `result ${kind}` }, text, ...problems));
}

/* Sends an order and shows what came of it, there. `said` makes the text of a success. */
async function change(path, under, said, place) {
  showResult(under, "", [], place);
  setChangesEnabled(false);
  try {
    const answer = await order(path);
    if (answer.ok === false) throw new Refused(409, answer);
    showResult(said(answer), "good", reloadLines(answer).map((line) => line.t), place);
  } catch (error) {
    showFailure(error, place);
  }
  setChangesEnabled(true);
  await poll();
}

function showFailure(error, place) {
  const bad = (text, lines) => showResult(text, "bad", lines, place);
  if (error instanceof NoAnswer) return bad("The gateway did not answer: whether it was done is not known.");
  if (!(error instanceof Refused)) return bad(`This page failed: ${error.message}`);
  if (error.status === 401) {
    takeToken("");
    return bad("Wrong token: nothing was changed.");
  }
  const { remedy, problems } = error.said;
  bad(`Not done: ${error.message}${remedy ? ` — ${remedy}` : ""}`, problems ?? []);
}

function reloadConfiguration() {
  return change("api/reload", "Reloading: waiting for every worker…", (answer) => {
    const workers = (answer.acknowledged ?? []).length;
    const by = workers ? `, served by ${workers} worker${workers === 1 ? "" : "s"}` : "";
    const took = typeof answer.seconds === "number" ? ` after ${secondsOf(answer.seconds)}` : "";
    return `Reloaded: generation ${answer.generation}${by}${took}.`;
  });
}

async function drain() {
  const text = "Workers finish what they have begun and take no new connections; then the gateway ends. This cannot be undone from here.";
  if (await confirmed("Drain this gateway?", text, "Drain")) {
    await change("api/drain", "Draining…", () => "Draining: the gateway ends when its last request has.");
  }
}

async function switchTarget(name, disable) {
  const text = `Requests that need ${name} are refused with 503 until it is enabled again, or the gateway is restarted. What is under way there goes on.`;
  if (disable && !(await confirmed(`Disable target ${name}?`, text, "Disable"))) return;
  const path = `api/targets/${encodeURIComponent(name)}/${disable ? "disable" : "enable"}`;
  await change(path, `${disable ? "Disabling" : "Enabling"} ${name}…`, (answer) => {
    const none = disable && answer.enabled_targets && !answer.enabled_targets.length ? " No target is enabled now." : "";
    return `Target ${name} is ${disable ? "disabled" : "enabled"}.${none}`;
  }, byId("targets-result"));
}

function setChangesEnabled(enabled) {
  byId("reload").disabled = byId("drain").disabled = !enabled || !known.token;
}

function takeToken(token) {
  known.token = token;
  byId("token").value = "";
  byId("token").placeholder = token ? "in use" : "";
  byId("token-drop").hidden = !token;
  setChangesEnabled(true);
  if (known.status) showTargets();
}

function showChanges() {
  const off = known.status.changes === false;
  const text = off ? "Off: no token is configured (admin.token)." : known.token ? "" : "With the token of the configuration (admin.token).";
  say(byId("changes-aside"), text);
  byId("token").disabled = byId("token-take").disabled = off;
}

function setUpChanges() {
  byId("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!byId("token").value) return;
    takeToken(byId("token").value.trim());
    showResult("The token is checked when it is first used.");
    if (known.lostAt !== null) poll();
  });
  byId("token-drop").addEventListener("click", () => { takeToken(""); byId("changes-result").replaceChildren(); });
  byId("reload").addEventListener("click", reloadConfiguration);
  byId("drain").addEventListener("click", drain);
}

// ---------------------------------------------------------------- the state of what is shown

function showState() {
  const lost = known.lostAt !== null;
  byId("state").className = `state ${lost ? "lost" : "live"}`;
  say(byId("state-text"), lost ? (isLocked() ? "locked" : "no answer") : known.status.draining ? "draining" : "live");
  document.body.classList.toggle("stale", lost);
  const note = stateNote();
  const place = byId("notes");
  if (place.dataset.note === note) return;
  place.dataset.note = note;
  const way = isLocked() && known.fault.status === 401 ? element("a", { href: "#token" }, "Give the token.") : null;
  place.replaceChildren(...(note ? [element("p", { class: lost ? "note bad" : "note" }, note, way)] : []));
}

/* Beyond its own machine the gateway answers who has the token. */
const isLocked = () => known.fault instanceof Refused && [401, 403].includes(known.fault.status);

function stateNote() {
  if (isLocked()) return known.fault.status === 401 ? "From another machine this is shown to whoever has the token. " : `${known.fault.message} `;
  if (known.lostAt !== null) {
    const since = known.heard ? `since ${clockOf(known.lostAt)}. What is shown is from then` : "yet";
    const why = known.fault instanceof NoAnswer ? "" : ` (${known.fault.message})`;
    return `No answer from the control process ${since}. Workers serve on without it; asking again every ${POLL_SECONDS} s${why}.`;
  }
  if (known.status.draining) return "The gateway is draining: it takes no new connections and ends when its last request has.";
  return "";
}

function showAll() {
  showState();
  if (known.status) {
    showFacts();
    showTiles();
    showLatencyChoices();
    showPlots(); // before the targets, which have its colours
    showTargets();
    showWorkers();
    showChanges();
  }
  document.body.classList.remove("loading");
}

let polling = null; // the poll under way
let timer;
let round = 0;

function poll() {
  polling ??= once().finally(() => { polling = null; });
  return polling;
}

async function once() {
  clearTimeout(timer);
  try {
    await learn();
    known.heard = performance.now();
    known.lostAt = null;
    known.fault = null;
  } catch (error) {
    known.lostAt ??= (known.heard ? Date.now() - (performance.now() - known.heard) : Date.now()) / 1000;
    known.fault = error;
    if (error.status === 401 && known.token) {
      takeToken("");
      showResult("Wrong token.", "bad");
    }
    if (!(error instanceof NoAnswer || error instanceof Refused)) console.error(error);
  }
  showAll();
  if (known.lostAt === null) {
    if (round++ % 2 === 0) showRecent();
    if (known.status.generation !== rules.generation) {
      rules.generation = known.status.generation;
      showRules();
    }
  }
  if (!document.hidden) timer = setTimeout(poll, POLL_SECONDS * 1000);
}

setUpPlots();
setUpRules();
setUpRecent();
setUpChanges();
byId("where-form").addEventListener("submit", explain);
document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
poll();
