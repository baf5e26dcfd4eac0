// Draws the network of the first links. The same links give the same picture.
"use strict";

const chance = (l) => (l.within_90 ? l.within_90.p : l.confidence.value);
const short = (text, most) => (text.length > most ? text.slice(0, most - 1) + "…" : text);

// ring orders the items so that those with strong links stand near each other: from the one with the most links on, always the one that
// is linked most with those placed last.
function ring(links) {
  const weight = new Map();
  const add = (a, b, w) => {
    if (!weight.has(a)) weight.set(a, new Map());
    weight.get(a).set(b, (weight.get(a).get(b) || 0) + w);
  };
  for (const l of links) { add(l.from, l.to, l.lift.value); add(l.to, l.from, l.lift.value); }
  const left = [...weight.keys()].sort();
  const total = (name) => [...weight.get(name).values()].reduce((sum, w) => sum + w, 0);
  const order = [];
  while (left.length) {
    const near = (name) => order.slice(-3).reduce((sum, other, i) => sum + (i + 1) * (weight.get(name).get(other) || 0), 0);
    let best = left[0];
    for (const name of left) {
      if (near(name) > near(best) || (near(name) === near(best) && total(name) > total(best))) best = name;
    }
    order.push(best);
    left.splice(left.indexOf(best), 1);
  }
  return order;
}

// places puts the items on two arcs with their names outside, in rows of equal height, so that no name covers another.
function places(order, width, height) {
  const right = Math.ceil(order.length / 2);
  const at = new Map();
  order.forEach((name, i) => {
    const onRight = i < right;
    const rows = onRight ? right : order.length - right;
    const row = onRight ? i : order.length - 1 - i;
    const y = 24 + (height - 48) * (rows === 1 ? 0.5 : row / (rows - 1));
    const bend = Math.sqrt(1 - (2 * (y / height) - 1) ** 2);
    at.set(name, { x: width / 2 + (onRight ? 1 : -1) * (80 + 110 * bend), y, onRight });
  });
  return at;
}

// drawNetwork draws the links that lead from one item to another, and tells which is chosen.
function drawNetwork(into, links, chosen, choose, chooseItem) {
  const width = 780;
  const order = ring(links);
  const height = Math.max(240, 46 * Math.ceil(order.length / 2) + 40);
  into.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const at = places(order, width, height);
  const chances = links.map(chance);
  const [low, high] = [Math.min(...chances), Math.max(...chances)];
  const most = Math.max(...links.map((l) => l.lift.value));
  const step = (p) => (high > low ? Math.min(4, Math.floor((5 * (p - low)) / (high - low))) : 2);
  const wide = (lift) => 1.2 + (most > 1 ? (4.3 * Math.log(Math.max(1, lift))) / Math.log(most) : 0);
  const defs = svg("defs", {});
  for (let p = 0; p < 5; p++) {
    defs.append(svg("marker", { id: `head-${p}`, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 11, markerHeight: 11, orient: "auto", markerUnits: "userSpaceOnUse" },
      svg("path", { d: "M0 0.8 L10 5 L0 9.2 z", class: "head", "data-p": p })));
  }
  const arrows = links.map((l, i) => {
    const [a, b] = [at.get(l.from), at.get(l.to)];
    const side = (a.y - b.y) * 0.06 + (a.onRight === b.onRight ? 0 : (a.x - b.x) * 0.03); // there and back do not cover each other
    const inwards = a.onRight === b.onRight ? Math.min(170, 50 + 0.5 * Math.abs(a.y - b.y)) * (a.onRight ? -1 : 1) : 0;
    const c = { x: inwards ? (a.x + b.x) / 2 + inwards - side : width / 2 - side, y: (a.y + b.y) / 2 + side };
    const short = (from, to, by) => {
      const d = Math.hypot(to.x - from.x, to.y - from.y) || 1;
      return { x: from.x + ((to.x - from.x) * by) / d, y: from.y + ((to.y - from.y) * by) / d };
    };
    const [s, e] = [short(a, c, 7), short(b, c, 8)];
    const d = `M${s.x.toFixed(1)} ${s.y.toFixed(1)} Q${c.x.toFixed(1)} ${c.y.toFixed(1)} ${e.x.toFixed(1)} ${e.y.toFixed(1)}`;
    const p = step(chance(l));
    const g = svg("g", { class: "arrow", role: "button", tabindex: i === 0 ? 0 : -1, "aria-label": l.says, "aria-pressed": l.key === chosen, "data-p": p, "data-key": l.key },
      svg("title", {}, `${linkName(l)}: ${times(l.lift.value)} times as often as expected, ${share(chance(l))}`),
      svg("path", { d, class: "line", "stroke-width": wide(l.lift.value).toFixed(2), "marker-end": `url(#head-${p})` }), svg("path", { d, class: "hit" }));
    g.addEventListener("click", () => choose(l));
    g.addEventListener("keydown", (e) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[e.key];
      if (e.key === "Enter" || e.key === " ") { e.preventDefault(); choose(l); }
      if (!by) return;
      e.preventDefault();
      const next = arrows[(i + by + arrows.length) % arrows.length];
      for (const other of arrows) other.setAttribute("tabindex", other === next ? 0 : -1);
      next.focus();
    });
    return g;
  });
  const nodes = order.map((name) => {
    const { x, y, onRight } = at.get(name);
    const g = svg("g", { class: "node", role: "button", tabindex: 0, "aria-label": `only links from ${name}`, "data-item": name },
      svg("title", {}, name), svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: 5 }),
      svg("text", { x: (x + (onRight ? 11 : -11)).toFixed(1), y: (y + 4).toFixed(1), "text-anchor": onRight ? "start" : "end" }, short(name, 24)));
    g.addEventListener("click", () => chooseItem(name));
    g.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); chooseItem(name); } });
    const fade = (on) => arrows.forEach((arrow, i) => arrow.classList.toggle("faint", on && links[i].from !== name && links[i].to !== name));
    for (const [event, on] of [["mouseenter", true], ["mouseleave", false], ["focus", true], ["blur", false]]) g.addEventListener(event, () => fade(on));
    return g;
  });
  into.replaceChildren(defs, ...arrows, ...nodes);
  return { low, high, lifts: [Math.min(...links.map((l) => l.lift.value)), most] };
}
