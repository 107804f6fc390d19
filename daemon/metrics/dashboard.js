// What /status.json says, for a person; asked again every few seconds. Texts of the daemon's go into
// the page as text only, and what has not changed is left as it is, so that nothing flickers.
"use strict";

const REFRESH_MS = 5000;
const TIMEOUT_MS = 10000;
const STEP_S = 5; // of the history
const SPAN_S = 900;
const SPAN_LEAST_S = 60;
const SECONDS_BELOW_S = 300; // times below a plot have seconds
const WAIT_BAD_S = 1;
const FAILED_BAD = 0.05; // of the jobs of the last minute
const SVG = "http://www.w3.org/2000/svg";
const PLOT = { width: 560, height: 190, left: 48, right: 10, top: 10, bottom: 24, lines: 4 };

const whole = (value) => (value ?? 0).toLocaleString("en");
const fixed = (value) => (value >= 100 ? whole(Math.round(value)) : (value ?? 0).toFixed(1));
const clock = (at_s) => new Date(at_s * 1000).toLocaleTimeString("en-GB");

function lasts(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} days`;
}

// The bound, in ms, that a share of jobs were within; null: there were none.
function within(counts, share) {
  const bounds = Object.keys(counts).sort((one, other) => Number(one) - Number(other));
  let left = share * bounds.reduce((sum, bound) => sum + counts[bound], 0);
  for (const bound of bounds) {
    left -= counts[bound];
    if (left <= 0) return Number(bound) * 1000;
  }
  return null;
}

const ran = (counts) => Object.values(counts).reduce((sum, count) => sum + count, 0);
const bound = (ms) => (ms === null ? "" : ms === Infinity ? "more" : String(ms));
const mean = (took_s, counts) => (ran(counts) ? (took_s / ran(counts)) * 1000 : null);

// What stands in the cell of a column, by the table's id and the column's data-cell.
const CELLS = {
  pools: {
    origin: (row) => row.origin,
    profile: (row) => row.profile,
    slots: (row) => whole(row.slots_num),
    leased: (row) => whole(row.leased_num),
    waiting: (row) => whole(row.waiting_num),
    oldest: (row) => fixed(row.oldest_wait_s),
    requests: (row) => whole(row.leases_total),
    sockets: (row) => whole(row.sockets.open_num),
    health: (row) => row.health.state,
  },
  operations: {
    operation: (row) => row.operation,
    rate: (row) => (row.rate === null ? "" : fixed(row.rate)),
    jobs: (row) => whole(row.jobs_total),
    failed: (row) => whole(row.failed_total),
    mean: (row) => (ran(row.took_by_s) ? fixed(mean(row.took_s_total, row.took_by_s)) : ""),
    most: (row) => bound(within(row.took_by_s, 0.95)),
  },
  errors: {
    operation: (row) => row.operation,
    outcome: (row) => row.outcome,
    errors: (row) => whole(row.errors_total),
    age: (row) => lasts(row.newest_age_s),
  },
  slow: {
    name: (row) => row.name,
    when: (row) => clock(row.at_s),
    wall: (row) => whole(Math.round(row.wall_s * 1000)),
    cpu: (row) => whole(Math.round(row.cpu_s * 1000)),
    worker: (row) => String(row.worker),
    stack: (row) => row.stack,
  },
  peers: {
    peers: (row) => whole(row.peers_num),
    flight: (row) => whole(row.in_flight_num),
    unread: (row) => whole(row.unread_bytes),
    held: (row) => whole(row.buffered_bytes),
  },
  keys: {
    profile: (row) => row.profile,
    present: (row) => (row.has_keys ? "there" : "missing"),
    expires: (row) => lasts(row.expires_in_s),
    failures: (row) => whole(row.failed_total),
  },
  workers: {
    number: (row) => String(row.number),
    pid: (row) => String(row.pid),
    ready: (row) => (row.is_ready ? "yes" : "no"),
    uptime: (row) => lasts(row.uptime_s),
    peers: (row) => whole(row.peers_num),
    running: (row) => whole(row.running_num),
  },
};

const BAD = {
  pools: { health: "good" },
  keys: { present: "there" },
  workers: { ready: "yes" },
};

const one = (selector) => document.querySelector(selector);

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function resize(parent, number, make) {
  while (parent.children.length > number) parent.lastElementChild.remove();
  while (parent.children.length < number) parent.append(make());
}

function table(name, rows) {
  const heads = [...one(`#${name} thead tr`).children];
  const body = one(`#${name} tbody`);
  if (body.dataset.none !== String(!rows.length)) body.replaceChildren();
  body.dataset.none = String(!rows.length);
  if (!rows.length) {
    resize(body, 1, () => document.createElement("tr"));
    resize(body.firstElementChild, 1, () => document.createElement("td"));
    Object.assign(body.firstElementChild.firstElementChild, { className: "none", colSpan: heads.length });
    write(body.firstElementChild.firstElementChild, "none");
    return;
  }
  resize(body, rows.length, () => {
    const line = document.createElement("tr");
    for (const head of heads) {
      const cell = document.createElement("td");
      cell.dataset.cell = head.dataset.cell;
      cell.className = head.className;
      line.append(cell);
    }
    return line;
  });
  rows.forEach((row, index) => {
    for (const cell of body.children[index].children) {
      const name_of = cell.dataset.cell;
      const text = CELLS[name][name_of](row);
      const usual = BAD[name]?.[name_of];
      if (name_of === "stack") unfold(cell, text, `${row.worker} ${row.at_s}`);
      else write(cell, text);
      cell.classList.toggle("bad", usual !== undefined && usual !== text);
    }
  });
}

