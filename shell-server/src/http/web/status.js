// Keeps the status page up to date: by events where they come, by asking once a second where they do not.
"use strict";

const SECOND = 1000;
// How long nothing may be heard before the page asks by itself, and before it says that there is no answer.
const SILENCE_BEFORE_ASKING = 2500;
const SILENCE_BEFORE_TELLING = 5000;
const ASK_PERIOD_MAX = 2000;
const EVENTS_RETRY_PERIOD = 15 * SECOND;
const HISTORY = 120 * SECOND;
const CHART_HEIGHT = 40;
const SVG = "http://www.w3.org/2000/svg";
const UNKNOWN = "–";

const COLUMNS = [
  ["Viewer", (viewer) => viewer.address],
  ["State", (viewer) => viewer.state],
  ["Round trip", (viewer) => milliseconds(viewer.round_trip_ms)],
  ["Capture to report", (viewer) => milliseconds(viewer.capture_to_report_ms)],
  ["Loss", (viewer) => percent(viewer.loss_ratio)],
  ["Sent", (viewer) => bits(viewer.sent_bits_per_second)],
  ["Decoded", (viewer) => fps(viewer.decoded_frames_per_second)],
  ["Dropped", (viewer) => String(viewer.frames_dropped)],
  ["Waiting", (viewer) => bytes(viewer.queue_bytes)],
];

const FIELDS = {
  source: ({ source }) => source.name,
  fps: ({ source }) => fps(source.encoded_frames_per_second),
  captured: ({ source }) =>
    source.captured_frames_per_second === null ? "from a file" : `captured ${fps(source.captured_frames_per_second)}`,
  sent: (status) => bits(sentToAll(status)),
  encoded: ({ source }) => `encoded ${bits(source.encoded_bits_per_second)}`,
  loss: (status) => percent(worstLoss(status)),
  viewers: ({ viewers }) => `Viewers (${viewers.length})`,
  codec: ({ source }) => source.codec,
  resolution: ({ source }) =>
    source.width_pixels === null ? UNKNOWN : `${source.width_pixels} × ${source.height_pixels}`,
  uptime: (status) => clock(status.uptime_seconds),
  frames: ({ totals }) => `${totals.frames} (${totals.frames_refused} refused)`,
  key_frames: ({ totals }) => `${totals.key_frames} (${totals.key_frames_wanted} asked for)`,
  replaced: ({ totals }) => `${totals.pictures_replaced} of ${totals.pictures_captured} captured`,
  total_sent: ({ totals }) => `${bytes(totals.bytes_sent)} in ${totals.datagrams_sent} datagrams`,
  total_received: ({ totals }) => `${bytes(totals.bytes_received)} in ${totals.datagrams_received} datagrams`,
  refused: ({ totals: { datagrams_refused: by } }) =>
    `${by.malformed} malformed, ${by.unknown_session} of no session, ${by.forged} forged, ${by.replayed} repeated`,
  joined: ({ totals }) => String(totals.viewers_joined),
  left: ({ totals: { viewers_left: by } }) =>
    `${by.said_so} by themselves, ${by.silent} silent, ${by.replaced} replaced, ${by.closed} closed`,
  turned_away: ({ totals }) =>
    `${totals.viewers_refused} for want of room, ${totals.handshakes_refused} without the key`,
};

const CHARTS = {
  fps: ({ source }) => source.encoded_frames_per_second,
  sent: sentToAll,
  loss: (status) => worstLoss(status) ?? 0,
};

function sentToAll(status) {
  return status.viewers.reduce((sum, viewer) => sum + viewer.sent_bits_per_second, 0);
}

function worstLoss(status) {
  const known = status.viewers.map((viewer) => viewer.loss_ratio).filter((loss) => loss !== null);
  return known.length === 0 ? null : Math.max(...known);
}

// Figures as the server writes them for readers without scripts.

function fps(rate) {
  return rate === null ? UNKNOWN : `${rate.toFixed(1)} fps`;
}

function milliseconds(time) {
  return time === null ? UNKNOWN : `${time.toFixed(1)} ms`;
}

function percent(ratio) {
  return ratio === null ? UNKNOWN : `${(ratio * 100).toFixed(2)} %`;
}

