// Shows one link: its numbers and the curve of the time to it, on the page of all links, and beside an alert that rests on it. All
// text is set as text, never as markup.
"use strict";

const svg = (name, attributes, ...inside) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  e.append(...inside);
  return e;
};
const share = (p, digits = 0) => `${number(100 * p, digits || (p < 0.1 ? 1 : 0))}%`;
const times = (n) => number(n, n < 10 ? 1 : 0);
const linkName = (l) => `${l.from} → ${l.to}`;
const words = (symbol) => symbol.toLowerCase().replaceAll("_", " ");
const day = (text) => new Date(text).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const linkAddress = (l) => `v1/links/${encodeURIComponent(l.from)}/${encodeURIComponent(l.to)}?${new URLSearchParams({ kind: l.kind, via: l.via, ...(l.level ? { level: l.level } : {}) })}`;

// showLink fills in the parts that at gives by their names: says, curve, curve-key, chances, figures.
function showLink(at, l) {
  at("says").textContent = l.says;
  const has = Boolean(l.curve);
  at("curve").toggleAttribute("hidden", !has);
  at("chances").hidden = !has;
  at("curve-key").textContent = has ? `Line: bought ${l.to}, of ${number(l.starts)} customers who came to hold ${l.from}; bars: 95% intervals. Dashed: equally active customers.` +
    (l.call_to ? ` Shaded: days ${l.call_from} to ${l.call_to}, which hold the middle half of the extra purchases.` : "") : "When the second purchase comes is not known of this link.";
  if (has) {
    drawCurve(at("curve"), l);
    at("chances").tBodies[0].replaceChildren(...[["30 days", l.within_30], ["90 days", l.within_90], ["180 days", l.within_180]].map(([name, c]) => {
      const r = document.createElement("tr");
      const head = element("th", name);
      head.scope = "row";
      r.append(head, element("td", `${share(c.p, 1)} (${share(c.low, 1)} to ${share(c.high, 1)})`, "number"), element("td", share(c.baseline, 1), "number"));
      return r;
    }));
  }
  const facts = [["times expected", `${times(l.lift.value)} (${times(l.lift.low)} to ${times(l.lift.high)})`],
    ["customers with both", `${number(l.support)} of ${number(l.from_holders)} with the first and ${number(l.to_holders)} with the second`]];
  if (l.kind !== "UPSELL") facts.push(["false ones among links as sure", l.q < 0.0001 ? "< 0.01%" : share(l.q, 2)]);
  if (l.call_to) facts.push(["best called", `${l.call_from} to ${l.call_to} days after`]);
  if (l.season) facts.push(["sells of late", `${number(l.season, 1)} times what its last half year lets expect`]);
  facts.push(["learned", `${l.learned_from ? day(l.learned_from) : "from the beginning"} to ${day(l.learned_to)}`]);
  at("figures").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

// drawCurve draws how many have bought the second by each week, beside equally active customers, with intervals and the days to call.
function drawCurve(into, l) {
  const box = { left: 44, right: 546, top: 14, bottom: 262 };
  const days = 182;
  const known = [[30, l.within_30], [90, l.within_90], [180, l.within_180]];
  const top = Math.max(...l.curve, ...l.base_curve, ...known.map(([, c]) => c.high)) * 1.08 || 1;
  const unit = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25].find((u) => top / u <= 6) || 0.25;
  const x = (day) => box.left + ((box.right - box.left) * day) / days;
  const y = (p) => box.bottom - ((box.bottom - box.top) * p) / top;
  const parts = [];
  if (l.call_to) {
    parts.push(svg("rect", { class: "call-span", x: x(l.call_from), y: box.top, width: x(l.call_to) - x(l.call_from), height: box.bottom - box.top }));
  }
  for (let p = 0; p <= top; p += unit) {
    parts.push(svg("line", { class: "axis", x1: box.left, x2: box.right, y1: y(p), y2: y(p) }),
      svg("text", { class: "small", x: box.left - 6, y: y(p) + 4, "text-anchor": "end" }, share(p, unit < 0.01 ? 1 : 0)));
  }
  for (const day of [0, 30, 60, 90, 120, 150, 180]) parts.push(svg("text", { class: "small", x: x(day), y: box.bottom + 17, "text-anchor": "middle" }, String(day)));
  parts.push(svg("text", { class: "small", x: (box.left + box.right) / 2, y: box.bottom + 34, "text-anchor": "middle" }, "days after the first"));
  const week = (i) => Math.min(7 * (i + 1), 180);
  const line = (curve) => `M${x(0)} ${y(0)} ` + curve.map((p, i) => `L${x(week(i)).toFixed(1)} ${y(p).toFixed(1)}`).join(" ");
  parts.push(svg("path", { class: "base", d: line(l.base_curve) }), svg("path", { class: "curve", d: line(l.curve) }));
  for (const [day, c] of known) {
    parts.push(svg("line", { class: "band", x1: x(day), x2: x(day), y1: y(c.low), y2: y(c.high) }), svg("circle", { class: "dot-at", cx: x(day), cy: y(c.p), r: 4 }));
    for (const p of [c.low, c.high]) parts.push(svg("line", { class: "band", x1: x(day) - 4, x2: x(day) + 4, y1: y(p), y2: y(p) }));
  }
  into.replaceChildren(svg("title", {}, `Share of customers who bought ${l.to} by days after ${l.from}`), ...parts);
}

