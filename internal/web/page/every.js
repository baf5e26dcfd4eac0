// What every page has in common. All text is set as text, never as markup: names come from outside.
"use strict";

const say = (state, text) => {
  document.getElementById("status").dataset.state = state;
  document.getElementById("status-text").textContent = text;
};
const number = (n, digits = 0) => n.toLocaleString("en", { maximumFractionDigits: digits });
const element = (name, text, className) => {
  const e = document.createElement(name);
  e.textContent = text;
  if (className) e.className = className;
  return e;
};

// patientFetch fetches, and waits while what is asked about is being read; waiting is told of it each time.
async function patientFetch(what, options, waiting) {
  for (let wait = 500; ; wait = Math.min(2000, wait * 1.5)) {
    const answer = await fetch(what, options);
    if (answer.status !== 503 || !answer.headers.has("Retry-After")) return answer;
    waiting();
    await new Promise((go) => setTimeout(go, wait));
  }
}

// asker is the headers of whoever has a token.
const asker = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

// whyNot is what an answer says of why it is none.
const whyNot = async (answer) => (await answer.json().catch(() => ({}))).detail || answer.statusText;