const opened = new Set(); // the slow visits whose stacks are shown, wherever their rows are by now

// Shows the innermost line of a stack, and all of it once it is asked for.
function unfold(cell, stack, key) {
  if (!cell.firstElementChild) {
    const made = document.createElement("details");
    made.append(document.createElement("summary"), document.createElement("pre"));
    made.addEventListener("toggle", () => opened[made.open ? "add" : "delete"](made.dataset.key));
    cell.append(made);
  }
  const details = cell.firstElementChild;
  if (details.dataset.key !== key) {
    details.dataset.key = key;
    details.open = opened.has(key);
  }
  write(details.firstElementChild, stack.at(-1) ?? "with its end, unseen");
  write(details.lastElementChild, stack.join("\n"));
}

// Draws curves into a figure: {name, points: [[at_s, value or null], …]}, two at most.
function plot(id, curves, from_s, to_s, unit) {
  const svg = one(`#${id} svg`) ?? frame(id);
  const values = curves.flatMap((curve) => curve.points.map((point) => point[1] ?? 0));
  const most = ceiling(Math.max(...values.filter(Number.isFinite), 0));
  const { width, height, left, right, top, bottom, lines } = PLOT;
  const x = (at_s) => left + ((at_s - from_s) / (to_s - from_s)) * (width - left - right);
  const y = (value) => height - bottom - (Math.min(value, most) / most) * (height - top - bottom);
  for (let index = 0; index <= lines; index += 1) {
    const [ticks, times] = [svg.querySelectorAll(".tick"), svg.querySelectorAll(".time")];
    write(ticks[index], Number(((most * index) / lines).toPrecision(3)).toLocaleString("en"));
    const time = clock(from_s + ((to_s - from_s) * index) / lines);
    write(times[index], to_s - from_s < SECONDS_BELOW_S ? time : time.slice(0, 5));
  }
  const said = curves.map((curve, index) => {
    svg.querySelectorAll("path")[index].setAttribute("d", line(curve.points, x, y));
    const known = curve.points.filter((point) => point[1] !== null);
    const last = known.length ? fixed(known[known.length - 1][1]) : "none";
    const highest = known.length ? fixed(Math.max(...known.map((point) => point[1]))) : "none";
    write(one(`#${id} span.${index ? "second" : "first"}`), `${index ? "┄" : "━"} ${curve.name} ${last}`);
    return `${curve.name}: last ${last}, highest ${highest}`;
  });
  const span = lasts(to_s - from_s);
  svg.setAttribute("aria-label", `${unit} over the last ${span}. ${said.join(". ")}.`);
}

function line(points, x, y) {
  let is_on = false;
  return points.map(([at_s, value]) => {
    const word = value === null ? "" : `${is_on ? "L" : "M"}${x(at_s).toFixed(1)} ${y(value).toFixed(1)}`;
    const is_alone = word && !is_on;
    is_on = value !== null;
    return is_alone ? `${word}h0.1` : word; // a point by itself is seen, too
  }).join("");
}

// The next of 1, 2, 5, 10, 20, …
function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value);
}

function frame(id) {
  const { width, height, left, right, top, bottom, lines } = PLOT;
  const svg = document.createElementNS(SVG, "svg");
  const add = (name, attributes) => {
    const node = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => node.setAttribute(key, value));
    svg.append(node);
  };
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("role", "img");
  for (let index = 0; index <= lines; index += 1) {
    const down = height - bottom - (index / lines) * (height - top - bottom);
    const across = left + (index / lines) * (width - left - right);
    add("line", { x1: left, x2: width - right, y1: down, y2: down });
    add("text", { class: "tick", x: left - 6, y: down + 4, "text-anchor": "end" });
    const anchor = index === 0 ? "start" : index === lines ? "end" : "middle";
    add("text", { class: "time", x: across, y: height - 6, "text-anchor": anchor });
  }
  add("path", { class: "first" });
  add("path", { class: "second" });
  one(`#${id}`).append(svg);
  return svg;
}