// linkOfAlert gives what unfolds the link that an alert rests on, null when it rests on none. What is shown is the link as it is published now; the
// alert's own reasons have the numbers that it was decided by.
function linkOfAlert(a) {
  if (!["CROSS_SELL", "UPSELL"].includes(a.kind) || !a.from_product || !a.to_product || a.status !== "OPENED") return null;
  const unfold = document.createElement("details");
  unfold.className = "alert-link";
  const note = element("p", "Asking", "key");
  unfold.append(element("summary", a.kind === "UPSELL" ? "Who goes up?" : `When is ${a.to_product} bought after ${a.from_product}?`), note);
  let asked = false;
  unfold.addEventListener("toggle", async () => {
    if (!unfold.open || asked) return;
    asked = true;
    try {
      const box = linkBox();
      const touch = Object.keys(a.details || {}).find((name) => name.startsWith("via."));
      const l = await linkNow({ from: a.from_product, to: a.to_product, kind: a.kind, via: touch ? touch.slice("via.".length) : "bought" });
      showLink((name) => box.querySelector(`.${name}`), l);
      note.replaceWith(box);
    } catch (e) {
      asked = false;
      note.textContent = e.message;
    }
  });
  return unfold;
}

// linkNow asks for a link as it is published now.
async function linkNow(l) {
  const answer = await patientFetch(linkAddress(l), { headers: asker(sessionStorage.getItem("leadline-token")) }, () => {});
  if (answer.ok) return (await answer.json()).links[0];
  if (answer.status === 401) throw new Error("This needs the token of http.token: use it once on the page of product links.");
  if (answer.status === 404) throw new Error("This link is not published any more.");
  throw new Error(await whyNot(answer));
}

// linkBox has the parts that showLink fills in.
function linkBox() {
  const box = document.createElement("div");
  const table = element("table", "", "chances");
  const head = document.createElement("tr");
  for (const name of ["Within", "After it", "Equally active"]) {
    const th = element("th", name, name === "Within" ? "" : "number");
    th.scope = "col";
    head.append(th);
  }
  table.createTHead().append(head);
  table.createTBody();
  box.append(element("p", "", "says"), svg("svg", { class: "curve curves", viewBox: "0 0 560 300", role: "img" }), element("p", "", "curve-key key"), table, element("dl", "", "figures facts"));
  return box;
}
