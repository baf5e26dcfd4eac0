// Asks whose purchases decreased, and shows the answer. All text is set as text, never as markup: names come from outside.
"use strict";

const form = document.getElementById("ask");
const rows = document.getElementById("rows");
const path = "v1/declining";
const reading = "Reading all customers";
const filters = ["category", "segment", "owner", "q"];
let about = null; // what can be asked
let sort = "risk";
let next = ""; // the cursor of the page behind
let query = null; // of the list that is shown
let listed = 0; // customers on the whole list
const picked = new Set();

const digits = (currency) => new Intl.NumberFormat("en", { style: "currency", currency }).resolvedOptions().maximumFractionDigits;
const money = (minor, currency) => {
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency }).format(minor / 10 ** digits(currency));
  } catch {
    return `${number(minor)} minor units ${currency || ""}`; // a currency that the browser does not know
  }
};
const day = (text) => new Date(text + "T00:00:00Z").toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const plus = (text, days) => new Date(Date.parse(text + "T00:00:00Z") + days * 86400000).toISOString().slice(0, 10);

// parameters are those of the form. Money is asked for in the currency's usual units.
function parameters() {
  const f = form.elements;
  const p = new URLSearchParams({ recent: `${f.recent_from.value}..${f.recent_to.value}`, baseline: `${f.baseline_from.value}..${f.baseline_to.value}`, sort });
  for (const name of filters) if (f[name].value.trim()) p.set(name, f[name].value.trim());
  const amount = (name) => Number(f[name].value.trim().replace(",", "."));
  if (f.min_value.value.trim()) p.set("min_value", String(Math.round(amount("min_value") * 10 ** shownDigits)));
  if (f.margin.value.trim()) p.set("margin", String(amount("margin") / 100));
  if (f.horizon.value.trim()) p.set("horizon", f.horizon.value.trim());
  return p;
}
let shownDigits = 2; // of the currency of most customers

function setWindows(recent, baseline) {
  const f = form.elements;
  [f.recent_from.value, f.recent_to.value, f.baseline_from.value, f.baseline_to.value] = [recent.from, recent.to, baseline.from, baseline.to];
}

function lastDays(recent, before) {
  const to = about.kept.to;
  const from = plus(to, 1 - recent);
  const earliest = plus(from, -before);
  return [{ from, to }, { from: earliest < about.kept.from ? about.kept.from : earliest, to: plus(from, -1) }];
}

function presets() {
  const usual = [about.recent.days, about.baseline.days];
  const offered = [usual, [14, 90], [60, about.kept.days - 61], [90, about.kept.days - 91]].filter(([r, b]) => b >= r / 2 && r + b <= about.kept.days);
  at("presets").replaceChildren(...offered.map(([recent, before]) => {
    const b = element("button", `last ${recent} days against the ${before} before`);
    b.type = "button";
    b.addEventListener("click", () => { setWindows(...lastDays(recent, before)); show(); });
    return b;
  }));
}

// begin fills the form: from the page's address if it has a question, so that a list can be passed on.
async function begin() {
  about = await askable(path, reading);
  if (!about) return;
  const f = form.elements;
  for (const name of ["recent_from", "recent_to", "baseline_from", "baseline_to"]) [f[name].min, f[name].max] = [about.kept.from, about.kept.to];
  at("categories").replaceChildren(...about.categories.map((c) => new Option(c, c)));
  at("attributes").replaceChildren(...about.attributes.map((a) => new Option(`${a}=`, `${a}=`)));
  presets();
  setWindows(about.recent, about.baseline);
  const given = new URLSearchParams(location.search);
  const span = (name) => { const [from, to] = (given.get(name) || "").split(".."); return { from, to }; };
  if (given.has("recent") && given.has("baseline")) setWindows(span("recent"), span("baseline"));
  for (const name of [...filters, "horizon"]) if (given.has(name)) f[name].value = given.get(name);
  if (given.has("margin")) f.margin.value = String(100 * given.get("margin"));
  if (given.has("min_value")) f.min_value.value = String(given.get("min_value") / 10 ** shownDigits);
  if (given.has("sort")) sort = given.get("sort");
  show();
}

async function show(more = false) {
  if (!more) query = parameters();
  const answer = await page(path, query, more ? next : "", "Counting", reading);
  if (!answer) return;
  trouble(answer.moved ? "The list was counted anew since the page before: a customer may stand twice, or be left out." : "");
  if (!more) {
    rows.replaceChildren();
    picked.clear();
    at("pick-all").checked = false;
    at("handed").textContent = "";
    history.replaceState(null, "", `?${query}`);
  }
  rows.append(...answer.customers.flatMap(row));
  next = answer.next || "";
  at("more").hidden = !next;
  at("empty").hidden = rows.childElementCount > 0;
  headings();
  summary(answer);
}

function summary(a) {
  if (a.listed.length) try { shownDigits = digits(a.listed[0].currency); } catch { shownDigits = 0; }
  const all = a.listed.reduce((n, s) => n + s.customers, 0);
  listed = all;
  handing();
  const sums = a.listed.map((s) => `${money(s.at_risk_minor, s.currency)}${a.listed.length > 1 ? ` of ${number(s.customers)}` : ""}`);
  const of = a.margin === 1 ? "spend" : `margin (${number(100 * a.margin, 1)}% of spend)`;
  at("summary").textContent = `${number(all)} of ${number(a.everyone.customers)} customers buy less than expected by how everyone else went` +
    (all ? `, ${number(a.beyond_chance)} of them beyond chance. At risk over ${number(a.horizon_days)} days if nothing changes: ${sums.join(", ")} of ${of}.` : ".");
  const committed = a.as_of.shards.map((s) => s.committed_at).filter(Boolean).sort();
  say("live", `Counted ${new Date(a.as_of.counted_at).toLocaleTimeString("en-GB")} in ${number(a.as_of.took_ms)} ms`);
  at("status").title = committed.length ? `all that was committed up to ${new Date(committed[0]).toLocaleString("en-GB")}` : "";
}

