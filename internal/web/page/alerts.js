// Shows alerts as they arrive.
"use strict";

const list = document.getElementById("alerts");
const keep = Number(document.body.dataset.keep);
const rows = new Map(); // alert_id → {row, revision}
let kind = "";

const word = (symbol) => (symbol || "").toLowerCase().replaceAll("_", "-");
const when = (text) => new Date(text).toLocaleString("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const money = (minor, currency) => {
  try {
    const format = new Intl.NumberFormat("en", { style: "currency", currency });
    return format.format(minor / 10 ** format.resolvedOptions().maximumFractionDigits);
  } catch {
    return `${number(minor)} minor units ${currency || ""}`; // a currency that the browser does not know
  }
};

function reason(r) {
  const item = element("li", r.text);
  const shown = (r.evidence || []).slice(0, 3).map((e) => `${e.topic} ${e.partition}:${e.offset}${e.event_id ? " " + e.event_id : ""}`);
  if (shown.length) {
    const more = r.evidence.length - shown.length;
    item.append(element("div", "seen in " + shown.join(", ") + (more > 0 ? ` and ${more} more` : ""), "evidence"));
  }
  return item;
}

// points names what a scorecard gave, the most telling first; with where it begins they add up to the log odds.
function points(d) {
  if (d.log_odds == null) return "";
  const of = Object.entries(d).filter(([name, v]) => name.startsWith("points.") && name !== "points.constant" && v);
  const signed = (v) => (v < 0 ? "−" : "+") + number(Math.abs(v), 2);
  of.sort(([, a], [, b]) => Math.abs(b) - Math.abs(a));
  return `${signed(d["points.constant"])} to begin with, ${of.map(([name, v]) => `${name.slice(7).replaceAll("_", " ")} ${signed(v)}, `).join("")}together log odds of ${signed(d.log_odds)}`;
}

function facts(a) {
  const out = [];
  const fact = (name, value) => { if (value) out.push(element("dt", name), element("dd", value)); };
  fact(word(a.subject_type), a.subject_id);
  fact("rep", a.owner_id);
  if (a.expected_value_minor != null) fact("expected value", money(a.expected_value_minor, a.currency));
  fact("points", points(a.details || {}));
  fact("decided", when(a.detected_at));
  if (a.expires_at) fact("expires", when(a.expires_at));
  fact("alert", `${a.alert_id}, revision ${a.revision}`);
  return out;
}

function fill(row, a) {
  const at = (name) => row.querySelector(name);
  row.dataset.kind = word(a.kind);
  row.classList.toggle("over", a.status === "RESOLVED" || a.status === "EXPIRED");
  at(".chip").textContent = word(a.kind);
  at(".status").hidden = a.status === "OPENED";
  at(".status").textContent = word(a.status);
  at("time").dateTime = a.event_time;
  at("time").textContent = when(a.event_time);
  at(".title").textContent = a.title;
  at(".grade").textContent = a.grade;
  at(".grade").title = "grade";
  at(".fill").style.width = `${Math.round(100 * Math.min(1, Math.max(0, a.score)))}%`;
  at(".number").textContent = a.score.toFixed(2);
  at(".number").title = "score, 0 to 1";
  at(".reasons").replaceChildren(...a.reasons.map(reason));
  at(".facts").replaceChildren(...facts(a));
  const link = typeof linkOfAlert === "function" ? linkOfAlert(a) : null; // of the page of links, where there is one
  if (link) at(".beside").replaceChildren(link);
  row.hidden = kind !== "" && kind !== row.dataset.kind;
}

// show puts an alert on top; a later revision changes the row that is there, wherever the reader has it.
function show(a, arrived) {
  const known = rows.get(a.alert_id);
  if (known && known.revision >= a.revision) return;
  const row = known ? known.row : document.getElementById("alert").content.firstElementChild.cloneNode(true);
  rows.set(a.alert_id, { row, revision: a.revision });
  fill(row, a);
  row.classList.toggle("new", arrived);
  if (known) return;
  row.dataset.id = a.alert_id;
  list.prepend(row);
  while (list.childElementCount > keep) {
    rows.delete(list.lastElementChild.dataset.id);
    list.lastElementChild.remove();
  }
  blank();
}

function blank() {
  document.getElementById("empty").hidden = [...list.children].some((row) => !row.hidden);
}

function count(c) {
  let all = 0;
  let over = 0;
  for (const button of document.querySelectorAll(".kind[data-kind]:not([data-kind=''])")) {
    const of = c.kinds[button.dataset.kind] || { opened: 0, resolved: 0, expired: 0 };
    button.querySelector(".n").textContent = number(of.opened);
    button.hidden = of.opened + of.resolved + of.expired === 0;
    all += of.opened;
    over += of.resolved + of.expired;
  }
  document.querySelector(".kind[data-kind=''] .n").textContent = number(all);
  const aside = [];
  if (over) aside.push(`${number(over)} since resolved or expired`);
  const why = Object.entries(c.suppressed).sort().map(([word, n]) => `${number(n)} ${word}`);
  if (why.length) aside.push(`decided and not said: ${why.join(", ")}`);
  document.getElementById("aside").textContent = aside.join(" · ");
}

document.getElementById("kinds").addEventListener("click", (e) => {
  const chosen = e.target.closest(".kind");
  if (!chosen) return;
  kind = chosen.dataset.kind;
  for (const b of document.querySelectorAll(".kind")) b.setAttribute("aria-pressed", String(b === chosen));
  for (const row of list.children) row.hidden = kind !== "" && kind !== row.dataset.kind;
  blank();
});

const stream = new EventSource("v1/alerts/stream");
let settled = false; // what was there before is not shown as new
stream.onopen = () => say("live", "Live");
stream.onerror = () => { settled = false; lost(); };
const lost = () => say("lost", stream.readyState === EventSource.CLOSED ? "Not connected: reload the page" : "Connection lost, trying again");
stream.addEventListener("fresh", () => { rows.clear(); list.replaceChildren(); blank(); });
stream.addEventListener("alert", (e) => show(JSON.parse(e.data), settled));
stream.addEventListener("reached", () => { settled = true; });
stream.addEventListener("counts", (e) => count(JSON.parse(e.data)));
stream.addEventListener("dropped", () => say("lost", "Too slow, catching up"));
