// Asks what is bought with what, and shows the answer.
"use strict";

const form = at("ask");
const rows = at("rows");
const path = "v1/links";
const reading = "Reading the links";
const filters = ["from", "to", "kind", "level", "via", "q", "min_support"];
const descending = ["sure", "lift", "p30", "p90", "p180", "support"];
const drawn = 30; // links of the picture: more cannot be told apart
let sort = "sure";
let order = "";
let next = ""; // the cursor of the page behind
let query = null; // of the list that is shown
let shown = []; // the links of the list
let chosen = ""; // a link's key

function parameters() {
  const p = new URLSearchParams({ sort });
  if (order) p.set("order", order);
  for (const name of filters) {
    const value = form.elements[name].value.trim();
    if (value) p.set(name, value);
  }
  return p;
}

// begin fills the form: from the page's address if it has a question, so that a list can be passed on.
async function begin() {
  const about = await askable(path, reading);
  if (!about) return;
  const f = form.elements;
  const offer = (select, values) => select.replaceChildren(select.options[0], ...values.map((v) => new Option(words(v), v)));
  offer(f.level, about.levels);
  offer(f.via, about.vias);
  const given = new URLSearchParams(location.search);
  for (const name of filters) if (given.has(name)) f[name].value = given.get(name);
  if (given.size && !given.has("kind")) f.kind.value = "";
  if (about.sorts.includes(given.get("sort"))) sort = given.get("sort");
  order = given.get("order") || "";
  chosen = given.get("link") || "";
  show();
}

// address names the question and the chosen link.
function address() {
  const p = new URLSearchParams(query);
  if (chosen) p.set("link", chosen);
  history.replaceState(null, "", `?${p}`);
}

async function show(more = false) {
  if (!more) query = parameters();
  const answer = await page(path, query, more ? next : "", "Asking", reading);
  if (!answer) return;
  trouble("");
  if (!more) {
    rows.replaceChildren();
    shown = [];
    order = query.get("order") || "";
  }
  shown.push(...answer.links);
  rows.append(...answer.links.map(row));
  next = answer.next || "";
  at("more").hidden = !next;
  at("empty").hidden = shown.length > 0;
  headings(answer.order);
  at("summary").textContent = `${number(answer.matched)} of ${number(answer.all)} published links` + (answer.links.length ? `, learned up to ${day(answer.links[0].learned_to)}.` : ".");
  say("live", `Topic read up to offset ${answer.as_of.offset}`);
  if (more) return;
  network();
  address();
  const again = shown.find((l) => l.key === chosen);
  if (again) choose(again); else unchoose();
}

function network() {
  const links = shown.filter((l) => l.kind === "CROSS_SELL").slice(0, drawn);
  at("network-key").hidden = links.length === 0;
  at("network").toggleAttribute("hidden", links.length === 0);
  if (!links.length) {
    at("network-caption").textContent = "No cross-sell link is listed: an upsell link stays within one type.";
    return;
  }
  at("network-caption").textContent = `The first ${number(links.length)} links of the list. An item shows its own when it is pointed at, and lists them when it is chosen.`;
  const d = drawNetwork(at("network"), links, chosen, choose, (name) => {
    form.elements.from.value = name;
    show();
  });
  at("network-key").textContent = `Wider: more often than expected (${times(d.lifts[0])} to ${times(d.lifts[1])} times). Darker: likelier (${share(d.low)} to ${share(d.high)}` +
    `${links[0].within_90 ? " within 90 days" : " of those who have the first"}).`;
}

function headings(direction) {
  for (const b of document.querySelectorAll("[data-sort]")) {
    const mine = b.dataset.sort === sort;
    if (mine) b.closest("th").setAttribute("aria-sort", direction === "desc" ? "descending" : "ascending");
    else b.closest("th").removeAttribute("aria-sort");
  }
}

function row(l) {
  const made = at("row").content.firstElementChild.cloneNode(true);
  const set = (name, text, ...under) => {
    const cell = made.querySelector(name);
    cell.textContent = text;
    cell.append(...under.map((line) => element("span", line, "interval")));
  };
  made.dataset.key = l.key;
  set(".choose", l.from);
  made.querySelector(".under").textContent = [l.level, l.via === "bought" ? "" : `after ${words(l.via)}`, l.kind === "UPSELL" ? `tier ${l.from_tier} to ${l.to_tier}` : ""].filter(Boolean).join(", ");
  set(".to", l.to);
  for (const [name, c] of [[".p30", l.within_30], [".p90", l.within_90], [".p180", l.within_180]]) {
    if (c) set(name, share(c.p), `${share(c.low)} to ${share(c.high)}`, `else ${share(c.baseline)}`);
    else set(name, "–");
  }
  set(".lift", times(l.lift.value), `${times(l.lift.low)} to ${times(l.lift.high)}`);
  set(".support", number(l.support), `of ${number(l.from_holders)}`);
  set(".q", l.kind === "UPSELL" ? "–" : l.q < 0.0001 ? "< 0.01%" : share(l.q, 2));
  set(".sure", l.kind === "UPSELL" ? "–" : number(l.g_squared));
  set(".call", l.call_to ? `${l.call_from} to ${l.call_to}` : "–");
  made.querySelector(".choose").addEventListener("click", () => choose(l, true));
  made.querySelector(".choose").setAttribute("aria-label", `${linkName(l)}: show when it comes`);
  return made;
}

function mark() {
  for (const r of rows.children) {
    r.setAttribute("aria-current", String(r.dataset.key === chosen));
    r.querySelector(".choose").setAttribute("aria-pressed", String(r.dataset.key === chosen));
  }
  for (const a of at("network").querySelectorAll(".arrow")) a.setAttribute("aria-pressed", String(a.dataset.key === chosen));
}

function unchoose() {
  chosen = "";
  at("none").hidden = false;
  at("chosen").hidden = true;
  mark();
}

// choose asks for the link with its curves, and shows it.
async function choose(l, far = false) {
  chosen = l.key;
  mark();
  address();
  let whole;
  try {
    whole = (await (await ask(linkAddress(l), reading)).json()).links[0];
  } catch (e) {
    trouble(e.message);
    return;
  }
  if (chosen !== l.key) return;
  trouble("");
  at("none").hidden = true;
  at("chosen").hidden = false;
  at("chosen-name").textContent = linkName(whole);
  showLink(at, whole);
  if (far) at("link").scrollIntoView({ block: "nearest" });
}

form.addEventListener("submit", (e) => { e.preventDefault(); show(); });
at("more").addEventListener("click", () => show(true));
at("clear").addEventListener("click", () => {
  form.reset();
  show();
});
document.querySelector("#list thead").addEventListener("click", (e) => {
  const b = e.target.closest("[data-sort]");
  if (!b) return;
  const usual = descending.includes(b.dataset.sort) ? "desc" : "asc";
  const now = order || usual;
  order = b.dataset.sort === sort && now === usual ? (usual === "desc" ? "asc" : "desc") : "";
  sort = b.dataset.sort;
  show();
});
at("csv").addEventListener("click", () => download(path, parameters(), "links.csv"));
signIn(begin);
begin();