function plots(status, now_s) {
  const last = Math.floor((now_s - 1) / STEP_S) * STEP_S;
  const span = Math.max(SPAN_LEAST_S, Math.min(SPAN_S, status.uptime_s));
  const first = Math.ceil((last - span) / STEP_S) * STEP_S;
  const samples = new Map(status.history.map((sample) => [sample.at_s, sample]));
  const points = (value, none) => {
    const found = [];
    for (let at_s = first; at_s <= last; at_s += STEP_S) {
      const sample = samples.get(at_s);
      found.push([at_s, sample ? value(sample) : none]);
    }
    return found;
  };
  plot("throughput", [
    { name: "all", points: points((sample) => sample.jobs_num / STEP_S, 0) },
    { name: "failed", points: points((sample) => sample.failed_num / STEP_S, 0) },
  ], first, last, "Jobs a second");
  plot("latency", [
    { name: "mean", points: points((sample) => mean(sample.took_s, sample.took_by_s), null) },
    { name: "95 % within", points: points((sample) => within(sample.took_by_s, 0.95), null) },
  ], first, last, "Milliseconds a job took");
}

function* problems(status, now_s) {
  const silent = status.workers_num - status.workers.length;
  if (silent > 0) yield `${silent} of ${status.workers_num} workers do not answer.`;
  for (const worker of status.workers) {
    if (!worker.is_ready) yield `Worker ${worker.number} takes no jobs.`;
  }
  for (const pool of status.pools) {
    if (pool.health.state !== "good") yield `${pool.origin} is ${pool.health.state}: it takes no connections.`;
    if (pool.oldest_wait_s > WAIT_BAD_S) {
      yield `${pool.waiting_num} jobs wait for a slot at ${pool.origin}, the first for ${fixed(pool.oldest_wait_s)} s.`;
    }
  }
  for (const [name, keys] of Object.entries(status.profile_keys)) {
    if (!keys.has_keys) yield `Profile ${name} has no keys.`;
  }
  const minute = status.history.filter((sample) => sample.at_s > now_s - 60);
  const jobs = minute.reduce((sum, sample) => sum + sample.jobs_num, 0);
  const failed = minute.reduce((sum, sample) => sum + sample.failed_num, 0);
  if (failed > FAILED_BAD * jobs) yield `${failed} of ${jobs} jobs of the last minute failed.`;
}

let before = null; // what the last answer said of operations, and when

function rated(operations, now_ms) {
  const passed_s = before === null ? 0 : (now_ms - before.now_ms) / 1000;
  const rows = operations.map((row) => {
    const more = row.jobs_total - (before?.totals.get(row.operation) ?? 0);
    return { ...row, rate: passed_s > 0 ? Math.max(0, more) / passed_s : null };
  });
  before = { now_ms, totals: new Map(operations.map((row) => [row.operation, row.jobs_total])) };
  return rows.sort((a, b) => (b.rate ?? 0) - (a.rate ?? 0) || b.jobs_total - a.jobs_total);
}

function show(status, now_s) {
  const found = [...problems(status, now_s)];
  document.body.classList.remove("lost");
  document.title = found.length ? `(${found.length}) botod` : "botod";
  write(one("#about"), `${status.version}, up ${lasts(status.uptime_s)}, at ${clock(now_s)}`);
  tell(found.length ? "This wants a look:" : "Nothing stands out.", !found.length);
  resize(one("#problems"), found.length, () => document.createElement("li"));
  found.forEach((words, index) => write(one("#problems").children[index], words));
  plots(status, now_s);
  table("pools", status.pools);
  table("operations", rated(status.operations, performance.now()));
  table("errors", [...status.errors].sort((a, b) => a.newest_age_s - b.newest_age_s));
  table("slow", [...status.slow_visits].sort((a, b) => b.at_s - a.at_s));
  table("peers", [status]);
  table("keys", Object.entries(status.profile_keys).map(([profile, keys]) => ({ profile, ...keys })));
  table("workers", [...status.workers].sort((a, b) => a.number - b.number));
}

function tell(words, is_good) {
  write(one("#state"), words);
  one("#state").className = is_good ? "good" : "bad";
}

async function refresh() {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const answer = await fetch("/status.json", { cache: "no-store", signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json(), Date.parse(answer.headers.get("Date")) / 1000);
  } catch (error) {
    document.body.classList.add("lost");
    document.title = "(!) botod";
    tell(`The daemon does not answer (${error.message}). What stands below is older.`, false);
  } finally {
    setTimeout(refresh, REFRESH_MS);
  }
}

refresh();