function scaled(value, units) {
  let step = 0;
  while (value >= 1000 && step + 1 < units.length) {
    value /= 1000;
    step += 1;
  }
  return `${value.toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

function bits(rate) {
  return scaled(rate, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s"]);
}

function bytes(count) {
  return scaled(count, ["B", "kB", "MB", "GB", "TB"]);
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}

// Touches the document only where something changed, so that selections and screen readers are left alone.
function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function showFields(status) {
  for (const element of document.querySelectorAll("[data-field]")) {
    setText(element, FIELDS[element.dataset.field](status));
  }
}

function newRow(id) {
  const row = document.createElement("tr");
  row.setAttribute("role", "row");
  row.dataset.viewer = id;
  for (const [label] of COLUMNS) {
    const cell = document.createElement("td");
    cell.setAttribute("role", "cell");
    cell.dataset.label = label;
    row.append(cell);
  }
  return row;
}

function showViewers(viewers) {
  const body = document.getElementById("viewers");
  const rows = new Map(Array.from(body.querySelectorAll("tr[data-viewer]"), (row) => [row.dataset.viewer, row]));
  body.querySelector(".nobody")?.closest("tr").remove();
  for (const viewer of viewers) {
    const id = String(viewer.id);
    const row = rows.get(id) ?? newRow(id);
    rows.delete(id);
    COLUMNS.forEach(([, figure], index) => setText(row.cells[index], figure(viewer)));
    row.cells[1].className = viewer.state;
    if (row.parentNode !== body) {
      body.append(row);
    }
  }
  rows.forEach((row) => row.remove());
  if (viewers.length === 0) {
    const cell = document.createElement("td");
    cell.setAttribute("role", "cell");
    cell.className = "nobody";
    cell.colSpan = COLUMNS.length;
    cell.textContent = "Nobody is watching.";
    const row = document.createElement("tr");
    row.setAttribute("role", "row");
    row.append(cell);
    body.append(row);
  }
}

const history = [];

function remember(now, status) {
  const last = history.at(-1);
  if (last && now - last.at < SECOND * 0.9) {
    return;
  }
  const values = Object.fromEntries(Object.entries(CHARTS).map(([name, value]) => [name, value(status)]));
  history.push({ at: now, values });
  while (history[0].at < now - HISTORY) {
    history.shift();
  }
}

function svg(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, value);
  }
  return element;
}

function newChart(place) {
  const width = HISTORY / SECOND;
  const chart = svg("svg", { viewBox: `0 0 ${width} ${CHART_HEIGHT}`, preserveAspectRatio: "none", "aria-hidden": true });
  chart.append(
    svg("line", { class: "floor", x1: 0, x2: width, y1: CHART_HEIGHT, y2: CHART_HEIGHT }),
    svg("polygon", { class: "area" }),
    svg("polyline", { class: "curve" }),
  );
  place.append(chart);
  return chart;
}

function showCharts(now) {
  for (const place of document.querySelectorAll("[data-chart]")) {
    const name = place.dataset.chart;
    const chart = place.querySelector("svg") ?? newChart(place);
    // A loss of some hundredths of a percent should not look like a disaster.
    const top = Math.max(name === "loss" ? 0.02 : 1, ...history.map(({ values }) => values[name])) * 1.1;
    const x = (at) => ((HISTORY - (now - at)) / SECOND).toFixed(1);
    const points = history.map(
      ({ at, values }) => `${x(at)},${(CHART_HEIGHT * (1 - values[name] / top)).toFixed(1)}`,
    );
    const [first, last] = [x(history[0].at), x(history.at(-1).at)];
    chart.querySelector(".curve").setAttribute("points", points.join(" "));
    chart
      .querySelector(".area")
      .setAttribute("points", [`${first},${CHART_HEIGHT}`, ...points, `${last},${CHART_HEIGHT}`].join(" "));
  }
}

// The connection: what was heard last, and whether somebody is still there.

let heardAt = Date.now();
let events = null;
let eventsOpenedAt = 0;
let asking = false;

function hear(text) {
  const status = JSON.parse(text);
  const now = Date.now();
  heardAt = now;
  showConnection(null);
  showFields(status);
  showViewers(status.viewers);
  remember(now, status);
  showCharts(now);
}

function showConnection(lostSince) {
  const place = document.getElementById("connection");
  place.classList.toggle("lost", lostSince !== null);
  document.body.classList.toggle("lost-contact", lostSince !== null);
  const text = lostSince === null ? "live" : `server unreachable since ${new Date(lostSince).toLocaleTimeString()}`;
  setText(place, text);
}

function listen() {
  events?.close();
  eventsOpenedAt = Date.now();
  events = new EventSource("/api/v1/events");
  events.onmessage = (event) => hear(event.data);
}

async function ask() {
  if (asking) {
    return;
  }
  asking = true;
  try {
    const answer = await fetch("/api/v1/status", { signal: AbortSignal.timeout(ASK_PERIOD_MAX) });
    if (answer.ok) {
      hear(await answer.text());
    }
  } catch {
    // The next tick tells the user, and tries again.
  } finally {
    asking = false;
  }
}

function tick() {
  const now = Date.now();
  const silence = now - heardAt;
  if (silence > SILENCE_BEFORE_TELLING) {
    showConnection(heardAt);
  }
  const isClosed = events.readyState === EventSource.CLOSED;
  if (isClosed && now - eventsOpenedAt > EVENTS_RETRY_PERIOD) {
    listen();
  }
  if (isClosed || silence > SILENCE_BEFORE_ASKING) {
    ask();
  }
}

listen();
ask();
setInterval(tick, SECOND);