function headings() {
  for (const b of document.querySelectorAll("[data-sort]")) {
    const chosen = b.dataset.sort === sort;
    if (chosen) b.closest("th").setAttribute("aria-sort", sort === "risk" ? "descending" : "ascending");
    else b.closest("th").removeAttribute("aria-sort");
  }
}

const chance = (p) => (p < 0.000001 ? "under 1 in a million" : p < 0.001 ? `1 in ${number(Math.floor(1 / p))}` : `${number(100 * p, p < 0.01 ? 2 : 1)}%`);

function row(c) {
  const made = at("row").content.firstElementChild.cloneNode(true);
  const set = (name, text) => { made.querySelector(name).textContent = text; };
  made.dataset.customer = c.customer_id;
  const pick = made.querySelector(".pick input");
  pick.setAttribute("aria-label", `Pick ${c.name || c.customer_id}`);
  pick.addEventListener("change", () => {
    if (pick.checked) picked.add(c.customer_id);
    else picked.delete(c.customer_id);
    handing();
  });
  set(".name", c.name || c.customer_id);
  set(".rep", [c.name ? c.customer_id : "", c.owner_id ? `rep ${c.owner_id}` : ""].filter(Boolean).join(", "));
  set(".recent-days", number(c.recent.days));
  set(".expected", c.expected_days.toFixed(1));
  set(".before-days", number(c.baseline.days));
  set(".recent-spent", money(c.recent.spent_minor, c.currency));
  set(".before-spent", money(c.baseline.spent_minor, c.currency));
  set(".change", `−${number(100 * (1 - c.ratio))}%`);
  made.querySelector(".change").append(element("span", `${percent(c.ratio_low)} to ${percent(c.ratio_high)}`, "interval"));
  made.querySelector(".change").title = "fall of the rate against everyone's; 95% interval";
  set(".chance", chance(c.p));
  made.querySelector(".chance").append(element("span", c.q < 0.01 ? "under 1% false" : `${number(Math.round(100 * c.q))}% false`, "interval"));
  made.querySelector(".chance").title = `how often chance alone makes so deep a fall; q ${c.q.toPrecision(2)}: share of false ones if the list, by chance, ends here`;
  set(".last", day(c.last_purchase));
  set(".risk", money(c.at_risk_minor, c.currency));
  const why = document.createElement("tr");
  why.className = "reasons";
  why.hidden = true;
  const cell = why.insertCell();
  cell.colSpan = 10;
  const list = document.createElement("ul");
  list.append(...c.reasons.map((r) => element("li", r.text)));
  cell.append(list);
  made.querySelector(".unfold").addEventListener("click", (e) => {
    why.hidden = !why.hidden;
    e.currentTarget.setAttribute("aria-expanded", String(!why.hidden));
  });
  return [made, why];
}
const percent = (ratio) => `${ratio > 1 ? "+" : "−"}${number(Math.abs(100 * (ratio - 1)))}%`;

// handing says how many customers the button hands over.
function handing() {
  const n = at("hand").elements.which.value === "all" ? listed : picked.size;
  at("hand-over").disabled = n === 0;
  at("hand-over").textContent = n ? `Hand over ${number(n)}` : "Hand over";
}

// handOver hands customers of the list that is shown to reps.
async function handOver() {
  const f = at("hand").elements;
  const asked = new URLSearchParams(query);
  const body = { customers: f.which.value === "all" ? [] : [...picked], to_rep_id: f.to_rep_id.value.trim(), rep_id: f.rep_id.value.trim() };
  at("hand-over").disabled = true;
  at("handed").textContent = "";
  try {
    const answer = await ask(`${path}/hand-over?${asked}`, reading, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const done = await answer.json();
    const gone = done.not_listed.length ? ` ${number(done.not_listed.length)} are not on the list any more.` : "";
    at("handed").textContent = `${number(done.customers)} handed over. Each gets an alert, unless one is open or the customer was reached lately.${gone}`;
    trouble("");
  } catch (e) {
    trouble(e.message);
  }
  handing();
}

at("hand").addEventListener("submit", (e) => { e.preventDefault(); handOver(); });
at("hand").elements.which.addEventListener("change", handing);
at("pick-all").addEventListener("change", (e) => {
  for (const box of rows.querySelectorAll(".pick input")) {
    if (box.checked === e.target.checked) continue;
    box.checked = e.target.checked;
    box.dispatchEvent(new Event("change"));
  }
});
form.addEventListener("submit", (e) => { e.preventDefault(); show(); });
at("more").addEventListener("click", () => show(true));
at("clear").addEventListener("click", () => {
  for (const name of [...filters, "min_value", "margin", "horizon"]) form.elements[name].value = "";
  show();
});
document.querySelector("thead").addEventListener("click", (e) => {
  const chosen = e.target.closest("[data-sort]");
  if (!chosen) return;
  sort = chosen.dataset.sort;
  show();
});
at("csv").addEventListener("click", () => {
  const asked = parameters();
  download(path, asked, `declining-${asked.get("recent")}.csv`);
});
signIn(begin);
begin();
